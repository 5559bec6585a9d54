# SPDX-License-Identifier: GPL-3.0-or-later
"""A new last layer on the shipped model: what is read of it, what is kept, and when it is not done at all."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WHY = "requirements-training.txt is not installed"
pytest.importorskip("onnx", reason=WHY)
pytest.importorskip("sklearn", reason=WHY)

from model_service.model import Model  # noqa: E402
from model_service.settings import MODEL  # noqa: E402
from training import pictures, retrain  # noqa: E402
from training.data import LABELS, DataError, Sample  # noqa: E402
from training.graph import pneumonia_model  # noqa: E402


@pytest.fixture(scope="module")
def present() -> retrain.Present:
    return retrain.read_model(MODEL)


def site(folder: Path, count: int = 60) -> Path:
    """Noise of two levels, a patient each: whether it works, not whether it learns."""
    rows = [("file", "label")]
    for number in range(count):
        name = f"p{number}-{number}.png"
        dice = np.random.default_rng(number)
        Image.fromarray(dice.integers(0, 90 + 80 * (number % 2), (96, 80), np.uint8)).save(folder / name)
        rows.append((name, LABELS[number % 2]))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "labels.csv"


def test_the_parts_of_a_model_make_the_same_file_again(present: retrain.Present) -> None:
    again = pneumonia_model(present.candidate.parameters, present.head, present.view, present.metadata)
    assert again.SerializeToString() == MODEL.read_bytes()


def test_a_model_of_another_make_is_refused(model_file: Path) -> None:
    with pytest.raises(DataError, match="was not written by this trainer"):
        retrain.read_model(model_file)


def test_a_retrained_model_loads_tells_apart_and_keeps_the_gate(present: retrain.Present, tmp_path: Path) -> None:
    samples = retrain.read_labels(site(tmp_path), tmp_path)
    made = retrain.retrain(present, samples, pictures.read_pictures(samples, tmp_path / "cache", 2), 2, least=2)
    (path := tmp_path / "model.onnx").write_bytes(made.model)
    old, new = Model(MODEL), Model(path)
    assert made.report["chosen"] in (retrain.HALFWAY, retrain.REFITTED)
    assert made.report["held out"]["as they are"]["auroc"]["value"] == 1
    assert made.report["held out"]["as they are"]["images"] == made.report["images"]["held out"]
    assert (new.views, new.view_threshold) == (old.views, old.view_threshold)
    assert new.version != old.version
    pixels = np.full((1, 1, 224, 224), 100, np.float32)
    assert np.allclose(list(new.scores(pixels).views.values()), list(old.scores(pixels).views.values()))


def test_too_few_patients_are_refused(present: retrain.Present, tmp_path: Path) -> None:
    samples = retrain.read_labels(site(tmp_path, 20), tmp_path)
    with pytest.raises(DataError, match="Expected at least 50 patients with NORMAL held out"):
        retrain.check(samples, retrain.LEAST)


def test_a_patient_is_told_by_the_copys_name_and_copies_count_once(tmp_path: Path) -> None:
    table = site(tmp_path, 4)
    table.write_text(table.read_text() + "p0-0.png,NORMAL\n")
    samples = retrain.read_labels(table, tmp_path)
    assert [sample.patient for sample in samples] == ["p0", "p1", "p2", "p3"]
    assert isinstance(samples[0], Sample)


@pytest.mark.parametrize(
    ("line", "why"), [("p0-0.png,Unsure", "expected file and label"), ("gone.png,NORMAL", "there is no")]
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, why: str) -> None:
    table = site(tmp_path, 2)
    table.write_text(table.read_text() + line + "\n")
    with pytest.raises(DataError, match=f"line 4: {why}"):
        retrain.read_labels(table, tmp_path)
