# SPDX-License-Identifier: GPL-3.0-or-later
"""The last seen state of the watched objects, by kind, namespace and name."""

from __future__ import annotations

from typing import Any

from .topology import CLUSTER_LABEL

Body = dict[str, Any]


def fingerprint(body: Body) -> tuple[Any, ...]:
    """What has to differ for an object to be worth a new look; its own status is not among it."""
    meta = body["metadata"]
    return (
        meta.get("uid"),
        meta.get("generation"),
        meta.get("labels"),
        meta.get("annotations"),
        meta.get("deletionTimestamp"),
    )


class Store:
    """Objects as the watch streams last told them."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str, str], Body] = {}

    def put(self, body: Body) -> bool:
        """Remembers the object; answers whether anything but its status changed."""
        key = (body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
        before = self._bodies.get(key)
        self._bodies[key] = body
        return before is None or fingerprint(before) != fingerprint(body)

    def drop(self, kind: str, namespace: str, name: str) -> None:
        self._bodies.pop((kind, namespace, name), None)

    def get(self, kind: str, namespace: str, name: str) -> Body | None:
        return self._bodies.get((kind, namespace, name))

    def all(self, kind: str) -> list[Body]:
        return [body for (k, _, _), body in self._bodies.items() if k == kind]

    def of_cluster(self, kind: str, namespace: str, cluster: str) -> list[Body]:
        """The namespace's objects that carry the cluster's label."""
        return [
            body
            for (k, n, _), body in self._bodies.items()
            if k == kind and n == namespace and cluster_of(body) == cluster
        ]


def cluster_of(body: Body) -> str:
    """The cluster an object belongs to by its label; a Kafka belongs to itself."""
    if body["kind"] == "Kafka":
        return body["metadata"]["name"]
    return (body["metadata"].get("labels") or {}).get(CLUSTER_LABEL, "")
