# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page's tests stand on: a real PostgreSQL on loopback with the project's migrations, a server of the page in
a thread, and, in place of the object store, buckets in memory. Pictures are drawn here: no patient's pixels are in git.
"""

import asyncio
import io
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import uvicorn
from gallery import passwords
from gallery.app import Gallery
from gallery.database import Database
from gallery.pictures import Missing, Opened
from gallery.sessions import read_signer
from gallery.settings import Settings
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parents[3]
MIGRATIONS = Path(os.environ.get("XRAYLAB_MIGRATIONS", ROOT / "files/model_service/model_service/migrations"))
USERS = ("xraylab_owner", "risk_assessment", "arrivals", "reconciler", "gallery", "grafana")
PASSWORD = "a password for tests"
ACCOUNTS = {"viola": "viewer", "clara": "clinician"}
PATIENT = "Barbara Campbell"
MODEL = "efficientnet-lite0-1.2.0"


def postgres_commands() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A server of this run's own, on loopback, in a folder that goes away with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        # A loop of its own: the browser's driver already runs one in the tests' thread.
        self.loop = asyncio.new_event_loop()
        self.connections: dict[str, Any] = {}
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.commands = postgres_commands()
        # PostgreSQL refuses to run as root; Debian's package brings a user for it.
        self.as_user = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        )

    def run(self, *command: str) -> None:
        done = subprocess.run([*self.as_user, *command], capture_output=True, text=True, timeout=120, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.as_user:
            shutil.chown(self.folder, "postgres", "postgres")
        data = str(self.folder / "data")
        if not (self.folder / "data").exists():
            self.run(
                f"{self.commands}/initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            )
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c jit=off"
        self.run(f"{self.commands}/pg_ctl", "-D", data, "-o", options, "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        self.run(f"{self.commands}/pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def sql(self, text: str, database: str = "xraylabdb", *values: Any) -> Any:
        """Runs SQL as the superuser; with values, one statement."""

        async def run() -> Any:
            kept = self.connections.get(database)
            if kept is None or kept.is_closed():
                kept = await asyncpg.connect(host="127.0.0.1", port=self.port, user="postgres", database=database)
                self.connections[database] = kept
            return await (kept.fetch(text, *values) if values else kept.execute(text))

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(120)

    def migrate(self) -> None:
        for user in USERS:
            self.sql(f"create role {user} login password '{user}'", "postgres")
        self.sql("create database xraylabdb owner xraylab_owner", "postgres")
        for path in sorted(MIGRATIONS.glob("*.sql")):
            self.sql(path.read_text())

    def secret(self, folder: Path) -> Path:
        """The folder that the Secret `results-gallery` would be mounted as; without ca.crt, as loopback has no TLS."""
        folder.mkdir(parents=True, exist_ok=True)
        values = {
            "host": "127.0.0.1",
            "port": str(self.port),
            "dbname": "xraylabdb",
            "user": "gallery",
            "password": "gallery",
        }
        for name, value in values.items():
            (folder / name).write_text(value)
        return folder


class MemoryBuckets:
    """The object store's stand-in: objects by (bucket, key), and what was asked for."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.asked: list[tuple[str, str]] = []

    def put(self, bucket: str, key: str, data: bytes) -> None:
        self.objects[bucket, key] = data

    def open(self, bucket: str, key: str) -> Opened:
        self.asked.append((bucket, key))
        data = self.objects.get((bucket, key))
        if data is None:
            raise Missing
        stream = io.BytesIO(data)
        return Opened(len(data), "etag", stream.read, stream.close)


def settings_for(folder: Path, **more: Any) -> Settings:
    secrets = folder / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "session.key").write_text("s" * 48)
    accounts = {name: {"hash": passwords.hashed(PASSWORD), "role": role} for name, role in ACCOUNTS.items()}
    (secrets / "accounts.json").write_text(json.dumps(accounts))
    return Settings(
        "http://store.invalid",
        results=folder / "results",
        secrets=secrets,
        cookie_secure=False,
        host="127.0.0.1",
        **more,
    )


