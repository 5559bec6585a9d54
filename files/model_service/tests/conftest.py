# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures. Puts the service, the trainer and these tests' own module on the path, whatever the import mode."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from model_service.app import build_pipeline, create_app  # noqa: E402
from model_service.settings import Settings  # noqa: E402
from service_fakes import BINARY, MemoryStore, Server, serving  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402
from tiny_model import tiny_model  # noqa: E402

DATA = Path(os.environ.get("XRAYLAB_DATA", TESTS.parents[3] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    return DATA


@pytest.fixture(scope="session")
def chest_images() -> list[Path]:
    folder = DATA / "kermany_original"
    if not folder.is_dir():
        pytest.skip(f"no real chest X-rays at {folder}: set XRAYLAB_DATA to the folder that holds kermany_original")
    return sorted(folder.glob("*/*.jpeg"))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes every picture for a chest X-ray, unless one of its corners is white."""
    (path := tmp_path_factory.mktemp("model") / "tiny.onnx").write_bytes(tiny_model())
    return path


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Settings:
    """With the original demo's names, under which a test finds what it stored."""
    key = tmp_path_factory.mktemp("pseudonyms") / "key"
    key.write_text("k" * 32 + "\n")
    return Settings(
        s3_endpoint="http://store.invalid",
        max_bytes=32 * 1024**2,
        pseudonym_key=key,
        model=model_file,
        names="original",
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def client(settings: Settings, store: MemoryStore) -> TestClient:
    return TestClient(create_app(build_pipeline(settings, store)))


@pytest.fixture
def announce(client: TestClient) -> Callable[..., Any]:
    """Sends records as one binary CloudEvent, as the KafkaSource does."""

    def send(*records: dict[str, Any]) -> Any:
        return client.post("/", headers=BINARY, json={"Records": list(records)})

    return send
