# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _studies as studies
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._studies import StudyError, Upload

RESULT = {
    "study": "xray-source/a.jpeg@e1", "bucket": "xray-source", "key": "a.jpeg", "etag": "e1", "outcome": "assessed",
    "label": "Pneumonia", "risk": 0.93, "model_version": "0123456789ab", "processed_key": "a-processed.jpeg",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "head", "media_type"),
    [
        ("a.jpg", b"", "image/jpeg"),
        ("a.PNG", b"not really", "image/png"),
        ("no ending", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("wrong.txt", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("wrong.png", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("scan", b"\0" * 128 + b"DICM", "application/dicom"),
        ("notes.txt", b"hello", None),
        (".DS_Store", b"\0\0\0\1Bud1", None),
    ],
)
def test_an_image_is_known_by_its_content_or_its_name(name, head, media_type):
    assert studies.image_type(name, head) == media_type


@pytest.mark.parametrize("name", ["a b.jpg", "ward 3/'\"é+&#?%.jpg", "demo_Barbara Campbell_5798.jpeg", "x" * 1024])
def test_any_name_becomes_a_key(name):
    assert studies.key_of(name, "") == name


@pytest.mark.parametrize(("name", "words"), [("a\udce9.jpg", "not UTF-8"), ("é" * 513, "1026 bytes")])
def test_a_name_that_cannot_be_a_key_is_refused(name, words):
    with pytest.raises(StudyError, match=words):
        studies.key_of(name, "")


def test_two_files_may_not_become_one_object():
    with pytest.raises(StudyError, match=r"/a/x\.jpg and /b/x\.jpg would both become object 'x\.jpg'"):
        studies.check_unique([Upload("/a/x.jpg", "x.jpg", ""), Upload("/b/x.jpg", "x.jpg", "")])


def test_a_record_is_read():
    record = studies.read_record(json.dumps(RESULT).encode(), "a-processed.jpeg.json", "2026-11-24T12:00:00.000Z")
    assert record.study == ("xray-source", "a.jpeg", "e1")
    assert (record.outcome, record.label, record.risk, record.reasons) == ("assessed", "Pneumonia", 0.93, ())


def test_a_record_of_what_was_rejected_is_read():
    entry = {**RESULT, "outcome": "rejected", "label": None, "risk": None, "reasons": ["It is a leg."]}
    record = studies.read_record(json.dumps(entry).encode(), "x.json", "")
    assert (record.outcome, record.label, record.risk, record.reasons) == ("rejected", None, None, ("It is a leg.",))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"bucket": "b", "key": "k", "etag": "e", "label": "l", "risk": null}']
)
def test_other_json_is_no_record(data):
    assert studies.read_record(data, "x.json", "") is None


@pytest.mark.parametrize(
    ("earlier", "later", "seconds"),
    [
        ("2026-11-24T12:00:00.000Z", "2026-11-24T12:00:01.250Z", 1.25),
        ("2026-11-24T12:00:01.000Z", "2026-11-24T12:00:00.000Z", 0.0),
        ("", "2026-11-24T12:00:00.000Z", None),
    ],
)
def test_seconds_are_those_between_two_times_of_the_store(earlier, later, seconds):
    assert studies.seconds_between(earlier, later) == seconds


def test_the_summary_counts_outcomes():
    rows = [studies.row("a", "assessed"), studies.row("b", "timeout"), studies.row("c", "assessed")]
    assert studies.summary(rows) == {"assessed": 2, "timeout": 1}


@pytest.mark.parametrize("secret", [None, "s" * 32, "s" * 64 + "\n"])
@pytest.mark.parametrize(
    "key",
    ["a.jpeg", "ward 3/a.b.jpeg", "noending", ".hidden", "x/.hidden", "é'\".PNG", "a.dcm", "b.TIFF", "d.jpeg/Barbara"],
)
def test_the_record_is_looked_for_where_the_function_puts_it(key, secret, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[4] / "files/model_service")
    from model_service.events import Study
    from model_service.names import Names
    from model_service.pseudonyms import Pseudonyms

    (tmp_path / "key").write_text(secret or "s" * 32)
    grammar = "pseudonymous" if secret else "original"
    place = Names(Pseudonyms(tmp_path / "key"), grammar, "-processed", "-anonymized").place(Study("b", key))
    assert studies.record_key("b", key, secret) == place.record
