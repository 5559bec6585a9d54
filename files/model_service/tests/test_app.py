# SPDX-License-Identifier: GPL-3.0-or-later
"""The function from the outside: an event goes in, an answer and objects come out."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from dicom_files import radiograph, saved
from service_fakes import BINARY, MemoryStore, encoded, huge_png, picture, record
from starlette.testclient import TestClient

Announce = Callable[..., Any]
SOURCE, PROCESSED = "xray-source", "xray-source-processed"


def test_one_study_leaves_a_picture_and_a_record(announce: Announce, store: MemoryStore) -> None:
    store.objects[SOURCE, "ward/a.jpeg"] = encoded(picture())
    assert announce(record("ward/a.jpeg")).status_code == 204
    assert store.objects[PROCESSED, "ward/a-processed.jpeg"].startswith(b"\xff\xd8")
    told = json.loads(store.objects[PROCESSED, "ward/a-processed.jpeg.json"])
    assert told["study"] == "xray-source/ward/a.jpeg@e1"
    assert told["processed_key"] == "ward/a-processed.jpeg"
    assert told["label"] in ("Pneumonia", "Normal", "Unsure")
    assert 0 <= told["risk"] <= 1
    assert len(told["model_version"]) == 12
    assert set(told["stages"]) == {"fetch", "decode", "score", "draw", "store"}
    assert store.content_types[PROCESSED, "ward/a-processed.jpeg.json"] == "application/json"


@pytest.mark.parametrize("key", ['o\'neil "x"/a b.jpeg', "Zürich/胸部 é.png", "/a//../b+%20.jpg", "no extension"])
def test_any_key_works(announce: Announce, store: MemoryStore, key: str) -> None:
    store.objects[SOURCE, key] = encoded(picture(), "PNG")
    assert announce(record(key)).status_code == 204
    told = [json.loads(data) for (bucket, name), data in store.objects.items() if name.endswith(".json")]
    assert [(result["key"], result["bucket"]) for result in told] == [(key, SOURCE)]


def test_a_dicom_study_leaves_a_png(announce: Announce, store: MemoryStore) -> None:
    store.objects[SOURCE, "ward/a.dcm"] = saved(radiograph())
    assert announce(record("ward/a.dcm")).status_code == 204
    assert store.objects[PROCESSED, "ward/a-processed.dcm.png"].startswith(b"\x89PNG")
    assert store.content_types[PROCESSED, "ward/a-processed.dcm.png"] == "image/png"


JPEG = encoded(picture())
BAD = {
    "empty": b"",
    "text": b"not an image at all",
    "truncated": JPEG[: len(JPEG) // 2],
    "200 megapixels": huge_png(),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_its_reason(announce: Announce, store: MemoryStore, name: str) -> None:
    store.objects[SOURCE, f'{name}/"x"'] = BAD[name]
    response = announce(record(f'{name}/"x"'))
    assert response.status_code == 422
    assert list(response.json()) == ["error", "records"]
    assert response.json()["error"].endswith(".")
    assert store.puts == []


def test_a_deleted_object_is_refused(announce: Announce) -> None:
    response = announce(record("gone.jpeg"))
    assert (response.status_code, response.json()["error"]) == (422, "The object no longer exists.")


def test_the_good_records_of_a_bad_event_are_recorded(announce: Announce, store: MemoryStore) -> None:
    store.objects[SOURCE, "bad.jpeg"] = b"x"
    for number in range(3):
        store.objects[SOURCE, f"{number}.jpeg"] = encoded(picture(seed=number))
    response = announce(record("0.jpeg"), record("bad.jpeg"), {}, record("1.jpeg"), record("2.jpeg"))
    assert response.status_code == 422
    outcomes = [handled["outcome"] for handled in response.json()["records"]]
    assert outcomes == ["assessed", "refused", "refused", "assessed", "assessed"]
    assert sum(name.endswith(".json") for _, name in store.objects) == 3


def test_a_retry_outranks_a_refusal(announce: Announce, store: MemoryStore) -> None:
    store.down = True
    response = announce({}, record("a.jpeg"))
    assert (response.status_code, response.json()["error"]) == (503, "The object store is down.")


def test_an_error_of_our_own_is_retried_not_lost(
    announce: Announce, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "fetch", lambda study: 1 / 0)
    assert announce(record("a.jpeg")).status_code == 503


def test_the_same_event_many_times_at_once_leaves_one_study(client: TestClient, store: MemoryStore) -> None:
    store.objects[SOURCE, "a.jpeg"] = encoded(picture())
    answers: list[int] = []

    async def announce_ten_times() -> None:
        event = {"headers": BINARY, "json": {"Records": [record("a.jpeg"), record("a.jpeg")]}}
        transport = httpx.ASGITransport(client.app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test") as http,
            anyio.create_task_group() as tasks,
        ):

            async def announce_once() -> None:
                answers.append((await http.post("/", **event)).status_code)

            for _ in range(10):
                tasks.start_soon(announce_once)

    anyio.run(announce_ten_times)
    assert answers == [204] * 10
    assert set(store.objects) == {
        (SOURCE, "a.jpeg"),
        (PROCESSED, "a-processed.jpeg"),
        (PROCESSED, "a-processed.jpeg.json"),
    }


def test_results_are_not_assessed_again(announce: Announce) -> None:
    response = announce(record("a-processed.jpeg", bucket=PROCESSED))
    assert response.status_code == 422
    assert "own results" in response.json()["error"]


def test_events_that_announce_nothing_are_done(announce: Announce, client: TestClient) -> None:
    assert announce().status_code == 204
    assert announce(record("a.jpeg", eventName="ObjectRemoved:Delete")).status_code == 204
    assert client.post("/", headers=BINARY, json={"Event": "s3:TestEvent"}).status_code == 204


def test_a_request_that_is_no_event_is_refused(client: TestClient) -> None:
    assert client.post("/", content=b"hello").status_code == 422
    assert client.post("/", headers=BINARY, content=bytes(5 * 1024**2)).status_code == 422
    assert client.get("/").status_code == 405


def test_health_readiness_and_metrics(client: TestClient, announce: Announce, store: MemoryStore) -> None:
    store.objects[SOURCE, "Barbara.jpeg"] = encoded(picture())
    announce(record("Barbara.jpeg"), record("gone.jpeg"))
    assert client.get("/healthz").status_code == 200
    version = client.get("/readyz").json()["model_version"]
    text = client.get("/metrics").text
    assert f'risk_assessment_model_info{{version="{version}"}} 1.0' in text
    assert 'risk_assessment_studies_total{label="",outcome="refused"} 1.0' in text
    assert 'risk_assessment_stage_seconds_count{stage="record"} 1.0' in text
    assert 'risk_assessment_events_total{answer="422"} 1.0' in text
    assert "Barbara" not in text


def test_logs_tell_no_key(announce: Announce, store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "risk_assessment")
    store.objects[SOURCE, "Barbara.jpeg"] = encoded(picture())
    store.objects[SOURCE, "Carl.jpeg"] = b"Carl"
    announce(record("Barbara.jpeg"), record("Carl.jpeg"))
    lines = [entry for entry in caplog.records if entry.name == "risk_assessment"]
    assert [line.getMessage() for line in lines] == ["assessed", "refused"]
    told = str([vars(line) for line in lines])
    assert "Barbara" not in told
    assert "Carl" not in told


def test_real_chest_images_are_told_apart(announce: Announce, store: MemoryStore, chest_images: list[Path]) -> None:
    """Not a measure of quality (the trainer has seen these): proof that decoding and scoring are wired rightly."""
    chosen = chest_images[:8] + chest_images[-8:]
    for path in chosen:
        store.objects[SOURCE, path.name] = path.read_bytes()
    assert announce(*(record(path.name) for path in chosen)).status_code == 204
    told = [json.loads(store.objects[PROCESSED, f"{path.stem}-processed.jpeg.json"]) for path in chosen]
    right = [
        (result["risk"] > 0.7) == (path.parent.name == "PNEUMONIA") for result, path in zip(told, chosen, strict=True)
    ]
    assert sum(right) >= 14
