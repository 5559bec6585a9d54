# SPDX-License-Identifier: GPL-3.0-or-later
"""The function from the outside: an event goes in, an answer and objects come out."""

import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from dicom_files import radiograph, saved
from model_service.app import build_pipeline, create_app
from model_service.events import Study
from model_service.settings import MODEL, Settings, SettingsError
from model_service.store import Fetched
from service_fakes import BINARY, MemoryStore, encoded, huge_png, picture, record
from starlette.testclient import TestClient

Announce = Callable[..., Any]
SOURCE, PROCESSED, ANONYMIZED = "xray-source", "xray-source-processed", "xray-source-anonymized"


def test_one_study_leaves_a_picture_and_a_record(announce: Announce, store: MemoryStore) -> None:
    store.objects[SOURCE, "ward/a.jpeg"] = encoded(picture())
    assert announce(record("ward/a.jpeg")).status_code == 204
    assert store.objects[PROCESSED, "ward/a-processed.jpeg"].startswith(b"\xff\xd8")
    assert store.objects[PROCESSED, "ward/a.jpeg-heatmap.png"].startswith(b"\x89PNG")
    told = json.loads(store.objects[PROCESSED, "ward/a-processed.jpeg.json"])
    assert told["study"] == "xray-source/ward/a.jpeg@e1"
    assert (told["processed_key"], told["heatmap_key"]) == ("ward/a-processed.jpeg", "ward/a.jpeg-heatmap.png")
    assert (told["outcome"], told["reasons"]) == ("assessed", [])
    assert told["label"] in ("Pneumonia", "Normal", "Unsure")
    assert 0 <= told["risk"] <= 1
    assert len(told["model_version"]) == 12
    assert set(told["stages"]) == {"look", "fetch", "decode", "score", "draw", "explain", "anonymize", "store"}
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


