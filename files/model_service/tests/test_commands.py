# SPDX-License-Identifier: GPL-3.0-or-later
"""`assess` and `evaluate`, as people run them: files and a manifest in, a table and a report out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import radiograph, saved
from model_service import figures
from model_service.measures import NAMES, measure
from model_service.model import Thresholds
from PIL import Image
from service_fakes import encoded, picture
from test_quality import with_white_corner
from tiny_model import CORNERS

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(model_file: Path, tmp_path: Path) -> Run:
    """Without any setting of a store."""

    def start(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
        variables = {f"RISK_ASSESSMENT_{name.upper()}": value for name, value in settings.items()}
        path = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        environment = os.environ | {"RISK_ASSESSMENT_MODEL": str(model_file), "PYTHONPATH": path} | variables
        command = [sys.executable, "-m", "model_service", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr + done.stdout
        return done

    return start


def gray(level: int) -> bytes:
    """What the tiny model gives a risk that grows with the level."""
    pixels = np.asarray(picture(224, 224), np.float64)
    return encoded(Image.fromarray((pixels * 0.3 + level * 0.7).astype(np.uint8)), "PNG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten images of five patients, one of them rejected; and one that is none."""
    (images := tmp_path / "images").mkdir()
    lines = ["file,label,patient"]
    for number in range(9):
        (images / f"{number}.png").write_bytes(gray(100 + number * 6))
        lines.append(f"{number}.png,{'PNEUMONIA' if number > 3 else 'NORMAL'},p{number // 2}")
    (images / "leg.png").write_bytes(encoded(with_white_corner(*CORNERS["other"]), "PNG"))
    (images / "text.png").write_text("no image")
    lines += ["leg.png,NORMAL,p9", "text.png,NORMAL,", "gone.png,PNEUMONIA,"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return images


def evaluate(run: Run, folder: Path, *more: object, **settings: str) -> subprocess.CompletedProcess[str]:
    given = "--manifest", folder.parent / "manifest.csv", "--images", folder, "--report", folder.parent / "r.json"
    return run("evaluate", *given, *more, **settings)


def test_evaluate_writes_every_figure_and_every_score(run: Run, folder: Path) -> None:
    done = evaluate(run, folder)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder.parent / "r.json").read_text())
    assert report["counts"] == {
        "files": 12, "unreadable": 2, "rejected": 1, "assessed": 9, "pneumonia": 5, "patients": 5
    }  # fmt: skip
    assert set(report["figures"]) == set(report["figures_with_rejected"]) == set(NAMES)
    assert report["figures"]["auroc"]["value"] == 1
    assert report["rejected_rate"]["value"] == 0.1
    assert len(report["model_version"]) == 12
    files = {one["file"]: one for one in report["files"]}
    risks = [files[f"{number}.png"]["risk"] for number in range(9)]
    assert risks == sorted(risks)
    assert files["leg.png"]["outcome"] == "rejected"
    assert files["leg.png"]["assigned"] is None
    assert 0 <= files["leg.png"]["risk"] <= 1
    assert [one["file"] for one in report["unreadable"]] == ["text.png", "gone.png"]
    assert files["gone.png"]["reasons"] == ["Cannot read the file: No such file or directory."]
    for name in (*NAMES, "rejected_rate", "unreadable: text.png: Expected a JPEG, PNG, TIFF or DICOM"):
        assert name in done.stdout


def test_its_figures_are_those_of_its_scores(run: Run, folder: Path) -> None:
    evaluate(run, folder)
    report = json.loads((folder.parent / "r.json").read_text())
    kept = [one for one in report["files"] if one["outcome"] == "assessed"]
    told = [one["assigned"] != "Normal" for one in kept if one["label"] == "PNEUMONIA"]
    assert report["figures"]["sensitivity"]["value"] == round(sum(told) / len(told), 4)
    unsure = [one["assigned"] == "Unsure" for one in kept]
    assert report["figures"]["unsure_share"]["value"] == round(sum(unsure) / len(unsure), 4)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("", "line 1: expected a header with the columns file, label"),
        ("name,label\na,NORMAL", "file missing, got name, label"),
        ("file,label\n", "lists no file"),
        ("file,label\n0.png,NORMAL\n1.png,sick", "line 3: expected label NORMAL or PNEUMONIA, got 'sick'"),
        ("file,label\n0.png", "line 2: expected label NORMAL or PNEUMONIA, got ''"),
        ("file,label\n,NORMAL", "line 2: expected a file's name"),
        ("file,label\n/etc/passwd,NORMAL", "line 2: expected a path relative to the folder"),
        ("file,label\n0.png,NORMAL\n0.png,NORMAL", "line 3: '0.png' was in line 2 already"),
        ("file,label\n" + "x,y\n" * 30, "... and 20 more"),
        (b"file,label\n\xff\xfe,NORMAL", "CSV in UTF-8"),
    ],
)
def test_a_wrong_manifest_is_told_line_by_line(run: Run, folder: Path, manifest: Any, words: str) -> None:
    data = manifest if isinstance(manifest, bytes) else manifest.encode()
    (folder.parent / "manifest.csv").write_bytes(data)
    done = evaluate(run, folder)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("settings", "more", "words"),
    [
        ({"model": "/nowhere.onnx"}, (), "RISK_ASSESSMENT_MODEL: cannot read /nowhere.onnx"),
        ({"threshold_normal": "high"}, (), "THRESHOLD_NORMAL: expected float"),
        ({}, ("--report", "/proc/nowhere/r.json"), "Cannot write"),
        ({}, ("--images", "/nowhere"), "--images: expected a folder"),
        ({}, ("--manifest", "/nowhere.csv"), "Cannot read the manifest /nowhere.csv: No such file"),
    ],
)
def test_evaluate_says_what_is_missing(
    run: Run, folder: Path, settings: dict[str, str], more: tuple[str, ...], words: str
) -> None:
    done = evaluate(run, folder, *more, **settings)
    assert done.returncode == 2
    assert words in done.stderr


