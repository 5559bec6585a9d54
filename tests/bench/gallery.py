#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the gallery on one core with many studies in a PostgreSQL of its own: first paint, pages a second.

Prints `figure: value (goal), ratio value/goal`; judges nothing. Needs Debian's postgresql-15 and chromium, no lab.
The server is held to one core; the database and the callers have the others.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, TESTS = ROOT / "files" / "gallery", ROOT / "files" / "gallery" / "tests"
sys.path[:0] = [str(PACKAGE), str(TESTS), str(ROOT / "files" / "model_service")]

import httpx  # noqa: E402
from rig import PASSWORD, Postgres, free_port, settings_for  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
SEED = """insert into studies (study, image, bucket, key, announced_at, received_at, assessed_at, deidentified_at,
  recorded_at, outcome, label, risk, model_version, processed_key, heatmap_key, anonymized_key, bytes, seconds, stages)
select 'xray-source/' || n, 'i' || md5(n::text), 'xray-source', n || '.jpeg', at, at + interval '0.1 s',
  at + interval '0.5 s', at + interval '0.6 s', at + interval '0.7 s', 'assessed',
  case when risk > 0.8 then 'Pneumonia' when risk < 0.6 then 'Normal' else 'Unsure' end, risk, 'bench-1',
  n || '-processed.jpeg', n || '-heatmap.png', n || '.jpeg', 500000, 0.4, '{"score": 0.1}'
from (select n, now() - n * interval '0.8 s' as at, random()::real as risk from generate_series(1, %d) n) made;
analyze studies"""


def show(figure: str, value: float, unit: str, goal: float) -> None:
    print(f"{figure}: {value:.3g} {unit} (goal {goal:g}), ratio {value / goal:.2f}", flush=True)


async def ask(
    port: int, cookie: str, path: Callable[[int], str], seconds: float, callers: int
) -> tuple[float, list[float]]:
    """(answers a second, seconds of each answer) of some callers with a connection each, and nothing else to do."""
    took: list[float] = []
    end = time.monotonic() + seconds

    async def call(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            begin = time.monotonic()
            target = path(number + callers * len(took))
            writer.write(
                f"GET {target} HTTP/1.1\r\nhost: bench\r\naccept: text/html\r\ncookie: {cookie}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            took.append(time.monotonic() - begin)
        writer.close()

    await asyncio.gather(*map(call, range(callers)))
    return len(took) / seconds, took


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit("The gallery did not start.")


def first_paint(url: str) -> list[float]:
    """Seconds to the first paint with content, of a browser that has nothing in its cache."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        for _ in range(5):
            page = browser.new_context().new_page()
            page.goto(f"{url}/sign-in")
            page.get_by_label("Name").fill("viola")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{url}/")
            page.reload()
            page.wait_for_timeout(500)
            asked = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            found.append(page.evaluate(asked) / 1000)
            page.context.close()
        browser.close()
    return found


def measure(port: int, images: list[str], seconds: float) -> None:
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, timeout=30) as client:
        client.post("/sign-in", data={"name": "viola", "password": PASSWORD})
        cookie = f"gallery={client.cookies['gallery']}"
        begin = time.monotonic()
        client.get("/").raise_for_status()
        show("the very first page after a start", time.monotonic() - begin, "s", 1)
        begin = time.monotonic()
        client.get("/api/series?range=24h").raise_for_status()
        show("charts of 24 hours, not kept", time.monotonic() - begin, "s", 1)
    paths = {
        "overview": lambda n: "/",
        "a study, another each time": lambda n: f"/studies/{images[n % len(images)]}",
        "a page of 48 studies, by filter": lambda n: f"/studies?label={('Normal', 'Unsure', 'Pneumonia')[n % 3]}",
    }
    for name, path in paths.items():
        rate, took = asyncio.run(ask(port, cookie, path, seconds, 8))
        show(f"{name}: answers on one core", rate, "1/s", 200)
        show(f"{name}: p95 with 8 callers", quantiles(took, n=20)[-1], "s", 1)
    paints = first_paint(url)
    show("first contentful paint in Chromium, median", sorted(paints)[len(paints) // 2], "s", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="xraylab-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres = Postgres(folder / "server")
        postgres.start()
        postgres.migrate()
        postgres.sql(SEED % options.studies)
        images = [
            row["image"] for row in postgres.sql("select image from studies where $1 limit 2000", "xraylabdb", True)
        ]
        settings = settings_for(folder)
        keys = folder / "object-store"
        keys.mkdir()
        for key in ("access_key", "secret_key"):
            (keys / key).write_text("bench")
        port = free_port()
        environment = os.environ | {
            "GALLERY_S3_ENDPOINT": settings.s3_endpoint,
            "GALLERY_OBJECT_STORE": str(keys),
            "GALLERY_RESULTS": str(postgres.secret(folder / "results")),
            "GALLERY_SECRETS": str(settings.secrets),
            "GALLERY_COOKIE_SECURE": "false",
            "GALLERY_HOST": "127.0.0.1",
            "GALLERY_PORT": str(port),
            "PYTHONPATH": str(PACKAGE),
        }
        server = subprocess.Popen(
            ["taskset", "-c", "0", sys.executable, "-m", "gallery"], env=environment, stdout=subprocess.DEVNULL
        )
        try:
            wait_for(port)
            measure(port, images, options.seconds)
        finally:
            server.terminate()
            server.wait(10)
            postgres.stop()


if __name__ == "__main__":
    main()
