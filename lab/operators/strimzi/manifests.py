# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects a cluster is made of: services, configuration, workloads. Pure: from a cluster to manifests."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from .brokerconfig import CERTS, DATA, heap_options
from .topology import CLUSTER_LABEL, CONTROL_PORT, POOL_LABEL, REPLICATION_PORT, Cluster, Listener, Node, Pool, Volume

Manifest = dict[str, Any]
CONFIG = "/etc/kafka/config"
LISTENER_LABEL = "strimzi.io/listener-name"
EXPORTER_CERTS, EXPORTER_PORT = "/etc/kafka-exporter", 9404
MANAGED_BY = {"app.kubernetes.io/managed-by": "strimzi-cluster-operator"}


def owner(body: Manifest) -> list[Manifest]:
    """The ownerReferences of what belongs to a resource."""
    meta = body["metadata"]
    return [
        {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": False,
            "blockOwnerDeletion": False,
        }
    ]


def labels(cluster: Cluster, pool: Pool | None = None) -> dict[str, str]:
    """Strimzi's labels of a Kafka cluster's objects."""
    return {
        CLUSTER_LABEL: cluster.name,
        "strimzi.io/kind": "Kafka",
        "strimzi.io/name": f"{cluster.name}-kafka",
        "app.kubernetes.io/name": "kafka",
        "app.kubernetes.io/instance": cluster.name,
        **MANAGED_BY,
        **({POOL_LABEL: pool.name} if pool else {}),
    }


def selector(cluster: Cluster) -> dict[str, str]:
    """What services select: the cluster's brokers."""
    return {CLUSTER_LABEL: cluster.name, "strimzi.io/name": f"{cluster.name}-kafka", "strimzi.io/broker-role": "true"}


def meta(cluster: Cluster, name: str, owners: list[Manifest], tags: dict[str, str]) -> Manifest:
    return {"name": name, "namespace": cluster.namespace, "labels": tags, "ownerReferences": owners}


def _service(cluster: Cluster, name: str, owners: list[Manifest], spec: Manifest, listener: str = "") -> Manifest:
    body = meta(cluster, name, owners, labels(cluster) | ({LISTENER_LABEL: listener} if listener else {}))
    return {"apiVersion": "v1", "kind": "Service", "metadata": body, "spec": spec}


def port(name: str, number: int, node_port: int | None = None) -> Manifest:
    return {
        "name": name,
        "port": number,
        "targetPort": number,
        "protocol": "TCP",
        **({"nodePort": node_port} if node_port else {}),
    }


def services(cluster: Cluster, owners: list[Manifest]) -> list[Manifest]:
    """The bootstrap service, the headless one, and per node-port listener one for all and one per broker."""
    internal = [port(f"tcp-{i.name}", i.port) for i in cluster.listeners if i.type == "internal"]
    replication = port("tcp-replication", REPLICATION_PORT)
    control = port("tcp-ctrlplane", CONTROL_PORT)
    headless = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,  # the quorum has to find itself before anyone is ready
        "selector": {CLUSTER_LABEL: cluster.name, "strimzi.io/name": f"{cluster.name}-kafka"},
        "ports": [control, replication, *internal],
    }
    found = [
        _service(cluster, cluster.brokers, owners, headless),
        _service(
            cluster, cluster.bootstrap, owners, {"selector": selector(cluster), "ports": [replication, *internal]}
        ),
    ]
    for listener in cluster.listeners:
        if listener.type == "nodeport":
            found += _node_port_services(cluster, listener, owners)
    return found


def broker_service(cluster: Cluster, listener: Listener, node: Node) -> str:
    """The name of a broker's own service of an external listener."""
    pool = next(p for p in cluster.pools if node.id in p.node_ids)
    return f"{cluster.workload(pool)}-{listener.name}-{node.id}"


def _node_port_services(cluster: Cluster, listener: Listener, owners: list[Manifest]) -> list[Manifest]:
    def service(name: str, chosen: dict[str, str], node_port: int | None) -> Manifest:
        spec = {
            "type": "NodePort",
            "selector": chosen,
            "ports": [port(f"tcp-{listener.name}", listener.port, node_port)],
        }
        return _service(cluster, name, owners, spec, listener.name)

    bootstrap = (listener.configuration.get("bootstrap") or {}).get("nodePort")
    found = [service(cluster.external_bootstrap(listener), selector(cluster), bootstrap)]
    for node in cluster.nodes():
        if "broker" in node.roles:
            chosen = selector(cluster) | {"statefulset.kubernetes.io/pod-name": node.pod}
            found.append(
                service(broker_service(cluster, listener, node), chosen, listener.broker(node.id).get("nodePort"))
            )
    return found


def config_map(cluster: Cluster, pool: Pool, files: dict[str, str], owners: list[Manifest]) -> Manifest:
    """server.properties of each of the pool's nodes, under <pod>.properties."""
    name = f"{cluster.workload(pool)}-config"
    body = meta(cluster, name, owners, labels(cluster, pool))
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": body, "data": files}


