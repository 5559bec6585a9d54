# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Kafka resource and its node pools ask for, checked and given names. Pure: no IO, no manifests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .work import Failure

KAFKA_VERSION, METADATA_VERSION, OPERATOR_VERSION = "4.3.1", "4.3-IV0", "1.2.0"
CLUSTER_LABEL, POOL_LABEL = "strimzi.io/cluster", "strimzi.io/pool-name"
CONTROL_PORT, REPLICATION_PORT = 9090, 9091
INVALID = "InvalidResourceException"


@dataclass(frozen=True)
class Listener:
    """One entry of spec.kafka.listeners; `authentication` is "", "scram-sha-512" or "tls"."""

    name: str
    port: int
    type: str
    tls: bool
    authentication: str
    configuration: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Kafka's name of the listener, as Strimzi composes it."""
        return f"{self.name.upper()}-{self.port}"

    @property
    def protocol(self) -> str:
        return ("SASL_" if self.authentication == "scram-sha-512" else "") + ("SSL" if self.tls else "PLAINTEXT")

    def broker(self, node_id: int) -> dict[str, Any]:
        """The overrides of spec.kafka.listeners[].configuration.brokers for one broker."""
        return next((b for b in self.configuration.get("brokers") or [] if b.get("broker") == node_id), {})


@dataclass(frozen=True)
class Volume:
    """A broker's volume; `size` is None for an emptyDir without limit."""

    name: str
    type: str
    size: str | None
    storage_class: str | None
    delete_claim: bool


@dataclass(frozen=True)
class Pool:
    """A KafkaNodePool: its nodes are first_id ... first_id + replicas - 1."""

    name: str
    roles: tuple[str, ...]
    replicas: int
    first_id: int
    volumes: tuple[Volume, ...]
    spec: dict[str, Any]

    @property
    def node_ids(self) -> list[int]:
        return list(range(self.first_id, self.first_id + self.replicas))


@dataclass(frozen=True)
class Node:
    """One Kafka process."""

    id: int
    pod: str
    roles: tuple[str, ...]
    host: str


@dataclass(frozen=True)
class Cluster:
    """A Kafka resource with its pools."""

    namespace: str
    name: str
    listeners: tuple[Listener, ...]
    pools: tuple[Pool, ...]
    spec: dict[str, Any]

    @property
    def bootstrap(self) -> str:
        return f"{self.name}-kafka-bootstrap"

    @property
    def brokers(self) -> str:
        return f"{self.name}-kafka-brokers"

    @property
    def exporter(self) -> str:
        return f"{self.name}-kafka-exporter"

    @property
    def has_exporter(self) -> bool:
        return self.spec.get("kafkaExporter") is not None

    def external_bootstrap(self, listener: Listener) -> str:
        return f"{self.name}-kafka-{listener.name}-bootstrap"

    def workload(self, pool: Pool) -> str:
        return f"{self.name}-{pool.name}"

    def nodes(self, pool: Pool | None = None) -> list[Node]:
        """The nodes of one pool, or of all, by id."""
        return [
            Node(i, f"{self.workload(p)}-{i}", p.roles, f"{self.workload(p)}-{i}.{self.brokers}.{self.namespace}.svc")
            for p in self.pools
            if pool is None or p is pool
            for i in p.node_ids
        ]

    @property
    def broker_count(self) -> int:
        return sum(p.replicas for p in self.pools if "broker" in p.roles)


