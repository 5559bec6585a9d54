# SPDX-License-Identifier: GPL-3.0-or-later
"""server.properties of one node. Pure: from a cluster, a node and its addresses to text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .topology import CONTROL_PORT, REPLICATION_PORT, Cluster, Listener, Node, Volume

CERTS, DATA = "/etc/kafka/certs", "/var/lib/kafka"
CONTROL, REPLICATION = f"CONTROLPLANE-{CONTROL_PORT}", f"REPLICATION-{REPLICATION_PORT}"
SUPER_USERS = ";".join(
    f"User:CN={user},O=io.strimzi" for user in ("{name}-kafka", "cluster-operator", "{name}-kafka-exporter")
)
# The operator owns these, as Strimzi's does.
FORBIDDEN = (
    "listeners", "advertised.", "broker.", "listener.", "host.name", "port", "inter.broker.listener.name", "sasl.",
    "ssl.", "security.", "password.", "log.dir", "zookeeper.", "authorizer.", "super.user", "cruise.control.metrics.",
    "node.id", "process.roles", "controller.", "metadata.log.dir", "client.quota.callback.static.",
)  # fmt: skip
FORBIDDEN_BUT = ("controller.quorum.fetch.timeout.ms", "controller.quorum.election.backoff.max.ms", "sasl.server.max")
# A laptop's broker: what Kafka would size for a server. Replication follows the number of brokers.
SMALL = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "offsets.topic.num.partitions": 5,
    "transaction.state.log.num.partitions": 5,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "log.cleaner.dedupe.buffer.size": 16777216,
    "auto.create.topics.enable": False,
}


def log_dirs(volumes: tuple[Volume, ...], node_id: int) -> list[str]:
    """One folder per volume, as Strimzi lays them out."""
    return [f"{DATA}/{v.name}/kafka-log{node_id}" for v in volumes]


def forbidden(config: Mapping[str, Any]) -> list[str]:
    """The options of spec.kafka.config that belong to the operator and are ignored."""
    return sorted(k for k in config if k.startswith(FORBIDDEN) and not k.startswith(FORBIDDEN_BUT))


def defaults(brokers: int) -> dict[str, Any]:
    """What holds where spec.kafka.config says nothing."""
    factor = min(3, brokers)
    return {
        **SMALL,
        "default.replication.factor": factor,
        "offsets.topic.replication.factor": factor,
        "transaction.state.log.replication.factor": factor,
        "share.coordinator.state.topic.replication.factor": factor,
        "transaction.state.log.min.isr": max(1, factor - 1),
        "share.coordinator.state.topic.min.isr": max(1, factor - 1),
        "min.insync.replicas": max(1, factor - 1),
    }


def super_users(cluster: Cluster) -> str:
    """The brokers, the operator and spec.kafka.authorization.superUsers, as Kafka's principals."""
    names = (cluster.spec["kafka"].get("authorization") or {}).get("superUsers") or []
    return ";".join([SUPER_USERS.format(name=cluster.name), *(f"User:{n}" for n in names)])


def listener_options(listener: Listener, node: Node) -> dict[str, str]:
    """The options under listener.name.<listener>."""
    options: dict[str, str] = {}
    if listener.tls:
        options |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": f"{CERTS}/{node.pod}.pem"}
    if listener.authentication == "tls":
        options |= mutual_tls(node, "clients-ca.crt")
    if listener.authentication == "scram-sha-512":
        options |= {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        }
    return {f"listener.name.{listener.key.lower()}.{key}": value for key, value in options.items()}


def mutual_tls(node: Node, ca: str) -> dict[str, str]:
    """Keystore and truststore of a listener whose clients show certificates."""
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": f"{CERTS}/{node.pod}.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": f"{CERTS}/{ca}",
        "ssl.client.auth": "required",
    }


