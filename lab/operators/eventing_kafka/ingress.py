# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver of all KafkaSinks: `python3 -m eventing_kafka.ingress`. POST /<namespace>/<name>, port 8080.

202 when Kafka has the event, 400 for no CloudEvent, 404 for no such sink, 405 for another method, 503 when Kafka or the
sink's secret fails. Reads the KafkaSink and its Secret from the API, and again after 30 seconds or a failure.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from confluent_kafka import KafkaException
from strimzi.kube import Api, ApiError
from strimzi.metrics import Metrics

from . import connection
from .cloudevents import NotACloudEvent, from_http, record_of
from .connection import Auth, BadSecret
from .producers import NotDelivered, SinkProducer
from .sinks import SINKS, sink_secret

log = logging.getLogger(__name__)
FRESH_SECONDS, BODY_LIMIT = 30.0, 4 << 20


@dataclass
class Target:
    """A sink as last read, its producer, and until when to believe it."""

    topic: str
    structured: bool
    bootstrap: str
    auth: Auth
    producer: SinkProducer
    until: float


class Sinks:
    """The sinks in use, by namespace and name."""

    def __init__(self, read: Callable[[str, str], Awaitable[tuple[dict[str, Any], Auth] | None]]) -> None:
        self._read, self._targets = read, dict[tuple[str, str], Target]()
        self._lock = asyncio.Lock()

    async def get(self, namespace: str, name: str) -> Target | None:
        """The sink, or None when there is none."""
        key = (namespace, name)
        async with self._lock:
            target = self._targets.get(key)
            if target and target.until > time.monotonic():
                return target
            found = await self._read(namespace, name)
            if found is None:
                self.drop(key)
                return None
            spec, auth = found
            bootstrap = ",".join(spec["bootstrapServers"])
            if target is None or (target.bootstrap, target.auth) != (bootstrap, auth):
                self.drop(key)
                producer = SinkProducer(bootstrap, auth)
            else:
                producer = target.producer
            structured = spec.get("contentMode") == "structured"
            until = time.monotonic() + FRESH_SECONDS
            self._targets[key] = Target(spec["topic"], structured, bootstrap, auth, producer, until)
            return self._targets[key]

    def drop(self, key: tuple[str, str]) -> None:
        target = self._targets.pop(key, None)
        if target:
            target.producer.close()


class Ingress:
    """The HTTP side."""

    def __init__(self, sinks: Sinks) -> None:
        self._sinks, self.metrics = sinks, Metrics("kafka_sink")

    async def handle(self, request: web.Request) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        try:
            status, words = await self._receive(namespace, name, request)
        except NotACloudEvent as error:
            status, words = 400, str(error)
        except (BadSecret, ApiError, KafkaException, NotDelivered) as error:
            self._sinks.drop((namespace, name))
            status, words = 503, str(error)
        if status >= 400:
            log.warning("%d for %s/%s: %s", status, namespace, name, words)
        self.metrics.add("events_total", namespace=namespace, name=name, code=str(status))
        return web.Response(status=status, text=words)

    async def _receive(self, namespace: str, name: str, request: web.Request) -> tuple[int, str]:
        target = await self._sinks.get(namespace, name)
        if target is None:
            return 404, f"no KafkaSink {namespace}/{name}\n"
        event = from_http(request.headers.items(), await request.read())
        await target.producer.send(target.topic, *record_of(event, target.structured))
        return 202, ""

    async def healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def show(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.metrics.text())


def application(ingress: Ingress) -> web.Application:
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_get("/healthz", ingress.healthz)
    app.router.add_get("/metrics", ingress.show)
    app.router.add_post("/{namespace}/{name}", ingress.handle)
    return app


async def read_sink(api: Api, namespace: str, name: str) -> tuple[dict[str, Any], Auth] | None:
    """A sink's spec and credentials from the API."""
    body = await api.get(f"{SINKS}/namespaces/{namespace}/kafkasinks/{name}")
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    return body["spec"], connection.from_secret(await sink_secret(api, body))


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    async def prepare() -> web.Application:
        api = Api.in_cluster("kafka-sink-ingress")
        return application(Ingress(Sinks(lambda namespace, name: read_sink(api, namespace, name))))

    web.run_app(prepare(), port=int(os.environ.get("PORT", "8080")), print=None, access_log=None, shutdown_timeout=15)


if __name__ == "__main__":
    main()
