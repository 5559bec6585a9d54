# SPDX-License-Identifier: GPL-3.0-or-later
"""One X-ray through every hop, a test for each, in the words of the flow: docs/follow-one-xray.md as a test."""

from __future__ import annotations

import io
import json
import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.lab
NAME = 'ward 3/Müller "x" O\'Brien_5798_1962-07-16.jpeg'


@dataclass
class Study:
    key: str
    image: bytes
    etag: str


@pytest.fixture(scope="module")
def study(facility, xrays) -> Study:
    """An X-ray that a modality has just stored while the function was asleep."""
    facility.wait_for("the function to fall asleep", lambda: not facility.pods(), 300, 2)
    key = facility.put(NAME, xrays[0])
    head = facility.s3("results-reader").head_object(Bucket=facility.source, Key=key)
    return Study(key, xrays[0], head["ETag"].strip('"'))


def stranger_sees(facility, path: str) -> int:
    try:
        context = ssl.create_default_context(cafile=facility.ca)
        return urllib.request.urlopen(f"{facility.endpoint}/{quote(path)}", timeout=10, context=context).status
    except urllib.error.HTTPError as error:
        return error.code


def test_object_store_keeps_the_xray_from_strangers(facility, study):
    assert stranger_sees(facility, f"{facility.source}/{study.key}") == 403
    assert stranger_sees(facility, f"{facility.source}/") == 403


def test_object_store_lets_a_modality_only_store(facility, study):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError, match="AccessDenied"):
        facility.s3("modality").get_object(Bucket=facility.source, Key=study.key)
    with pytest.raises(ClientError, match="AccessDenied"):
        facility.s3("risk-assessment").put_object(Bucket=facility.source, Key=study.key, Body=b"")


def test_risk_assessment_wakes_from_zero(facility, study):
    facility.wait_for("a pod of the function", facility.pods, 90, 0.2)


def test_events_announce_the_xray_on_the_topic(facility, study):
    def announced():
        messages = facility.messages(f"{facility.topic}-kafka", facility.topic, facility.function)
        records = [record["s3"] for _headers, value in messages for record in json.loads(value)["Records"]]
        return [s3 for s3 in records if s3["object"]["key"] == study.key]

    s3 = facility.wait_for("the event", announced, 60, 2)[0]
    assert s3["bucket"]["name"] == facility.source
    assert s3["object"]["eTag"].strip('"') == study.etag


def test_events_are_delivered_to_the_function(facility, study):
    facility.record(study.key)
    assert facility.condition("sources.knative.dev", "v1beta1", "kafkasources", facility.topic) == "True"
    facility.wait_for("every event to be taken", lambda: facility.undelivered() == 0, 60)


def test_results_record_the_study_once(facility, study):
    record = facility.record(study.key)
    assert record["outcome"] == "assessed"
    assert (record["bucket"], record["key"], record["etag"]) == (facility.source, study.key, study.etag)
    assert record["study"].startswith(f"{facility.source}/{study.key}@")
    assert 0 <= record["risk"] <= 1
    expected = "Pneumonia" if record["risk"] > 0.80 else "Normal" if record["risk"] < 0.60 else "Unsure"
    assert record["label"] == expected
    received, recorded = (datetime.fromisoformat(record[name]) for name in ("received_at", "recorded_at"))
    assert received <= recorded
    assert record["seconds"] > 0
    assert record["model_version"]


def test_results_hold_the_processed_image(facility, study):
    from PIL import Image

    record = facility.record(study.key)
    assert record["processed_key"] == f"{facility.image(study.key)}-processed.jpeg"
    with (
        Image.open(io.BytesIO(facility.read(facility.processed, record["processed_key"]))) as processed,
        Image.open(io.BytesIO(study.image)) as source,
    ):
        processed.load()
        assert processed.format == source.format
        assert processed.size[0] >= source.size[0]


def test_results_hold_a_heat_map_without_the_xray(facility, study):
    from PIL import Image

    record = facility.record(study.key)
    assert record["heatmap_key"] == f"{facility.image(study.key)}-heatmap.png"
    with (
        Image.open(io.BytesIO(facility.read(facility.processed, record["heatmap_key"]))) as heat,
        Image.open(io.BytesIO(study.image)) as source,
    ):
        assert max(heat.size) <= 512
        assert abs(heat.width / heat.height - source.width / source.height) < 0.01
        assert heat.convert("RGBA").getextrema()[3][0] == 0


def test_names_outside_the_source_bucket_tell_nobody(facility, study):
    record = facility.record(study.key)
    for name in (record["image"], record["processed_key"], record["heatmap_key"], record["anonymized_key"]):
        assert re.fullmatch(r"[a-z2-7]{16}(-[a-z2-7]{16})?(-processed|-heatmap)?(\.jpeg|\.png)?", name)


def test_risk_assessment_reads_dicom(facility, radiograph):
    from pydicom import dcmread

    key = facility.put("dicom/chest.dcm", radiograph.read_bytes())
    record = facility.record(key)
    assert record["outcome"] == "assessed"
    assert record["processed_key"] == f"{facility.image(key)}-processed.png"
    assert facility.read(facility.processed, record["processed_key"]).startswith(b"\x89PNG")
    whose = dcmread(radiograph)
    copy = dcmread(io.BytesIO(facility.read(facility.anonymized, record["anonymized_key"])))
    assert str(whose.PatientName)
    assert str(copy.PatientName) != str(whose.PatientName)
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.SOPInstanceUID != whose.SOPInstanceUID


def test_results_hold_an_anonymized_copy(facility, study):
    key = facility.record(study.key)["anonymized_key"]
    assert re.fullmatch(r"[a-z2-7]{16}(-[a-z2-7]{16})?\.jpeg", key)
    assert facility.read(facility.anonymized, key).startswith(b"\xff\xd8")


def test_risk_assessment_goes_back_to_sleep(facility, study):
    facility.record(study.key)
    facility.wait_for("the function to fall asleep", lambda: not facility.pods(), 300, 2)