def parse_listener(spec: dict[str, Any]) -> Listener:
    """A listener of the resource; a Failure says which feature the stand-in does not have."""
    name, kind = spec["name"], spec["type"]
    authentication = (spec.get("authentication") or {}).get("type", "")
    if kind not in ("internal", "nodeport", "route"):
        raise Failure(
            INVALID, f"listener {name}: type {kind} is not in this stand-in; it knows internal, nodeport and route"
        )
    if authentication not in ("", "scram-sha-512", "tls"):
        raise Failure(
            INVALID,
            f"listener {name}: authentication {authentication} is not in this stand-in; use scram-sha-512 or tls",
        )
    if authentication == "tls" and not spec.get("tls"):
        raise Failure(INVALID, f"listener {name}: authentication tls needs tls: true")
    if kind == "route" and not spec.get("tls"):
        raise Failure(INVALID, f"listener {name}: type route needs tls: true")
    configuration = spec.get("configuration") or {}
    if configuration.get("brokerCertChainAndKey"):
        raise Failure(INVALID, f"listener {name}: brokerCertChainAndKey is not in this stand-in")
    return Listener(name, spec["port"], kind, bool(spec.get("tls")), authentication, configuration)


def parse_volumes(storage: dict[str, Any], pool: str) -> tuple[Volume, ...]:
    """The volumes of a pool's storage, named as Strimzi names them (data, or data-<id> in a JBOD)."""
    entries = storage.get("volumes") or [] if storage["type"] == "jbod" else [storage]
    if not entries:
        raise Failure(INVALID, f"node pool {pool}: jbod storage has no volumes")
    return tuple(
        Volume(
            f"data-{e['id']}" if storage["type"] == "jbod" else "data",
            e["type"],
            e.get("size") or e.get("sizeLimit"),
            e.get("class"),
            bool(e.get("deleteClaim")),
        )
        for e in entries
    )


def parse_pools(bodies: list[dict[str, Any]]) -> tuple[Pool, ...]:
    """The pools, oldest first. A pool keeps the node ids its status names; a new one follows the highest in use."""
    pools: list[Pool] = []
    known = [i for b in bodies for i in (b.get("status") or {}).get("nodeIds") or []]
    free = max(known, default=-1) + 1
    for body in sorted(bodies, key=lambda b: (b["metadata"].get("creationTimestamp", ""), b["metadata"]["name"])):
        spec, name = body["spec"], body["metadata"]["name"]
        ids = (body.get("status") or {}).get("nodeIds") or []
        first = min(ids) if ids else free
        free = max(free, first + spec["replicas"])
        roles = tuple(sorted(spec["roles"]))
        pools.append(Pool(name, roles, spec["replicas"], first, parse_volumes(spec["storage"], name), spec))
    taken: dict[int, str] = {}
    for pool in pools:
        for i in pool.node_ids:
            if i in taken:
                raise Failure(
                    INVALID,
                    f"node pool {pool.name} would grow into id {i} of pool {taken[i]}; this stand-in gives a pool "
                    "consecutive ids: add a new pool instead",
                )
            taken[i] = pool.name
    return tuple(pools)


def parse_cluster(kafka: dict[str, Any], pool_bodies: list[dict[str, Any]]) -> Cluster:
    """The whole cluster, or a Failure with Strimzi's reason and a sentence that says what to change."""
    meta, spec = kafka["metadata"], kafka["spec"]["kafka"]
    version = spec.get("version")
    if version not in (None, KAFKA_VERSION):
        raise Failure(
            "UnsupportedKafkaVersionException",
            f"Unsupported Kafka.spec.kafka.version: {version}. Supported versions are: [{KAFKA_VERSION}]",
        )
    if (spec.get("authorization") or {}).get("type", "simple") != "simple":
        raise Failure(INVALID, f"authorization {spec['authorization']['type']} is not in this stand-in; use simple")
    pools = parse_pools(pool_bodies)
    if not any("broker" in p.roles and p.replicas for p in pools) or not any("controller" in p.roles for p in pools):
        raise Failure(
            INVALID,
            f"Kafka cluster {meta['name']} needs KafkaNodePools with the roles controller and broker and the label "
            f"{CLUSTER_LABEL}={meta['name']} in namespace {meta['namespace']}; seen: {[p.name for p in pools]}",
        )
    listeners = tuple(parse_listener(entry) for entry in spec["listeners"])
    return Cluster(meta["namespace"], meta["name"], listeners, pools, kafka["spec"])