def test_one_label_alone_has_no_auroc(run: Run, folder: Path) -> None:
    (folder.parent / "manifest.csv").write_text("\ufefffile,label,more\n0.png,NORMAL,x\n1.png,NORMAL,y\n")
    assert evaluate(run, folder).returncode == 0
    told = json.loads((folder.parent / "r.json").read_text())["figures"]
    assert told["auroc"] == told["sensitivity"] == {"value": None, "interval": None}
    assert told["specificity"]["value"] is not None


def test_nothing_readable_is_still_a_report(run: Run, folder: Path) -> None:
    (folder.parent / "manifest.csv").write_text("file,label\ntext.png,NORMAL\n")
    done = evaluate(run, folder)
    assert done.returncode == 0
    assert json.loads((folder.parent / "r.json").read_text())["figures"]["brier"]["value"] is None


def test_plots_are_drawn_or_it_says_what_they_need(run: Run, folder: Path) -> None:
    done = evaluate(run, folder, "--plots", folder.parent / "plots")
    assert (folder.parent / "r.json").stat().st_size > 1000
    drawn = sorted(path.name for path in (folder.parent / "plots").iterdir())
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        assert (done.returncode, drawn) == (1, [])
        assert "--plots needs matplotlib" in done.stderr
        assert "requirements-evaluate.txt" in done.stderr
    else:
        assert (done.returncode, drawn) == (0, ["calibration.png", "risk_coverage.png", "roc.png", "scores.png"])


def test_assess_shows_a_table_and_draws_heat_maps(run: Run, folder: Path) -> None:
    (folder / "a.dcm").write_bytes(saved(radiograph()))
    (other := folder / "ward").mkdir()
    (other / "0.png").write_bytes(gray(200))
    files = [folder / "0.png", folder / "a.dcm", folder / "leg.png", other / "0.png"]
    done = run("assess", *files, "--heatmaps", folder / "heat")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["file", "label", "risk", "outcome"]
    assert lines[3].endswith("rejected: This is no frontal chest X-ray.")
    assert [line.split()[-1] for line in (lines[1], lines[2], lines[4])] == ["assessed"] * 3
    drawn = {"0.png-heatmap.png", "0.png-2-heatmap.png", "a.dcm-heatmap.png"}
    assert {path.name for path in (folder / "heat").iterdir()} == drawn


def test_assess_fails_when_a_file_cannot_be_read(run: Run, folder: Path) -> None:
    done = run("assess", folder / "0.png", folder / "text.png", folder)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[1].endswith("assessed")
    assert "unreadable: Expected a JPEG, PNG, TIFF or DICOM image" in lines[2]
    assert "unreadable: Cannot read the file: Is a directory." in lines[3]


@pytest.mark.parametrize(("arguments", "code"), [(("judge",), 2), (("--help",), 0), (("assess",), 2)])
def test_usage_is_shown(run: Run, arguments: tuple[str, ...], code: int) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert "usage: python -m model_service" in done.stderr


def test_average_precision_and_coverage_by_hand() -> None:
    truth, risks = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert abs(figures.average_precision(truth, risks) - (1 + 2 / 3) / 2) < 1e-9
    assert figures.average_precision(truth, np.full(4, 0.5)) == 0.5
    assert abs(figures.expected_calibration_error(truth, risks) - (0.1 + 0.8 + 0.3 + 0.1) / 4) < 1e-9
    shares, mistakes = figures.risk_coverage(truth, risks, 0.5)
    assert shares.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert np.allclose(mistakes, [0, 0, 1 / 3, 1 / 4])


def test_images_of_one_patient_do_not_narrow_an_interval() -> None:
    dice = np.random.default_rng(1)
    truth = np.tile([0, 1], 50)
    risks = np.clip(truth * 0.2 + dice.normal(0.4, 0.2, 100), 0, 1)
    eight = np.tile(truth, 8), np.tile(risks, 8)
    alone, together = (
        measure(*eight, patients, Thresholds())["auroc"]
        for patients in ([str(number) for number in range(800)], [str(number % 100) for number in range(800)])
    )
    widths = [high - low for low, high in (alone["interval"], together["interval"])]
    assert alone["value"] == together["value"]
    assert widths[1] > 2 * widths[0]
    assert together["interval"][0] < together["value"] < together["interval"][1]
