# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json

import pytest

pytest.importorskip("requests")
pytest.importorskip("botocore")
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _studies as studies
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _uploading as uploading
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._dead_letters import Message
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._rgw import RgwError, Stored
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._studies import StudyError, Upload

JPEG = b"\xff\xd8\xff\xe0 x-ray"
SECRET = "k" * 32


class Store:
    """Buckets in memory; each change is a second after the one before."""

    def __init__(self):
        self.buckets, self.times, self.gets, self.refuse = {}, 0, [], ()

    def put_object(self, bucket, key, data, content_type):
        if key in self.refuse:
            raise RgwError(f"refused {key}", "AccessDenied")
        self.times += 1
        etag = hashlib.md5(data).hexdigest()
        stored = Stored(key, etag, f"2026-11-24T12:00:{self.times:02}.000Z")
        self.buckets.setdefault(bucket, {})[key] = (stored, data)
        return etag

    def get_object(self, bucket, key):
        self.gets.append(key)
        if key not in self.buckets[bucket]:
            raise RgwError("gone", "NoSuchKey")
        return self.buckets[bucket][key][1]

    def list_objects(self, bucket, prefix=""):
        return {key: stored for key, (stored, _data) in self.buckets.get(bucket, {}).items() if key.startswith(prefix)}

    def record(self, key, etag, **changes):
        result = {"bucket": "src", "key": key, "etag": etag, "label": "Normal", "risk": 0.1, **changes}
        self.put_object("out", studies.record_key("src", key, SECRET), json.dumps(result).encode(), "application/json")


