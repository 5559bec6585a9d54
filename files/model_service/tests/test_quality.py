# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no upright frontal chest X-ray is rejected with its reason, recorded and never silent."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import radiograph, saved
from model_service.app import build_pipeline
from model_service.images import Xray
from model_service.model import Model, ModelError
from model_service.quality import NO_CHEST, reasons_of_pixels, reasons_of_views
from model_service.settings import Settings, SettingsError
from PIL import Image
from service_fakes import MemoryStore, encoded, picture, record
from starlette.testclient import TestClient
from tiny_model import CORNERS, tiny_model

SOURCE, PROCESSED = "xray-source", "xray-source-processed"


def with_white_corner(row: int, column: int) -> Image.Image:
    image = picture(224, 224)
    image.paste(255, (column * 32, row * 32, column * 32 + 32, row * 32 + 32))
    return image


REJECTED = {
    "inverted": (with_white_corner(*CORNERS["inverted"]), "The brightness is inverted"),
    "sideways": (with_white_corner(*CORNERS["sideways"]), "lies on its side"),
    "upside down": (with_white_corner(*CORNERS["upside_down"]), "is upside down"),
    "something else": (with_white_corner(*CORNERS["other"]), "no frontal chest X-ray"),
    "blank": (Image.new("L", (300, 300), 90), "The image is blank: its pixels span 0 of 256 gray levels."),
    "faint": (picture().point(lambda level: 100 + level // 16), "too little contrast"),
}


@pytest.mark.parametrize("kind", REJECTED)
def test_it_is_recorded_with_its_reason(
    announce: Callable[..., Any], client: TestClient, store: MemoryStore, kind: str
) -> None:
    image, reason = REJECTED[kind]
    store.objects[SOURCE, "a.png"] = encoded(image, "PNG")
    assert announce(record("a.png")).status_code == 204
    told = json.loads(store.objects[PROCESSED, "a-processed.png.json"])
    assert (told["outcome"], told["label"], told["risk"]) == ("rejected", None, None)
    assert len(told["reasons"]) == 1
    assert reason in told["reasons"][0]
    assert (told["heatmap_key"], told["anonymized_key"]) == (None, None)
    assert {key for _, key in store.objects} == {"a.png", "a-processed.png", "a-processed.png.json"}
    assert 'studies_total{label="",outcome="rejected"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(("modality", "seen"), [("CT", "CT"), ("US", "US"), ("Campbell^Barbara", "none"), ("", "none")])
def test_a_dicom_image_of_another_modality_is_recorded_too(
    announce: Callable[..., Any], store: MemoryStore, modality: str, seen: str
) -> None:
    store.objects[SOURCE, "slice.dcm"] = saved(radiograph(Modality=modality))
    assert announce(record("slice.dcm")).status_code == 204
    told = json.loads(store.objects[PROCESSED, "slice-processed.dcm.png.json"])
    assert told["outcome"] == "rejected"
    assert told["reasons"][0].endswith(f"expected a DICOM image of modality CR, DX, RG, got {seen}.")


def test_its_log_line_says_why(
    announce: Callable[..., Any], store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "risk_assessment")
    store.objects[SOURCE, "Barbara.png"] = encoded(REJECTED["sideways"][0], "PNG")
    announce(record("Barbara.png"))
    (line,) = [entry for entry in caplog.records if entry.name == "risk_assessment"]
    assert line.getMessage() == "rejected"
    assert line.fields["reasons"] == ("The chest X-ray lies on its side.",)  # type: ignore[attr-defined]
    assert "Barbara" not in str(vars(line))


def test_announced_again_it_is_not_recorded_again(announce: Callable[..., Any], store: MemoryStore) -> None:
    store.objects[SOURCE, "a.png"] = encoded(REJECTED["blank"][0], "PNG")
    announce(record("a.png"))
    stored = len(store.puts)
    assert announce(record("a.png")).status_code == 204
    assert len(store.puts) == stored


@pytest.mark.parametrize(
    ("views", "reasons"),
    [
        ({"frontal": 0.6, "inverted": 0.4}, ()),
        ({"frontal": 0.5, "inverted": 0.5}, ()),
        ({"frontal": 0.4, "other": 0.35, "a kind of tomorrow": 0.25}, (NO_CHEST,)),
        ({"frontal": 0.4, "other": 0.25, "a kind of tomorrow": 0.35}, (NO_CHEST,)),
        ({"frontal": 0.2, "other": 0.3, "upside_down": 0.5}, ("The chest X-ray is upside down.",)),
    ],
)
def test_the_likeliest_other_kind_gives_the_reason(views: dict[str, float], reasons: tuple[str, ...]) -> None:
    assert reasons_of_views(views, 0.5) == reasons


def test_a_marker_on_a_blank_image_does_not_make_it_an_xray() -> None:
    blank = np.full((1, 1, 224, 224), 20, np.float32)
    blank[..., :15, :30] = 255
    assert "blank" in reasons_of_pixels(blank)[0]


def test_a_site_may_score_every_picture(settings: Settings, store: MemoryStore) -> None:
    finder = build_pipeline(replace(settings, view_threshold=0), store).examiner.finder
    assert finder.find(Xray(REJECTED["something else"][0], "PNG")).outcome == "assessed"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"views": "frontal", "view_threshold": "0.5"}, "expected 5 names in its metadata `views`"),
        ({"views": "a,b,c,d,e", "view_threshold": "high"}, "expected a number in its metadata `view_threshold`"),
        ({"views": "a,b,c,d,e"}, "expected a number in its metadata `view_threshold`"),
    ],
)
def test_a_model_without_a_gate_is_refused(tmp_path: Path, metadata: dict[str, str], reason: str) -> None:
    (path := tmp_path / "m.onnx").write_bytes(tiny_model(metadata))
    with pytest.raises(ModelError, match=reason):
        Model(path)


def test_a_file_that_is_no_model_is_named(settings: Settings, store: MemoryStore, tmp_path: Path) -> None:
    (path := tmp_path / "m.onnx").write_bytes(b"not a model")
    with pytest.raises(SettingsError, match=r"RISK_ASSESSMENT_MODEL: .*m\.onnx is no ONNX model"):
        build_pipeline(replace(settings, model=path), store)
    with pytest.raises(SettingsError, match=r"cannot read /nowhere: No such file"):
        build_pipeline(replace(settings, model=Path("/nowhere")), store)
