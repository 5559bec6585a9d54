# SPDX-License-Identifier: GPL-3.0-or-later
"""What CephBucketTopic, CephBucketNotification and a claim's labels ask of RGW, as Rook 1.17 has them. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from strimzi.work import Failure

from .documents import Notification

Body = dict[str, Any]
FINALIZER = "cephbuckettopic.ceph.rook.io"
LABEL = "bucket-notification-"
ALL_EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
LOGIN = ("userSecretRef", "passwordSecretRef")


def endpoint(topic: Body) -> tuple[str, Body]:
    """Its kind, and what is said of it."""
    given = [(kind, value) for kind, value in (topic["spec"].get("endpoint") or {}).items() if value]
    if len(given) != 1:
        raise Failure("InvalidSpec", f"expected one endpoint, saw {', '.join(kind for kind, _ in given) or 'none'}")
    if given[0][0] not in ("http", "kafka"):
        raise Failure("Unsupported", f"this stand-in knows endpoints of http and kafka, not {given[0][0]}")
    return given[0]


def references(topic: Body) -> dict[str, Body]:
    """Where user and password of the endpoint are."""
    _, given = endpoint(topic)
    return {name: given[name] for name in LOGIN if given.get(name)}


def attributes(topic: Body, login: dict[str, str]) -> dict[str, str]:
    """The topic's attributes in RGW; `login` has the values of its references."""
    kind, given = endpoint(topic)
    spec = topic["spec"]
    found = {
        "OpaqueData": spec.get("opaqueData", ""),
        "persistent": _word(spec.get("persistent")),
        "push-endpoint": _with_login(given["uri"], login) if login else given["uri"],
        "verify-ssl": _word(not given.get("disableVerifySSL")),
    }
    if kind == "http":
        return found | {"cloudevents": _word(given.get("sendCloudEvents"))}
    return found | {
        "use-ssl": _word(given.get("useSSL")),
        "kafka-ack-level": given.get("ackLevel", "broker"),
        "mechanism": given.get("mechanism", "PLAIN"),
    }


def _with_login(uri: str, login: dict[str, str]) -> str:
    parts = urlsplit(uri)
    user, password = (quote(login.get(name, ""), safe="") for name in LOGIN)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


def _word(value: Any) -> str:
    return str(bool(value)).lower()


def is_done(topic: Body, secrets: list[Body]) -> bool:
    """Whether RGW has the topic as it is now, with the Secrets as they are now."""
    status = topic.get("status") or {}
    seen = (status.get("phase"), status.get("observedGeneration"), status.get("secrets") or [])
    return seen == ("Ready", topic["metadata"]["generation"], secrets)


def ready(topic: Body, arn: str, secrets: list[Body]) -> Body:
    known = {"phase": "Ready", "ARN": arn, "observedGeneration": topic["metadata"]["generation"]}
    return known | ({"secrets": secrets} if secrets else {})


def failed(topic: Body, error: Exception) -> Body:
    """Rook tells the cause in its log only."""
    generation = (topic.get("status") or {}).get("observedGeneration")
    return {"phase": "ReconcileFailed", "message": str(error)} | (
        {"observedGeneration": generation} if generation else {}
    )


def asked_for(claim: Body) -> list[str]:
    """Names of the notifications that a claim's labels ask for; a label whose two names differ counts for nothing."""
    found = (claim["metadata"].get("labels") or {}).items()
    return sorted(value for key, value in found if value and key == LABEL + value)


def notification(body: Body, arn: str) -> Notification:
    spec = body["spec"]
    filters = spec.get("filter") or {}
    if filters.get("metadataFilters") or filters.get("tagFilters"):
        raise Failure("Unsupported", "this stand-in filters by key only")
    keys = {rule["name"]: rule["value"] for rule in filters.get("keyFilters") or []}
    return Notification(body["metadata"]["name"], arn, frozenset(spec.get("events") or ALL_EVENTS), keys)