def node_options(cluster: Cluster, node: Node, advertised: Mapping[str, str]) -> dict[str, Any]:
    """What the operator decides for a node; `advertised` maps a listener's key to host:port."""
    is_broker, is_controller = "broker" in node.roles, "controller" in node.roles
    ports = {CONTROL: CONTROL_PORT} if is_controller else {}
    addresses = {CONTROL: f"{node.host}:{CONTROL_PORT}"} if is_controller else {}
    protocols = {CONTROL: "SSL", REPLICATION: "SSL"}
    if is_broker:
        ports |= {REPLICATION: REPLICATION_PORT, **{i.key: i.port for i in cluster.listeners}}
        addresses |= {REPLICATION: f"{node.host}:{REPLICATION_PORT}", **advertised}
        protocols |= {i.key: i.protocol for i in cluster.listeners}
    voters = [f"{n.id}@{n.host}:{CONTROL_PORT}" for n in cluster.nodes() if "controller" in n.roles]
    pool = next(p for p in cluster.pools if node.id in p.node_ids)
    options = {
        "node.id": node.id,
        "process.roles": ",".join(node.roles),
        "controller.quorum.voters": ",".join(voters),
        "controller.listener.names": CONTROL,
        "listeners": ",".join(f"{key}://0.0.0.0:{port}" for key, port in ports.items()),
        "advertised.listeners": ",".join(f"{key}://{address}" for key, address in addresses.items()),
        "listener.security.protocol.map": ",".join(f"{key}:{value}" for key, value in protocols.items()),
        "inter.broker.listener.name": REPLICATION,
        "log.dirs": ",".join(log_dirs(pool.volumes, node.id)),
    }
    for key in (CONTROL, REPLICATION):
        options |= {f"listener.name.{key.lower()}.{k}": v for k, v in mutual_tls(node, "cluster-ca.crt").items()}
    for listener in cluster.listeners if is_broker else ():
        options |= listener_options(listener, node)
    if cluster.spec["kafka"].get("authorization"):
        options |= {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": super_users(cluster),
        }
    return options


def server_properties(cluster: Cluster, node: Node, advertised: Mapping[str, str]) -> str:
    """The whole file: small defaults, then spec.kafka.config, then the operator's own options."""
    wanted = cluster.spec["kafka"].get("config") or {}
    allowed = {k: v for k, v in wanted.items() if k not in forbidden(wanted)}
    options = {**defaults(cluster.broker_count), **allowed, **node_options(cluster, node, advertised)}
    return "".join(f"{key}={property_value(options[key])}\n" for key in sorted(options))


def property_value(value: Any) -> str:
    """A value as Java's properties format takes it on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace("\\", "\\\\").replace("\n", "\\n")


def heap_options(spec: Mapping[str, Any], pool: Mapping[str, Any]) -> str:
    """JVM options: the pool's jvmOptions, else the cluster's, else half the memory limit, else 320 MB."""
    jvm = pool.get("jvmOptions") or spec.get("jvmOptions") or {}
    resources = pool.get("resources") or spec.get("resources") or {}
    limit = memory_bytes((resources.get("limits") or {}).get("memory"))
    most = jvm.get("-Xmx") or (f"{min(limit // 2, 5 << 30) >> 20}m" if limit else "320m")
    least = jvm.get("-Xms") or ("128m" if not limit else most)
    extra = [f"-XX:{'+' if v == 'true' else '-'}{k}" if v in ("true", "false") else f"-XX:{k}={v}"
             for k, v in (jvm.get("-XX") or {}).items()]  # fmt: skip
    properties = [f"-D{p['name']}={p['value']}" for p in jvm.get("javaSystemProperties") or []]
    return " ".join([f"-Xms{least}", f"-Xmx{most}", *extra, *properties])


def memory_bytes(quantity: str | None) -> int:
    """A Kubernetes memory quantity in bytes; 0 for none."""
    if not quantity:
        return 0
    units = {
        "Ki": 1 << 10,
        "Mi": 1 << 20,
        "Gi": 1 << 30,
        "Ti": 1 << 40,
        "k": 10**3,
        "M": 10**6,
        "G": 10**9,
        "T": 10**12,
    }
    for unit, factor in units.items():
        if quantity.endswith(unit):
            return int(float(quantity[: -len(unit)]) * factor)
    return int(float(quantity))