@contextmanager
def serving(settings: Settings, store: Any) -> Iterator[str]:
    """The page at a loopback address."""
    database = Database(settings.results)
    gallery = Gallery(settings, read_signer(settings.secrets), database, database.connect, store)
    config = uvicorn.Config(
        gallery.app(),
        host="127.0.0.1",
        port=free_port(),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        thread.join(10)


class Facility:
    """Writes studies as the arrivals and the function do: a row, its pictures and its record."""

    def __init__(self, postgres: Postgres, buckets: MemoryBuckets, seed: int = 7) -> None:
        self.postgres, self.buckets = postgres, buckets
        self.random = random.Random(seed)
        self.count = 0

    def arrive(self, at: datetime | None = None, key: str = "") -> str:
        """A study that was received and waits; returns its public name."""
        self.count += 1
        image = f"im{self.random.randrange(36**12):012x}{self.count:03d}"
        key = key or f"demo_{PATIENT}_{self.count}_1962-07-16_2016-11-07.jpeg"
        at = at or datetime.now(UTC)
        self.postgres.sql(
            "insert into studies (study, image, bucket, key, announced_at, received_at, bytes) "
            "values ($1, $2, 'xray-source', $3, $4, $5, $6)",
            "xraylabdb",
            f"xray-source/{key}@{self.count}",
            image,
            key,
            at - timedelta(seconds=0.12),
            at,
            self.random.randrange(80_000, 900_000),
        )
        return image

    def finish(
        self,
        image: str,
        risk: float | None,
        outcome: str = "assessed",
        reasons: tuple[str, ...] = (),
        copy: bool = True,
        at: datetime | None = None,
        dicom: bytes = b"",
    ) -> None:
        label = None if risk is None else "Pneumonia" if risk > 0.8 else "Normal" if risk < 0.6 else "Unsure"
        key = self.postgres.sql("select key from studies where image = $1", "xraylabdb", image)[0]["key"]
        at = at or datetime.now(UTC)
        if outcome == "assessed":
            self.pictures(image, key, risk or 0, copy, dicom)
        stages = {
            "look": 0.012,
            "fetch": 0.034,
            "decode": 0.021,
            "score": 0.118,
            "explain": 0.009,
            "draw": 0.014,
            "anonymize": 0.027,
            "store": 0.061,
            "record": 0.019,
        }
        stored = outcome == "assessed"
        anonymized = f"{image}.{'dcm' if dicom else 'jpeg'}" if copy and stored else None
        self.postgres.sql(
            "update studies set outcome = $2, recorded_at = $3, assessed_at = $4, deidentified_at = $5, label = $6, "
            "risk = $7, model_version = $8, reasons = $9, processed_key = $10, heatmap_key = $11, "
            "anonymized_key = $12, seconds = $13, stages = $14 where image = $1",
            "xraylabdb",
            image,
            outcome,
            at,
            at - timedelta(seconds=0.2),
            at - timedelta(seconds=0.1) if anonymized else None,
            label,
            risk,
            MODEL,
            list(reasons),
            f"{image}-processed.jpeg" if stored else None,
            f"{image}-heatmap.png" if stored else None,
            anonymized,
            sum(stages.values()),
            json.dumps(stages),
        )

    def pictures(self, image: str, key: str, risk: float, copy: bool, dicom: bytes) -> None:
        xray, heat = drawn(self.random.randrange(6), round(risk, 1))
        self.buckets.put("xray-source", key, xray)
        self.buckets.put("xray-source-processed", f"{image}-processed.jpeg", xray)
        self.buckets.put(
            "xray-source-processed",
            f"{image}-processed.jpeg.json",
            json.dumps({"bucket": "xray-source", "key": key}).encode(),
        )
        self.buckets.put("xray-source-processed", f"{image}-heatmap.png", heat)
        if copy:
            self.buckets.put("xray-source-anonymized", f"{image}.{'dcm' if dicom else 'jpeg'}", dicom or xray)


@cache
def drawn(seed: int, risk: float) -> tuple[bytes, bytes]:
    return jpeg(draw_xray(seed, risk)), png(draw_heat(seed, risk))


def draw_xray(seed: int, risk: float, side: int = 420) -> Image.Image:
    """Something like a chest X-ray: a body, two lungs, ribs, a spine, a heart; opacities where the risk is high."""
    rng = np.random.default_rng(seed)
    width, height = side, int(side * rng.uniform(0.86, 1.04))
    y, x = np.mgrid[0:height, 0:width]
    x, y = (x / width - 0.5) * 2, (y / height - 0.5) * 2
    lean = rng.uniform(-0.04, 0.04)
    body = 1 / (1 + np.exp((np.abs(x + lean * y) - 0.86 - 0.1 * y) * 18))
    gray = 118 * body + 8
    for sign in (-1, 1):
        cx, cy, w, h = (
            sign * rng.uniform(0.38, 0.42),
            rng.uniform(-0.1, -0.02),
            rng.uniform(0.27, 0.31),
            rng.uniform(0.58, 0.68),
        )
        away = ((x - cx) / (w * (1 + 0.25 * y))) ** 2 + ((y - cy) / h) ** 2
        gray -= 82 / (1 + np.exp((away - 1) * 7)) * body
        for rib in np.linspace(-0.72, 0.5, 9):
            curve = rib + 0.22 * (np.abs(x) - 0.2) ** 2 * 4 - 0.05
            gray += 17 * np.exp(-(((y - curve) / 0.025) ** 2)) * body * (np.abs(x) > 0.1)
        collar = -0.78 - 0.12 * np.abs(x)
        gray += 30 * np.exp(-(((y - collar) / 0.028) ** 2)) * (np.abs(x) > 0.08) * (np.abs(x) < 0.75)
    gray += 52 * np.exp(-((x / 0.1) ** 2)) * body
    gray += 66 / (1 + np.exp((((x - 0.13) / 0.33) ** 2 + ((y - 0.32) / 0.36) ** 2 - 1) * 6))
    gray += 74 / (1 + np.exp((0.62 - y - 0.25 * np.abs(np.abs(x) - 0.4)) * 22)) * body
    for cx, cy, w, strength in spots(seed, risk):
        gray += strength * np.exp(-(((x - cx) / w) ** 2 + ((y - cy) / (w * 1.3)) ** 2)) * body
    gray += rng.normal(0, 3.5, gray.shape)
    image = Image.fromarray(np.clip(gray * rng.uniform(0.95, 1.18), 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(0.8)
    )
    ImageDraw.Draw(image).text((width * 0.06, height * 0.05), "L", fill=225, font_size=side // 16)
    return image


def spots(seed: int, risk: float) -> list[tuple[float, float, float, float]]:
    rng = np.random.default_rng(seed + 1)
    count = round(risk * 5) if risk > 0.5 else 0
    return [
        (rng.choice([-1, 1]) * rng.uniform(0.25, 0.5), rng.uniform(-0.25, 0.4), rng.uniform(0.1, 0.2), 55 * risk)
        for _ in range(count)
    ]


def draw_heat(seed: int, risk: float) -> Image.Image:
    """The heat alone, as the function stores it: warm where the risk comes from, else transparent."""
    y, x = np.mgrid[-1:1:112j, -1:1:112j]
    heat = sum(
        (np.exp(-(((x - cx) / (w * 1.6)) ** 2 + ((y - cy) / (w * 1.9)) ** 2)) for cx, cy, w, _ in spots(seed, risk)),
        np.zeros_like(x),
    )
    heat = np.clip(heat, 0, 1)
    rgba = np.stack([np.full_like(heat, 255), 190 - 150 * heat, 40 + 0 * heat, 190 * heat], -1)
    return Image.fromarray(rgba.clip(0, 255).astype(np.uint8), "RGBA")


def jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return stream.getvalue()


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
