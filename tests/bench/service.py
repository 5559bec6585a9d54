#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon the function's process is ready, what memory it takes and what a second core gives it; judges nothing.

    python tests/bench/service.py [--quick]

Needs no lab. Two cores: the real HTTP application with a store in memory. The process: as its container starts it, with
an S3 server that forgets what is put.
"""

import argparse
import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from function import SERVICE, SIZES, dicoms, jpeg_of, settings, show

GOALS = {"cores": 1.8, "rss": 350, "start": 1.5}


def schedstat() -> tuple[float, float]:
    """Seconds that this thread ran, and that it waited for a core (Linux, Documentation/scheduler/sched-stats)."""
    ran, waited, _ = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9


@dataclass
class Worked:
    """What the workers did: seconds of running and of waiting for a core, the rest was waiting for one another."""

    ready: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, examine: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            begin = schedstat()
            try:
                return examine(*arguments)
            finally:
                end = schedstat()
                with self.lock:
                    self.ready += sum(end) - sum(begin)

        return counted


class CountedExaminer:
    """The examiner, its one method counted."""

    def __init__(self, examiner: Any, worked: Worked) -> None:
        self.examiner, self.examine = examiner, worked.around(examiner.examine)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.examiner, name)


async def send_studies(pipeline: Any, data: bytes, studies: int, worked: Worked) -> dict[str, float]:
    """All at once into the application; it takes as many as it has workers."""
    import httpx
    from model_service.app import create_app
    from service_fakes import BINARY, record

    keys = [f"{number}.jpeg" for number in range(studies)]
    pipeline.store.objects |= {("xray-source", key): data for key in keys}
    app = create_app(replace(pipeline, examiner=CountedExaminer(pipeline.examiner, worked)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://function") as client:
        await client.post("/", headers=BINARY, json={"Records": [record(keys[0], etag="warm")]})
        worked.ready, begin, cpu = 0.0, time.perf_counter(), time.process_time()
        answers = await asyncio.gather(
            *(client.post("/", headers=BINARY, json={"Records": [record(key)]}, timeout=600) for key in keys[1:])
        )
    if any(answer.status_code != 204 for answer in answers):
        raise SystemExit(f"expected 204 for every study, got {[answer.text for answer in answers][:1]}")
    seconds = time.perf_counter() - begin
    done = len(answers)
    return {"rate": done / seconds, "cpu": (time.process_time() - cpu) / done, "busy": worked.ready / seconds}


def child(cores: int, studies: int) -> None:
    """Studies through the application on this many cores; prints figures as JSON."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from model_service.app import build_pipeline
    from service_fakes import MemoryStore

    with tempfile.TemporaryDirectory() as name:
        pipeline = build_pipeline(settings(Path(name), cores), MemoryStore())
        figures = asyncio.run(send_studies(pipeline, jpeg_of(*SIZES[1])[1], studies, Worked()))
    figures["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def bench_cores(turns: int, studies: int) -> None:
    found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for _ in range(turns):
        for cores, figures in found.items():
            command = [sys.executable, __file__, "--cores", str(cores), "--studies", str(studies)]
            figures.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    print("\nstudies at once through the HTTP application, store in memory; on the clock, best of several")
    best = {cores: max(figure["rate"] for figure in figures) for cores, figures in found.items()}
    show(f"  two cores against one, {best[2]:.1f} / {best[1]:.1f} studies/s", best[2] / best[1], "", GOALS["cores"])
    busy = {cores: max(figure["busy"] for figure in figures) for cores, figures in found.items()}
    print("  what other programs take from the cores is in these; without it, by the kernel's count of workers that")
    show("  ran or only waited for a core (the rest waited for a lock)", busy[2] / busy[1], "", GOALS["cores"])
    cpu = {cores: min(figure["cpu"] for figure in figures) for cores, figures in found.items()}
    print(f"  CPU for a study, HTTP and JSON included: {1000 * cpu[1]:.1f} ms on one, {1000 * cpu[2]:.1f} ms on two")


def bench_process(turns: int) -> None:
    """The process as its container starts it: time until it is ready, and the memory after studies of every kind."""
    clock, used, resident = [], [], []
    for _ in range(turns):
        seconds, cpu, peak = start_once()
        clock.append(seconds)
        used.append(cpu)
        resident.append(peak)
    print("\nthe process, started anew")
    show(f"  start to ready, clock (CPU {min(used):.2f} s)", min(clock), " s", GOALS["start"])
    show("  RSS peak after JPEG and DICOM studies, two workers", max(resident), " MB", GOALS["rss"])


@contextmanager
def serving() -> Iterator[tuple[str, dict[str, bytes]]]:
    """(URL, objects by path) of an S3 server that forgets what is put."""
    sources: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = sources.get(self.path.partition("?")[0])
            self.answer(404 if found is None else 200, found or b"<Error><Code>NoSuchKey</Code></Error>")

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.answer(200, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("ETag", '"e1"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", sources
        server.shutdown()


def start_once() -> tuple[float, float, float]:
    """(seconds until ready, seconds of CPU, peak of RSS in MB after one study of each kind)."""
    from service_fakes import BINARY, record

    with tempfile.TemporaryDirectory() as name, serving() as (endpoint, sources):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = Path(name)
        for secret in ("key", "access_key", "secret_key"):
            (folder / secret).write_text("k" * 32)
        changed = {
            "S3_ENDPOINT": endpoint,
            "PSEUDONYM_KEY": folder / "key",
            "PORT": port,
            "S3_CREDENTIALS": folder,
            "VIEW_THRESHOLD": 0,
        }
        environment = os.environ | {f"RISK_ASSESSMENT_{key}": str(value) for key, value in changed.items()}
        begin, url = time.perf_counter(), f"http://127.0.0.1:{port}"
        process = subprocess.Popen(
            [sys.executable, "-m", "model_service"], env=environment, cwd=SERVICE, stdout=subprocess.DEVNULL
        )
        try:
            wait_ready(process, url)
            ready, cpu = time.perf_counter() - begin, cpu_of(process.pid)
            files = [jpeg_of(*SIZES[2])[1], *dicoms().values()]
            for number, data in enumerate(files):
                sources[f"/xray-source/{number}"] = data
                body = json.dumps({"Records": [record(str(number))]}).encode()
                headers = BINARY | {"content-type": "application/json"}
                announce(url, body, headers)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
        finally:
            process.terminate()
            process.wait()
    return ready, cpu, peak


def announce(url: str, body: bytes, headers: dict[str, str]) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=120).close()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"expected 204 for every study, got {error.code}: {error.read(300)!r}") from None


def wait_ready(process: subprocess.Popen[bytes], url: str) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit("the service ended before it was ready")


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--cores", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--studies", type=int, default=41, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cores:
        child(asked.cores, asked.studies)
        return
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    bench_process(2 if asked.quick else 5)
    bench_cores(2 if asked.quick else 5, asked.studies)


if __name__ == "__main__":
    main()
