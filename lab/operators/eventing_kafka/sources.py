# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconciles a KafkaSource: resolve the sinks, look into Kafka, keep the dispatcher, say how it is."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from strimzi.conditions import Condition, condition
from strimzi.kube import Api, path_of

from . import delivery
from .connection import BadSecret, from_net, net_references
from .manifests import dispatcher, selector
from .probe import Probe, TopicsMissing, Unreachable
from .resolve import Unresolved, destination
from .settings import KEY_TYPE_LABEL, Settings
from .status import OIDC, living_set, status

Body = dict[str, Any]
TYPES = (
    "SinkProvided",
    "ConnectionEstablished",
    "InitialOffsetsCommitted",
    "Deployed",
    "ConsumerGroup",
    "OIDCIdentityCreated",
)


@dataclass
class Findings:
    """What one look at a source found out."""

    conditions: list[Condition] = field(default_factory=list)
    sink: str = ""
    dead_letter_sink: str = ""
    settings: Settings | None = None
    secrets_hash: str = ""
    consumers: int = 0

    def bad(self, type_: str, reason: str, message: str) -> Findings:
        """The condition that is False, and with it the consumer group, as in Knative's own status."""
        self.conditions.append(condition(type_, "False", reason, message))
        if type_ not in ("SinkProvided", "ConsumerGroup"):
            self.conditions.append(condition("ConsumerGroup", "False", reason, message))
        return self


def build_settings(body: Body, sink: str, dead_letter_sink: str) -> Settings:
    """The source with Knative's defaults; ValueError says which field is wrong."""
    meta, spec = body["metadata"], body["spec"]
    ordering = spec.get("ordering") or "ordered"
    if ordering not in ("ordered", "unordered"):
        raise ValueError(f"expected spec.ordering ordered or unordered, saw {ordering!r}")
    initial = spec.get("initialOffset") or "latest"
    if initial not in ("earliest", "latest"):
        raise ValueError(f"expected spec.initialOffset earliest or latest, saw {initial!r}")
    consumers = spec.get("consumers")
    return Settings(
        meta["namespace"],
        meta["name"],
        ",".join(spec["bootstrapServers"]),
        list(spec["topics"]),
        spec.get("consumerGroup") or f"knative-kafka-source-{meta['uid']}",
        initial,
        ordering == "ordered",
        1 if consumers is None else consumers,
        sink,
        dead_letter_sink,
        delivery.parse(spec.get("delivery")),
        spec.get("net") or {},
        (spec.get("ceOverrides") or {}).get("extensions") or {},
        (meta.get("labels") or {}).get(KEY_TYPE_LABEL, "string"),
    )


def available(deployment: Body) -> bool:
    """Whether the newest pod template is the one that runs, and is ready."""
    seen, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    return (
        seen.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and seen.get("updatedReplicas", 0) == wanted
        and seen.get("availableReplicas", 0) == wanted
        and seen.get("replicas", 0) == wanted
    )


class Sources:
    """Reconciles KafkaSources. Kafka is asked again only when the resource, a secret or the outcome changed."""

    def __init__(self, api: Api, image: str) -> None:
        self._api, self._image = api, image
        self._looked: dict[str, tuple[int, str]] = {}

    async def reconcile(self, body: Body) -> bool:
        """Writes the source's status; answers whether it is Ready."""
        found = await self._look(body)
        meta, old = body["metadata"], body.get("status") or {}
        conditions = living_set(old.get("conditions"), [*found.conditions, OIDC], TYPES)
        topics = body["spec"]["topics"]
        source = f"/apis/v1/namespaces/{meta['namespace']}/kafkasources/{meta['name']}"
        new = status(
            body,
            conditions,
            sinkUri=found.sink or old.get("sinkUri"),
            consumers=found.consumers,
            selector=selector(meta["name"]),
            ceAttributes=[{"type": "dev.knative.kafka.event", "source": f"{source}#{t}"} for t in topics],
        )
        await self._api.set_status(body, new)
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    async def _look(self, body: Body) -> Findings:
        found = Findings()
        if not await self._resolve(body, found) or not await self._ask_kafka(body, found):
            return found
        assert found.settings is not None
        manifest = dispatcher(body, found.settings, self._image, found.secrets_hash)
        deployment = await self._api.apply(manifest)
        if available(deployment):
            found.consumers = found.settings.consumers
            found.conditions += [condition("Deployed"), condition("ConsumerGroup")]
            return found
        name = deployment["metadata"]["name"]
        return found.bad("Deployed", "DeploymentUnavailable", f"The Deployment '{name}' is unavailable.")

    async def _resolve(self, body: Body, found: Findings) -> bool:
        """Sink, dead-letter sink and the rest of the spec."""
        namespace, spec = body["metadata"]["namespace"], body["spec"]
        try:
            found.sink = await destination(self._api, spec.get("sink"), namespace)
        except Unresolved as error:
            found.bad("SinkProvided", error.reason, f"spec.sink: {error}")
            return False
        found.conditions.append(condition("SinkProvided"))
        dead = (spec.get("delivery") or {}).get("deadLetterSink")
        try:
            found.dead_letter_sink = await destination(self._api, dead, namespace) if dead else ""
            found.settings = build_settings(body, found.sink, found.dead_letter_sink)
        except Unresolved as error:
            found.bad("ConsumerGroup", "DeadLetterSinkNotResolved", f"spec.delivery.deadLetterSink: {error}")
        except ValueError as error:
            found.bad("ConsumerGroup", "InvalidSpec", str(error))
        return found.settings is not None

    async def _ask_kafka(self, body: Body, found: Findings) -> bool:
        """Secrets, connection, topics, where the group starts."""
        assert found.settings is not None
        settings, uid = found.settings, body["metadata"]["uid"]
        try:
            values = await self._secret_values(settings)
            auth = from_net(settings.net, values)
        except BadSecret as error:
            found.bad("ConnectionEstablished", "SecretInvalid", str(error))
            return False
        found.secrets_hash = hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:16]
        key = (body["metadata"]["generation"], found.secrets_hash)
        if self._looked.get(uid) != key:
            probe = Probe(settings.bootstrap, auth)
            try:
                places = await probe.partitions(settings.topics)
                await probe.commit_initial(settings.group, places, settings.initial_offset)
            except TopicsMissing as error:
                found.conditions.append(condition("ConnectionEstablished"))
                found.bad("InitialOffsetsCommitted", "InitializeOffset", str(error))
                return False
            except Unreachable as error:
                found.bad("ConnectionEstablished", "ConnectionFailed", str(error))
                return False
            self._looked[uid] = key
        found.conditions += [condition("ConnectionEstablished"), condition("InitialOffsetsCommitted")]
        return True

    async def _secret_values(self, settings: Settings) -> dict[str, str]:
        values: dict[str, str] = {}
        for name, ref in net_references(settings.net).items():
            body = await self._api.get(path_of("v1", "secrets", settings.namespace, ref.secret))
            data = (body or {}).get("data") or {}
            if ref.key not in data:
                what = f"has no key {ref.key}" if body else "does not exist"
                raise BadSecret(f"Secret {settings.namespace}/{ref.secret} of spec.net ({name}) {what}")
            values[name] = base64.b64decode(data[ref.key]).decode()
        return values
