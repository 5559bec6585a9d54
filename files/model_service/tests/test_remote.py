# SPDX-License-Identifier: GPL-3.0-or-later
"""The model behind the Open Inference Protocol: what its server answers, and that nothing changes for the function."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from model_service.app import build_pipeline
from model_service.app import create_app as create_function
from model_service.errors import TryLater
from model_service.finding import build_finder
from model_service.images import SIDE
from model_service.model import Model
from model_service.predict import PredictSettings, create_app
from model_service.remote import RemoteModel
from model_service.settings import FindingSettings, Settings, SettingsError
from service_fakes import BINARY, MemoryStore, encoded, picture, record
from starlette.testclient import TestClient
from tiny_model import tiny_model


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The URL of a real server of this application."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v2/models/pneumonia"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    (path := tmp_path / "model.onnx").write_bytes(tiny_model())
    return Model(path)


@pytest.fixture
def client(model: Model) -> TestClient:
    return TestClient(create_app(model, PredictSettings()))


def some_pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, 1, SIDE, SIDE)).astype(np.float32)


def asked(shape: Any = (1, 1, SIDE, SIDE), **more: Any) -> dict[str, Any]:
    tensor = {"name": "gray", "datatype": "FP32", "shape": list(shape), "data": [7.0] * SIDE * SIDE}
    return {"inputs": [{**tensor, **more}]}


def test_a_score_is_the_same_from_a_server(model: Model) -> None:
    with served(create_app(model, PredictSettings())) as url:
        remote = RemoteModel(url)
        for seed in range(3):
            here, there = model.scores(some_pixels(seed)), remote.scores(some_pixels(seed))
            assert there.risk == here.risk
            assert np.array_equal(there.heat, here.heat)
            assert there.views == here.views
            assert there.version == here.version == remote.version == remote.known_version
        assert remote.view_threshold == model.view_threshold


def test_the_shipped_models_score_is_the_same_from_a_server() -> None:
    shipped = build_finder(FindingSettings()).model
    assert isinstance(shipped, Model)
    with served(create_app(shipped, PredictSettings())) as url:
        finder = build_finder(FindingSettings(server=url))
        assert finder.model.scores(some_pixels()).risk == shipped.scores(some_pixels()).risk
        assert finder.view_threshold == shipped.view_threshold


def test_a_batch_is_answered_in_order(client: TestClient, model: Model) -> None:
    both = np.concatenate([some_pixels(1), some_pixels(2)])
    answer = client.post("/v2/models/pneumonia/infer", json=asked(both.shape, data=both.ravel().tolist())).json()
    risks = next(one for one in answer["outputs"] if one["name"] == "prob")
    assert risks["shape"] == [2, 1]
    assert risks["data"] == [model.scores(some_pixels(seed)).risk for seed in (1, 2)]


def test_the_model_is_described_as_the_protocol_says(client: TestClient, model: Model) -> None:
    told = client.get("/v2/models/pneumonia").json()
    assert told["versions"] == [model.version]
    assert told["inputs"] == [{"name": "gray", "datatype": "FP32", "shape": [-1, 1, SIDE, SIDE]}]
    assert {one["name"] for one in told["outputs"]} == {"prob", "heat", "view"}
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/pneumonia/ready"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON", b"[]", b"{}", b'{"inputs": []}', asked(name="rgb"), asked(datatype="UINT8"), asked(shape="a"),
        asked((1, 3, SIDE, SIDE)), asked((17, 1, SIDE, SIDE)), asked((0, 1, SIDE, SIDE)), asked((2, 1, SIDE, SIDE)),
        asked(data=["a"]),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_answered_400(client: TestClient, body: Any) -> None:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = client.post("/v2/models/pneumonia/infer", **content)
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]


def test_another_model_is_not_here(client: TestClient) -> None:
    assert client.get("/v2/models/fracture").status_code == 404


def test_a_server_that_is_away_or_says_nonsense_may_come_back(model: Model) -> None:
    with served(create_app(model, PredictSettings(model_name="fracture"))) as url:
        with pytest.raises(TryLater, match="with 404"):
            RemoteModel(url).check()
        with pytest.raises(TryLater, match="describes no model of ours"):
            RemoteModel(url.removesuffix("/models/pneumonia")).check()
    away = RemoteModel(url)
    assert away.known_version == ""
    with pytest.raises(TryLater, match="cannot be reached"):
        away.scores(some_pixels())


def test_a_model_that_was_replaced_is_described_anew(model: Model, tmp_path: Path) -> None:
    with served(create_app(model, PredictSettings())) as url:
        remote = RemoteModel(url)
        old = remote.version
    (path := tmp_path / "other.onnx").write_bytes(tiny_model({"views": "a,b,c,d,e", "view_threshold": "0.25"}))
    other = Model(path)
    with served(create_app(other, PredictSettings())) as url:
        remote.url = url
        scores = remote.scores(some_pixels())
    assert scores.version == other.version != old
    assert list(scores.views) == ["a", "b", "c", "d", "e"]
    assert remote.view_threshold == 0.25


def test_a_server_must_be_a_url() -> None:
    with pytest.raises(SettingsError, match="RISK_ASSESSMENT_SERVER: expected a URL"):
        FindingSettings(server="pneumonia:8080")


def test_the_function_has_a_study_delivered_again_while_the_server_is_away(
    settings: Settings, store: MemoryStore, model: Model
) -> None:
    store.objects["xray-source", "a.jpeg"] = encoded(picture())
    event = {"Records": [record("a.jpeg")]}
    with served(create_app(model, PredictSettings())) as url:
        function = TestClient(create_function(build_pipeline(replace(settings, server=url), store)))
        assert function.get("/readyz").json() == {"model_version": model.version}
    assert function.post("/", headers=BINARY, json=event).status_code == 503
    assert store.puts == []
    early = TestClient(create_function(build_pipeline(replace(settings, server=url), store)))
    assert early.get("/readyz").status_code == 503
    assert "cannot be reached" in early.get("/readyz").json()["error"]
    assert early.get("/healthz").status_code == early.get("/metrics").status_code == 200


def test_a_study_is_assessed_by_the_server(settings: Settings, store: MemoryStore, model: Model) -> None:
    store.objects["xray-source", "a.jpeg"] = encoded(picture())
    with served(create_app(model, PredictSettings())) as url:
        function = TestClient(create_function(build_pipeline(replace(settings, server=url), store)))
        assert function.post("/", headers=BINARY, json={"Records": [record("a.jpeg")]}).status_code == 204
    told = json.loads(store.objects["xray-source-processed", "a-processed.jpeg.json"])
    assert told["model_version"] == model.version
    assert told["label"] in ("Normal", "Unsure", "Pneumonia")
