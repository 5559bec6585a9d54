# SPDX-License-Identifier: GPL-3.0-or-later
"""Small decisions: labels, names, settings, what an S3 answer means, what is logged."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from model_service.errors import Refused, TryLater
from model_service.events import Study
from model_service.logs import JsonFormatter
from model_service.model import Thresholds
from model_service.results import Result, processed_key, utc_text
from model_service.settings import SettingsError, read_settings
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
    assert processed_key(Study("b", key)) == processed


def test_a_result_is_json_with_every_field_of_the_contract() -> None:
    result = Result(
        "b/é@1", "b", "é", "1", "Normal", 0.1, "abc", "é-processed", utc_text(), utc_text(), 0.5, {"fetch": 0.5}
    )
    told = json.loads(result.to_json())
    assert told["outcome"] == "assessed"
    assert told["anonymized_key"] is None
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
        ENDPOINT | {"RISK_ASSESSMENT_MAX_PIXELS": "1000", "RISK_ASSESSMENT_THRESHOLD_NORMAL": "0.5"}
    )
    assert (settings.max_pixels, settings.threshold_normal, settings.threshold_pneumonia) == (1000, 0.5, 0.8)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"S3_ENDPOINT": "store:443"}, "expected a URL"),
        ({"MAX_BYTES": "many"}, "MAX_BYTES: expected int, got 'many'"),
        ({"MAX_BYTES": "0"}, "at least 1"),
        ({"THRESHOLD_NORMAL": "0.9"}, "normal <= pneumonia"),
        ({"THRESHOLD_NORMAL": "nan"}, "expected float"),
        ({"PROCESSED_SUFFIX": ""}, "PROCESSED_SUFFIX is empty"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        read_settings(ENDPOINT | {f"RISK_ASSESSMENT_{name}": value for name, value in changes.items()})


def test_a_missing_endpoint_and_missing_credentials_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="S3_ENDPOINT is not set"):
        read_settings({})
    with pytest.raises(SettingsError, match=r"cannot read .*access_key"):
        read_credentials(tmp_path)


def test_a_log_line_is_one_json_object() -> None:
    entry = logging.LogRecord("x", logging.INFO, "", 1, "assessed", None, None)
    entry.fields = {"study": "00ff", "risk": 0.5}  # type: ignore[attr-defined]
    line = json.loads(JsonFormatter().format(entry))
    assert (line["message"], line["level"], line["study"], line["risk"]) == ("assessed", "info", "00ff", 0.5)