@pytest.fixture
def folder(tmp_path):
    for name, data in {"b.txt": b"text", "a b.jpg": b"", "ward 3/é'\"": JPEG, "ward 3/.x": b"no"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_every_image_of_a_folder_is_found_and_nothing_else(folder):
    uploads = uploading.find_uploads(str(folder), [], "p/")
    assert [(one.key, one.content_type) for one in uploads] == [
        ("p/a b.jpg", "image/jpeg"),
        ("p/ward 3/é'\"", "image/jpeg"),
    ]


def test_files_are_taken_as_they_are(folder):
    uploads = uploading.find_uploads(None, [str(folder / "b.txt")], "")
    assert [(one.key, one.content_type) for one in uploads] == [("b.txt", "application/octet-stream")]


@pytest.mark.parametrize(
    ("given", "files", "words"),
    [("none", [], "must be a folder"), (None, ["none.jpg"], "Could not read 'none.jpg': No such file")],
)
def test_what_cannot_be_uploaded_is_said_before_anything_is(folder, given, files, words):
    with pytest.raises(StudyError, match=words):
        uploading.find_uploads(given and str(folder / given), files, "")


def test_how_far_it_is_can_be_read_meanwhile(uploads, tmp_path):
    store, told, path = Store(), [], tmp_path / "progress"

    def look_away(_seconds: float) -> None:
        told.append(path.read_text())
        store.record(f"{len(told)}.jpg", etag(len(told)))

    sent = uploading.upload(store, "src", uploads, 2, 0)
    store.record("0.jpg", etag(0))
    results = uploading.Results(store, "out", SECRET, 4)
    uploading.follow(sent, results, None, 5, 0, sleep=look_away, progress_file=str(path))
    assert [*told, path.read_text()] == ["1 3", "2 3", "3 3"]


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(StudyError, match="Found no image below"):
        uploading.find_uploads(str(tmp_path), [], "")


def run(store, uploads, act, timeout=0.0, letters=None):
    """Uploads, lets `act` do what a facility would, and follows."""
    results = uploading.Results(store, "out", SECRET, 4)
    sent = uploading.upload(store, "src", uploads, 2, 0)
    act(sent)
    outcome = uploading.follow(sent, results, letters, timeout, 0, sleep=lambda _seconds: None)
    return uploading.report(uploads, sent, outcome, store.list_objects("src")), outcome


@pytest.fixture
def uploads(tmp_path):
    made = []
    for number in range(3):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(JPEG + bytes([number]))
        made.append(Upload(str(path), path.name, "image/jpeg"))
    return made


def etag(number):
    return hashlib.md5(JPEG + bytes([number])).hexdigest()


def test_each_study_has_its_outcome(uploads):
    store, value = (
        Store(),
        json.dumps({"Records": [{"s3": {"bucket": {"name": "src"}, "object": {"key": "1.jpg", "eTag": etag(1)}}}]}),
    )

    class Letters:
        def read(self, _timeout):
            return [Message({"ce_knativeerrordata": "no image"}, value.encode(), 1_795_522_000_000, 0, 0)]

    rows, _outcome = run(
        store, uploads, lambda _sent: store.record("0.jpg", etag(0), label="Pneumonia"), letters=Letters()
    )
    assert [(row["key"], row["outcome"], row["label"], row["reason"]) for row in rows] == [
        ("0.jpg", "assessed", "Pneumonia", ""),
        ("1.jpg", "dead-lettered", None, "no image"),
        ("2.jpg", "timeout", None, "Neither recorded nor dead-lettered in time."),
    ]
    assert 1 <= rows[0]["seconds"] <= 3


def test_what_was_rejected_says_why(uploads):
    def reject(_sent):
        store.record("0.jpg", etag(0), outcome="rejected", label=None, risk=None, reasons=["This is a leg."])

    store = Store()
    rows, _outcome = run(store, uploads[:1], reject)
    assert [(row["outcome"], row["label"], row["risk"], row["reason"]) for row in rows] == [
        ("rejected", None, None, "This is a leg.")
    ]


def test_the_same_xray_stored_again_is_the_study_recorded_before(uploads):
    store = Store()
    store.record("0.jpg", etag(0), label="Pneumonia")
    rows, _outcome = run(store, uploads[:1], lambda _sent: None)
    assert [(row["outcome"], row["label"], row["reason"]) for row in rows] == [
        ("assessed", "Pneumonia", "Recorded before.")
    ]
    assert rows[0]["seconds"] == 0


def test_records_of_other_contents_do_not_count(uploads):
    store = Store()
    store.record("0.jpg", "other")
    rows, _outcome = run(store, uploads[:2], lambda _sent: store.record("1.jpg", "other"))
    assert [row["outcome"] for row in rows] == ["timeout", "timeout"]


def test_a_record_that_is_written_again_counts(uploads):
    store = Store()
    store.record("0.jpg", etag(0))
    rows, _outcome = run(store, uploads[:1], lambda _sent: store.record("0.jpg", etag(0)))
    assert [(row["outcome"], row["reason"]) for row in rows] == [("assessed", "")]


def test_a_record_that_is_gone_by_the_time_it_is_read_is_left_out(uploads):
    store = Store()
    store.record("0.jpg", etag(0))
    store.list_objects, listed = lambda bucket, prefix="": found, store.list_objects("out")
    found, store.buckets["out"] = listed, {}
    assert uploading.Results(store, "out", SECRET, 1).read(("src", "0.jpg", etag(0))) is None


def test_failed_uploads_are_told_and_do_not_stop_the_others(uploads):
    store = Store()
    store.refuse = ("1.jpg",)
    sent = uploading.upload(store, "src", uploads, 2, 0)
    assert sorted(one.key for one in sent.done.values()) == ["0.jpg", "2.jpg"]
    assert sent.failed == {"1.jpg": "refused 1.jpg"}
    assert uploading.report(uploads, sent, uploading.Outcome(), {})[1]["outcome"] == "not-uploaded"


def test_the_rate_is_kept(uploads, monkeypatch):
    slept = []
    monkeypatch.setattr(uploading.time, "sleep", slept.append)
    uploading.upload(Store(), "src", uploads, 2, rate=0.5)
    assert [round(seconds) for seconds in slept] == [0, 2, 4]
