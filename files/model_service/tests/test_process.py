# SPDX-License-Identifier: GPL-3.0-or-later
"""The process as its container runs it: when it cannot start, and when it is told to stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
from service_fakes import BINARY, Server, encoded, picture, record

ROOT = Path(__file__).resolve().parents[1]


def start(**settings: object) -> subprocess.Popen[str]:
    variables = {f"RISK_ASSESSMENT_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "model_service"]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stdout=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_ready(url: str) -> None:
    for _ in range(600):
        try:
            httpx.get(f"{url}/readyz", timeout=5).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"{url} was not ready within 30 s")


def test_wrong_settings_end_it_with_a_sentence() -> None:
    process = start(s3_endpoint="https://store", s3_credentials="/nowhere")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "RISK_ASSESSMENT_S3_CREDENTIALS: cannot read /nowhere/access_key" in json.loads(output)["message"]


def test_a_study_that_was_taken_is_finished_before_the_end(server: Server, tmp_path: Path, model_file: Path) -> None:
    for name in ("access_key", "secret_key", "key"):
        (tmp_path / name).write_text("x" * 32)
    url = f"http://127.0.0.1:{(port := free_port())}"
    files = {"s3_credentials": tmp_path, "pseudonym_key": tmp_path / "key", "model": model_file}
    process = start(s3_endpoint=server.url, port=port, **files)
    try:
        wait_ready(url)
        server.body, server.seconds = encoded(picture()), 1.0
        answers: list[int] = []

        def announce() -> None:
            event = {"Records": [record("a.jpeg", etag="e1")]}
            answers.append(httpx.post(url, headers=BINARY, json=event, timeout=60).status_code)

        sender = threading.Thread(target=announce)
        sender.start()
        while len(server.asked) < 2:
            time.sleep(0.02)
        server.seconds, server.body = 0.3, b""
        process.send_signal(signal.SIGTERM)
        sender.join(timeout=60)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
    assert answers == [204]
    assert [method for method, *_ in server.asked] == ["GET", "GET", *["PUT"] * 4]