def digest(*parts: Any) -> str:
    """A short hash of anything JSON can hold; a change of it rolls the pods."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def workload(
    cluster: Cluster, pool: Pool, image: str, cluster_id: str, hashes: dict[str, str], owners: list[Manifest]
) -> Manifest:
    """The pool's StatefulSet: its pods and claims carry the names Strimzi gives its own."""
    name = cluster.workload(pool)
    tags = labels(cluster, pool)
    roles = {f"strimzi.io/{role}-role": "true" for role in pool.roles}
    keep = not all(v.delete_claim for v in pool.volumes)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": meta(cluster, name, owners, tags),
        "spec": {
            "serviceName": cluster.brokers,
            "replicas": pool.replicas,
            "ordinals": {"start": pool.first_id},
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {CLUSTER_LABEL: cluster.name, POOL_LABEL: pool.name}},
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain" if keep else "Delete",
                "whenScaled": "Retain" if keep else "Delete",
            },
            "template": {
                "metadata": {"labels": tags | roles, "annotations": hashes},
                "spec": _pod(cluster, pool, image, cluster_id),
            },
            "volumeClaimTemplates": [_claim(v, cluster, pool) for v in pool.volumes if v.type == "persistent-claim"],
        },
    }


def _pod(cluster: Cluster, pool: Pool, image: str, cluster_id: str) -> Manifest:
    name = cluster.workload(pool)
    return {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(cluster, pool, image, cluster_id)],
        "volumes": [
            {"name": "config", "configMap": {"name": f"{name}-config"}},
            {"name": "certs", "secret": {"secretName": f"{name}-certs"}},
            {"name": "tmp", "emptyDir": {}},
            *(
                {"name": v.name, "emptyDir": {"sizeLimit": v.size} if v.size else {}}
                for v in pool.volumes
                if v.type == "ephemeral"
            ),
        ],
    }


def _container(cluster: Cluster, pool: Pool, image: str, cluster_id: str) -> Manifest:
    is_broker = "broker" in pool.roles
    resources = pool.spec.get("resources") or cluster.spec["kafka"].get("resources")
    ports = [{"name": "tcp-ctrlplane", "containerPort": CONTROL_PORT}]
    if is_broker:
        ports += [{"name": "tcp-replication", "containerPort": REPLICATION_PORT}]
        ports += [{"name": f"tcp-{i.name}", "containerPort": i.port} for i in cluster.listeners]
    mounts = [
        {"name": "config", "mountPath": CONFIG, "readOnly": True},
        {"name": "certs", "mountPath": CERTS, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the container's own
        *({"name": v.name, "mountPath": f"{DATA}/{v.name}"} for v in pool.volumes),
    ]
    return {
        "name": "kafka",
        "image": image,
        "args": [f"{CONFIG}/$(POD_NAME).properties", cluster_id],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "KAFKA_HEAP_OPTS", "value": heap_options(cluster.spec["kafka"], pool.spec)},
        ],
        "ports": ports,
        "resources": resources or {"requests": {"cpu": "50m", "memory": "384Mi"}},
        "readinessProbe": {
            "tcpSocket": {"port": REPLICATION_PORT if is_broker else CONTROL_PORT},
            "periodSeconds": 2,
            "failureThreshold": 5,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def exporter(cluster: Cluster, image: str, certificate: str, owners: list[Manifest]) -> Manifest:
    """The Deployment of spec.kafkaExporter, its pods labelled and its port named as Strimzi's PodMonitors want them."""
    name = cluster.exporter
    tags = labels(cluster) | {"strimzi.io/name": name, "app.kubernetes.io/name": "kafka-exporter"}
    chosen = {CLUSTER_LABEL: cluster.name, "strimzi.io/name": name}
    pod = {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_exporter_container(cluster, image)],
        "volumes": [{"name": "certs", "secret": {"secretName": f"{name}-certs"}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(cluster, name, owners, tags),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": chosen},
            "template": {
                "metadata": {"labels": tags, "annotations": {"strimzi.io/server-cert-hash": certificate}},
                "spec": pod,
            },
        },
    }


def _exporter_container(cluster: Cluster, image: str) -> Manifest:
    spec = cluster.spec["kafkaExporter"]
    env = {
        "BOOTSTRAP": f"{cluster.bootstrap}.{cluster.namespace}.svc:{REPLICATION_PORT}",
        "TOPIC_REGEX": spec.get("topicRegex", ".*"),
        "TOPIC_EXCLUDE_REGEX": spec.get("topicExcludeRegex", ""),
        "GROUP_REGEX": spec.get("groupRegex", ".*"),
        "GROUP_EXCLUDE_REGEX": spec.get("groupExcludeRegex", ""),
    }
    return {
        "name": cluster.exporter,
        "image": image,
        "command": ["python3", "-m", "strimzi.exporter"],
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "ports": [{"name": "tcp-prometheus", "containerPort": EXPORTER_PORT}],
        "resources": spec.get("resources")
        or {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "tcp-prometheus"}, "periodSeconds": 5},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "certs", "mountPath": EXPORTER_CERTS, "readOnly": True}],
    }


def _claim(volume: Volume, cluster: Cluster, pool: Pool) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume.name, "labels": labels(cluster, pool)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": volume.size}},
            **({"storageClassName": volume.storage_class} if volume.storage_class else {}),
        },
    }


def secret(name: str, namespace: str, data: dict[str, bytes], owners: list[Manifest], tags: dict[str, str]) -> Manifest:
    """An Opaque Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace, "labels": tags, "ownerReferences": owners},
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
