# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 -m relay --listen HOST:PORT --ca-file FILE

POST /<bootstrap host:port>/<topic> with Basic authorization and an S3 event: 200 once Kafka has every record, else 503
(or 400/401) after about five seconds. GET /healthz, GET /metrics.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections import Counter
from pathlib import Path

from aiohttp import web

from .producers import NotDelivered, Producers
from .request import BadRequest, hold, parse_login, parse_path, parse_records

log = logging.getLogger("relay")
HOLD_SECONDS, IN_FLIGHT, BODY_LIMIT = 5.0, 64, 4 << 20
LEAST_SECONDS = 0.1  # RGW must be waiting for the answer when it comes: ../rgw-watch says why


class Relay:
    """The HTTP side: parse, send, answer late when it failed."""

    def __init__(self, producers: Producers) -> None:
        self._producers, self._slots = producers, asyncio.Semaphore(IN_FLIGHT)
        self.answers: Counter[int] = Counter()
        self.records = 0

    async def handle(self, request: web.Request) -> web.Response:
        """One notification."""
        started = time.monotonic()
        try:
            sent = await self._send(request)
        except BadRequest as error:
            status, text = error.status, str(error)
        except NotDelivered as error:
            status, text = 503, str(error)
        else:
            self.records += sent
            self.answers[200] += 1
            await asyncio.sleep(hold(started, time.monotonic(), LEAST_SECONDS))
            return web.Response(text="ok\n")
        log.warning("%d for %s from %s: %s", status, request.rel_url.raw_path, request.remote, text)
        await asyncio.sleep(hold(started, time.monotonic(), HOLD_SECONDS))
        self.answers[status] += 1
        return web.Response(status=status, text=text + "\n")

    async def _send(self, request: web.Request) -> int:
        bootstrap, topic = parse_path(request.rel_url.raw_path)
        login = parse_login(bootstrap, request.headers.get("Authorization"))
        records = parse_records(await request.read())
        async with self._slots:
            connection = self._producers.get(login)
            outcomes = await asyncio.gather(
                *(connection.send(topic, key, value) for key, value in records), return_exceptions=True
            )
        failed = next((o for o in outcomes if isinstance(o, BaseException)), None)
        if failed is not None:
            if connection.trouble:
                self._producers.discard(login)
            raise failed
        return len(records)

    async def healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        lines = [
            "# TYPE relay_records_total counter",
            f"relay_records_total {self.records}",
            "# TYPE relay_answers_total counter",
            *(f'relay_answers_total{{code="{code}"}} {n}' for code, n in sorted(self.answers.items())),
            "# TYPE relay_producers gauge",
            f"relay_producers {len(self._producers)}",
        ]
        return web.Response(text="\n".join(lines) + "\n")


def application(producers: Producers) -> web.Application:
    relay = Relay(producers)
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_get("/healthz", relay.healthz)
    app.router.add_get("/metrics", relay.metrics)
    app.router.add_post("/{tail:.*}", relay.handle)

    async def close(_app: web.Application) -> None:
        producers.close()

    app.on_cleanup.append(close)
    return app


def address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, saw {text!r}")
    return host, int(port)


def main() -> None:
    parser = argparse.ArgumentParser(prog="relay", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--listen", type=address, required=True, metavar="HOST:PORT")
    parser.add_argument("--ca-file", type=Path, required=True, help="the Kafka cluster's CA; may come later")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    host, port = options.listen
    app = application(Producers(options.ca_file, HOLD_SECONDS - 0.5))
    web.run_app(app, host=host, port=port, print=None, access_log=None, shutdown_timeout=10)


if __name__ == "__main__":
    main()
