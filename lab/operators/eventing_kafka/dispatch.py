# SPDX-License-Identifier: GPL-3.0-or-later
"""The dispatcher's process: `python3 -m eventing_kafka.dispatch`. GET /healthz, /readyz, /metrics on port 8080.

Environment: KAFKA_SOURCE (JSON, see settings.py), KAFKA_SOURCE_CREDENTIALS (/etc/kafka-source), PORT (8080).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

from aiohttp import web
from strimzi.metrics import Metrics

from .dispatcher import SourceConsumer
from .sender import Sender
from .settings import CREDENTIALS, Settings, read_auth

log = logging.getLogger(__name__)


def application(consumers: list[SourceConsumer], metrics: Metrics) -> web.Application:
    """Health: alive while the process is; ready when every consumer has joined its group."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        waiting = [c.trouble or "has not joined its group yet" for c in consumers if not c.joined]
        return web.Response(status=503 if waiting else 200, text="\n".join(waiting or ["ok"]) + "\n")

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text=metrics.text())

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show)
    return app


async def serve(settings: Settings, credentials: Path, port: int) -> None:
    """Runs the source's consumers until SIGTERM; a consumer that fails ends the process."""
    metrics = Metrics("kafka_source")
    sender = Sender(settings.sink, settings.dead_letter_sink, settings.policy, metrics)
    auth = read_auth(settings.net, credentials)
    consumers = [SourceConsumer(settings, auth, sender, metrics) for _ in range(max(1, settings.consumers))]
    runner = web.AppRunner(application(consumers, metrics), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()

    def stop() -> None:
        for consumer in consumers:
            consumer.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    log.warning(
        "%s/%s: %s as group %s to %s", settings.namespace, settings.name, settings.topics, settings.group, settings.sink
    )
    try:
        await asyncio.gather(*(c.run() for c in consumers))
    finally:
        await sender.close()
        await runner.cleanup()


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings.from_json(os.environ["KAFKA_SOURCE"])
    credentials = Path(os.environ.get("KAFKA_SOURCE_CREDENTIALS", CREDENTIALS))
    asyncio.run(serve(settings, credentials, int(os.environ.get("PORT", "8080"))))


if __name__ == "__main__":
    main()
