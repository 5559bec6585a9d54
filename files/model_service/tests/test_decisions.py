# SPDX-License-Identifier: GPL-3.0-or-later
"""Small decisions: labels, names, settings, what an S3 answer means, what is logged."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from model_service.errors import Refused, TryLater
from model_service.events import Study
from model_service.logs import JsonFormatter
from model_service.model import Thresholds
from model_service.names import Names, original_key
from model_service.pseudonyms import Pseudonyms
from model_service.results import Result, utc_text
from model_service.settings import FindingSettings, Settings, SettingsError, read_settings
from model_service.store import GONE, read_credentials, sort_answer


@pytest.mark.parametrize(
    ("risk", "label"),
    [(0.0, "Normal"), (0.599, "Normal"), (0.60, "Unsure"), (0.80, "Unsure"), (0.801, "Pneumonia"), (1.0, "Pneumonia")],
)
def test_labels_as_the_original_demo_has_them(risk: float, label: str) -> None:
    assert Thresholds().label(risk) == label


@pytest.mark.parametrize(
    ("key", "processed"),
    [
        ("a.jpeg", "a-processed.jpeg"),
        ("ward 3/a.b.jpeg", "ward 3/a.b-processed.jpeg"),
        ("dir.d/no extension", "dir.d/no extension-processed"),
        ("/a//b.png", "/a//b-processed.png"),
        (".hidden", ".hidden-processed"),
        ("folder/", "folder/-processed"),
        ("a.dcm", "a-processed.dcm.png"),
        ("ward/a.TIF", "ward/a-processed.TIF.png"),
        ("q\"u'o.png", "q\"u'o-processed.png"),
        ("胸部.é.jpg", "胸部.é-processed.jpg"),
    ],
)
def test_processed_keys_stay_in_their_folder(key: str, processed: str) -> None:
    assert original_key(key) == processed


@pytest.fixture
def pseudonyms(tmp_path: Path) -> Pseudonyms:
    (tmp_path / "key").write_text("k" * 32)
    return Pseudonyms(tmp_path / "key")


@pytest.mark.parametrize(
    ("key", "extension"),
    [
        ("ward 3/demo_Barbara Campbell_5798.jpeg", "jpeg"),
        ("a.JPG", "jpg"),
        ("a.png", "png"),
        ("a.dcm", "png"),
        ("x-ray of.Barbara", "png"),
        ("Barbara", "png"),
        ("dir.jpeg/Barbara", "png"),
    ],
)
def test_names_outside_the_source_bucket_tell_nobody(pseudonyms: Pseudonyms, key: str, extension: str) -> None:
    place = Names(pseudonyms, "pseudonymous", "-processed", "-anonymized").place(Study("b", key))
    assert re.fullmatch(r"[a-z2-7]{16}", place.image)
    assert place.processed == f"{place.image}-processed.{extension}"
    assert place.heatmap == f"{place.image}-heatmap.png"
    assert place.record == f"{place.processed}.json"
    assert (place.bucket, place.copies) == ("b-processed", "b-anonymized")


def test_original_names_never_meet(pseudonyms: Pseudonyms) -> None:
    names = Names(pseudonyms, "original", "-processed", "-anonymized")
    places = [names.place(Study("b", key)) for key in ("w/a.png", "w/a.jpeg", "w/a.dcm", "w/a")]
    keys = [key for place in places for key in (place.processed, place.heatmap, place.record)]
    assert len(set(keys)) == 12
    assert (places[0].processed, places[0].heatmap) == ("w/a-processed.png", "w/a.png-heatmap.png")


def test_a_result_is_json_with_every_field_of_the_contract() -> None:
    result = Result(
        study="b/é@1", image="abc", bucket="b", key="é", etag="1", outcome="rejected", label=None, risk=None,
        reasons=("It is no X-ray.",), model_version="abc", processed_key="é-processed", heatmap_key=None,
        anonymized_key=None, received_at=utc_text(), assessed_at=utc_text(), deidentified_at=None,
        recorded_at=utc_text(), seconds=0.5, stages={"fetch": 0.5},
    )  # fmt: skip
    told = json.loads(result.to_json())
    assert (told["outcome"], told["risk"], told["reasons"]) == ("rejected", None, ["It is no X-ray."])
    assert told["stages"] == {"fetch": 0.5}
    assert told["received_at"].endswith("Z")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", Refused),
        (404, "NoSuchVersion", Refused),
        (412, "PreconditionFailed", Refused),
        (400, "KeyTooLongError", Refused),
        (403, "AccessDenied", TryLater),
        (403, "SignatureDoesNotMatch", TryLater),
        (429, "SlowDown", TryLater),
        (500, "InternalError", TryLater),
        (503, "SlowDown", TryLater),
    ],
)
def test_sorts_answers_of_the_store(status: int, code: str, error: type[Exception]) -> None:
    answer: dict[str, Any] = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert type(sort_answer("fetch", answer, GONE)) is error


def test_a_missing_bucket_is_final_for_a_source_and_not_for_a_target() -> None:
    answer: dict[str, Any] = {"Error": {"Code": "NoSuchBucket"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    assert isinstance(sort_answer("fetch", answer, GONE), Refused)
    assert isinstance(sort_answer("store", answer, {}), TryLater)


ENDPOINT = {"RISK_ASSESSMENT_S3_ENDPOINT": "https://store"}


def test_settings_come_from_the_environment() -> None:
    settings = read_settings(
        ENDPOINT | {"RISK_ASSESSMENT_MAX_PIXELS": "1000", "RISK_ASSESSMENT_THRESHOLD_NORMAL": "0.5"}, Settings
    )
    assert (settings.max_pixels, settings.threshold_normal, settings.threshold_pneumonia) == (1000, 0.5, 0.8)
    assert read_settings({"RISK_ASSESSMENT_VIEW_THRESHOLD": "0.25"}, FindingSettings).view_threshold == 0.25


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"S3_ENDPOINT": "store:443"}, "expected a URL"),
        ({"MAX_BYTES": "many"}, "MAX_BYTES: expected int, got 'many'"),
        ({"MAX_BYTES": "0"}, "at least 1"),
        ({"THRESHOLD_NORMAL": "0.9"}, "normal <= pneumonia"),
        ({"THRESHOLD_NORMAL": "nan"}, "expected float"),
        ({"PROCESSED_SUFFIX": ""}, "PROCESSED_SUFFIX is empty"),
        ({"NAMES": "patient"}, "NAMES: expected pseudonymous, original, got 'patient'"),
        ({"VIEW_THRESHOLD": "most"}, "VIEW_THRESHOLD: expected float, got 'most'"),
        ({"VIEW_THRESHOLD": "1.5"}, r"VIEW_THRESHOLD: expected 0 \(scores every picture\) to 1"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        read_settings(ENDPOINT | {f"RISK_ASSESSMENT_{name}": value for name, value in changes.items()}, Settings)


def test_a_missing_endpoint_and_missing_credentials_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="S3_ENDPOINT is not set"):
        read_settings({}, Settings)
    with pytest.raises(SettingsError, match=r"cannot read .*access_key"):
        read_credentials(tmp_path)


def test_a_log_line_is_one_json_object() -> None:
    entry = logging.LogRecord("x", logging.INFO, "", 1, "assessed", None, None)
    entry.fields = {"study": "00ff", "risk": 0.5}  # type: ignore[attr-defined]
    line = json.loads(JsonFormatter().format(entry))
    assert (line["message"], line["level"], line["study"], line["risk"]) == ("assessed", "info", "00ff", 0.5)