def test_without_its_text_detector_the_function_does_not_start(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    monkeypatch.setattr("model_service.text.PACKAGE", "no_such_package")
    wanted = Settings(s3_endpoint="http://store.invalid", pseudonym_key=tmp_path / "key", anonymize="all")
    with pytest.raises(SettingsError, match="Clean Pixel Data cannot look for text: expected models/"):
        build_pipeline(wanted, store)


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


def announce_at_once(apps: list[Any], *events: dict[str, Any]) -> list[int]:
    """Answers to every event sent to every app at the same time."""
    answers: list[int] = []

    async def announce_all() -> None:
        async with anyio.create_task_group() as tasks:
            for app in apps:
                http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

                async def announce_once(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
                    answers.append((await http.post("/", headers=BINARY, json={"Records": [event]})).status_code)

                for event in events:
                    tasks.start_soon(announce_once, http, event)

    anyio.run(announce_all)
    return answers


def counted(client: TestClient, outcome: str) -> float:
    found = re.findall(rf'studies_total\{{.*outcome="{outcome}"\}} (\S+)', client.get("/metrics").text)
    return sum(map(float, found))


def test_the_same_event_many_times_at_once_is_one_study(client: TestClient, store: MemoryStore) -> None:
    store.objects[SOURCE, "a.jpeg"] = encoded(picture())
    assert announce_at_once([client.app], *[record("a.jpeg")] * 10) == [204] * 10
    assert sorted(bucket for bucket, _ in store.puts) == [ANONYMIZED, *[PROCESSED] * 3]
    assert (counted(client, "assessed"), counted(client, "repeated")) == (1, 9)
    before = dict(store.objects)
    assert announce_at_once([client.app], record("a.jpeg"), record("a.jpeg", etag="")) == [204, 204]
    assert store.objects == before


def test_the_same_event_in_two_processes_at_once_is_one_study(settings: Settings, store: MemoryStore) -> None:
    store.objects[SOURCE, "a.jpeg"] = encoded(picture())
    clients = [TestClient(create_app(build_pipeline(settings, store))) for _ in range(2)]
    both = threading.Barrier(2)
    fetch = store.fetch

    def fetch_together(study: Study) -> Fetched:
        both.wait(timeout=10)  # both have seen that there is no record yet
        return fetch(study)

    store.fetch = fetch_together  # type: ignore[method-assign]
    assert announce_at_once([client.app for client in clients], record("a.jpeg")) == [204, 204]
    assert [key for _, key in store.puts].count("a-processed.jpeg.json") == 1
    assert sum(counted(client, "assessed") for client in clients) == 1
    assert sum(counted(client, "repeated") for client in clients) == 1


def test_an_overwritten_object_gets_a_new_result(announce: Announce, store: MemoryStore) -> None:
    for etag in ("e1", "e2"):
        store.objects[SOURCE, "a.jpeg"] = encoded(picture(seed=int(etag[1])))
        assert announce(record("a.jpeg", etag=etag)).status_code == 204
        assert json.loads(store.objects[PROCESSED, "a-processed.jpeg.json"])["etag"] == etag


def test_a_damaged_record_is_replaced(announce: Announce, store: MemoryStore) -> None:
    store.objects[SOURCE, "a.jpeg"] = encoded(picture())
    store.objects[PROCESSED, "a-processed.jpeg.json"] = b"[]"
    assert announce(record("a.jpeg")).status_code == 204
    assert json.loads(store.objects[PROCESSED, "a-processed.jpeg.json"])["etag"] == "e1"


@pytest.mark.parametrize("answer_was_lost", [True, False])
def test_a_lost_race_for_the_record_is_understood(
    announce: Announce, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, answer_was_lost: bool
) -> None:
    """Somebody's record is there: ours, if only the answer was lost; else another version's, and then we try again."""
    store.objects[SOURCE, "a.jpeg"] = encoded(picture())

    def lose(bucket: str, key: str, data: bytes, replaced: str | None) -> bool:
        store.objects[bucket, key] = data if answer_was_lost else b'{"study": "another"}'
        return False

    monkeypatch.setattr(store, "record", lose)
    assert announce(record("a.jpeg")).status_code == (204 if answer_was_lost else 503)


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


def test_real_chest_images_are_told_apart(settings: Settings, store: MemoryStore, chest_images: list[Path]) -> None:
    """Not a measure of quality (the trainer has seen these): proof that decoding and scoring are wired rightly."""
    client = TestClient(create_app(build_pipeline(replace(settings, model=MODEL), store)))
    chosen = chest_images[:8] + chest_images[-8:]
    for path in chosen:
        store.objects[SOURCE, path.name] = path.read_bytes()
    event = {"Records": [record(path.name) for path in chosen]}
    assert client.post("/", headers=BINARY, json=event).status_code == 204
    told = [json.loads(store.objects[PROCESSED, f"{path.stem}-processed.jpeg.json"]) for path in chosen]
    right = [
        (result["risk"] > 0.7) == (path.parent.name == "PNEUMONIA") for result, path in zip(told, chosen, strict=True)
    ]
    assert sum(right) >= 14


@pytest.mark.parametrize("grammar", ["original", "pseudonymous"])
def test_no_name_of_a_copy_tells_the_patient(settings: Settings, store: MemoryStore, grammar: str) -> None:
    key = "ward/demo_Barbara Campbell_5798_1962-07-16_2016-11-07.jpeg"
    store.objects[SOURCE, key] = encoded(picture())
    client = TestClient(create_app(build_pipeline(replace(settings, names=grammar), store)))
    assert client.post("/", headers=BINARY, json={"Records": [record(key)]}).status_code == 204
    (copy,) = [name for bucket, name in store.objects if bucket == ANONYMIZED]
    word = "[a-z2-7]{16}"
    golden = f"demo_{word}_{word}_1900-01-01_1900-01-01.jpeg"
    assert re.fullmatch(golden if grammar == "original" else f"{word}-{word}.jpeg", copy)
    results = " ".join(name for bucket, name in store.objects if bucket == PROCESSED)
    assert ("Barbara" in results) is (grammar == "original")


@pytest.mark.parametrize(("mode", "copies"), [("all", 1), ("unsure", 0), ("none", 0)])
def test_the_site_says_of_what_copies_are_kept(settings: Settings, store: MemoryStore, mode: str, copies: int) -> None:
    store.objects[SOURCE, "a.jpeg"] = encoded(picture())
    client = TestClient(create_app(build_pipeline(replace(settings, anonymize=mode, threshold_normal=0.8), store)))
    assert client.post("/", headers=BINARY, json={"Records": [record("a.jpeg")]}).status_code == 204
    label = json.loads(store.objects[PROCESSED, "a-processed.jpeg.json"])["label"]
    assert label != "Unsure"
    assert len([1 for bucket, _ in store.objects if bucket == ANONYMIZED]) == copies


def test_without_a_key_it_is_not_ready_and_loses_nothing(settings: Settings, store: MemoryStore) -> None:
    store.objects[SOURCE, "a.jpeg"] = encoded(picture())
    client = TestClient(create_app(build_pipeline(replace(settings, pseudonym_key=Path("/none")), store)))
    assert client.get("/readyz").status_code == 503
    assert "No key for pseudonyms" in client.get("/readyz").json()["error"]
    assert client.post("/", headers=BINARY, json={"Records": [record("a.jpeg")]}).status_code == 503
    assert store.puts == []
