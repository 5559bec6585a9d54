# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kafka resource with one pool, as the lab's inventory makes it."""

from __future__ import annotations

import copy
from typing import Any

KAFKA: dict[str, Any] = {
    "apiVersion": "kafka.strimzi.io/v1",
    "kind": "Kafka",
    "metadata": {"name": "xray-cluster", "namespace": "xraylab-1", "uid": "u1", "generation": 3},
    "spec": {
        "kafka": {
            "listeners": [
                {
                    "name": "tls",
                    "port": 9093,
                    "type": "internal",
                    "tls": True,
                    "authentication": {"type": "scram-sha-512"},
                },
                {
                    "name": "external",
                    "port": 9094,
                    "type": "nodeport",
                    "tls": True,
                    "authentication": {"type": "scram-sha-512"},
                },
            ],
            "authorization": {"type": "simple"},
        },
        "entityOperator": {"topicOperator": {}, "userOperator": {}},
    },
}
POOL: dict[str, Any] = {
    "kind": "KafkaNodePool",
    "metadata": {
        "name": "dual-role",
        "namespace": "xraylab-1",
        "generation": 1,
        "creationTimestamp": "2026-11-24T10:00:00Z",
        "labels": {"strimzi.io/cluster": "xray-cluster"},
    },
    "spec": {
        "replicas": 1,
        "roles": ["controller", "broker"],
        "storage": {
            "type": "jbod",
            "volumes": [{"id": 0, "type": "persistent-claim", "size": "5Gi", "kraftMetadata": "shared"}],
        },
    },
}
NODES = [
    {
        "status": {
            "addresses": [{"type": "Hostname", "address": "node1"}, {"type": "InternalIP", "address": "10.250.0.1"}]
        }
    }
]
PORTS = {"xray-cluster-kafka-external-bootstrap": 31000, "xray-cluster-dual-role-external-0": 31001}


def kafka(**changes: Any) -> dict[str, Any]:
    """The resource with changed fields of spec.kafka."""
    body = copy.deepcopy(KAFKA)
    body["spec"]["kafka"].update(changes)
    return body


def pool(name: str = "dual-role", **changes: Any) -> dict[str, Any]:
    """The pool with changed fields of its spec; `nodeIds` goes to its status."""
    body = copy.deepcopy(POOL)
    body["metadata"]["name"] = name
    if "nodeIds" in changes:
        body["status"] = {"nodeIds": changes.pop("nodeIds")}
    body["spec"].update(changes)
    return body
