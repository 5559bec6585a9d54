# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconciles a KafkaSink: its secret, its topic, its address at the ingress."""

from __future__ import annotations

import base64
from typing import Any

from strimzi.conditions import Condition, condition
from strimzi.kube import Api, path_of

from . import connection
from .connection import BadSecret
from .probe import Probe, TopicsMissing, Unreachable
from .status import living_set, status

SINKS = "/apis/eventing.knative.dev/v1alpha1"
# Besides Addressable these are what Knative's reconciler of broker-like resources keeps.
TYPES = ("Addressable", "ConfigMapUpdated", "ConfigParsed", "ProbeSucceeded", "TopicReady")
OWNER = "eventing.knative.dev/topic.owner"


async def sink_secret(api: Api, body: dict[str, Any]) -> dict[str, bytes] | None:
    """The data of spec.auth.secret.ref; None without auth, BadSecret when it does not exist."""
    name = (((body["spec"].get("auth") or {}).get("secret") or {}).get("ref") or {}).get("name")
    if not name:
        return None
    namespace = body["metadata"]["namespace"]
    found = await api.get(path_of("v1", "secrets", namespace, name))
    if found is None:
        raise BadSecret(f"Secret {namespace}/{name} of spec.auth.secret.ref does not exist")
    return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}


async def look(api: Api, body: dict[str, Any]) -> tuple[list[Condition], str | None]:
    """Conditions from what is there, and who owns the topic."""
    spec = body["spec"]
    try:
        auth = connection.from_secret(await sink_secret(api, body))
    except BadSecret as error:
        return [condition("ConfigParsed", "False", "SecretInvalid", str(error))], None
    good = [condition("ConfigParsed")]
    managed = spec.get("numPartitions") and spec.get("replicationFactor")
    owner = "kafkasink-controller" if managed else "external"
    probe = Probe(",".join(spec["bootstrapServers"]), auth)
    try:
        if managed:
            await probe.create(spec["topic"], spec["numPartitions"], spec["replicationFactor"])
        await probe.partitions([spec["topic"]])
    except TopicsMissing as error:
        return [*good, condition("TopicReady", "False", "TopicNotPresentOrInvalid", str(error))], owner
    except Unreachable as error:
        return [*good, condition("TopicReady", "False", "ConnectionFailed", str(error))], owner
    named = condition("TopicReady", "True", f"Topic {spec['topic']} ({owner})")
    return [*good, named, condition("ConfigMapUpdated"), condition("ProbeSucceeded")], owner


async def reconcile(api: Api, body: dict[str, Any], ingress: str) -> bool:
    """Writes the sink's status; answers whether it is Ready."""
    meta = body["metadata"]
    known, owner = await look(api, body)
    url = f"http://{ingress}/{meta['namespace']}/{meta['name']}"
    conditions = living_set((body.get("status") or {}).get("conditions"), [*known, condition("Addressable")], TYPES)
    place = {"name": "http", "url": url}
    annotations = {OWNER: owner} if owner else None
    new = status(body, conditions, address={"url": url}, addresses=[place], annotations=annotations)
    await api.set_status(body, new)
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
