# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a Kafka resource to life: services, certificates, configuration, workloads, then its status."""

from __future__ import annotations

import base64
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException

from . import addresses, manifests
from .admin import Admin, Credentials, explain
from .authorities import Authorities
from .brokerconfig import forbidden, server_properties
from .conditions import condition, dated, is_true
from .kube import Api, path_of
from .store import Store
from .topology import (
    CLUSTER_LABEL,
    KAFKA_VERSION,
    METADATA_VERSION,
    OPERATOR_VERSION,
    POOL_LABEL,
    REPLICATION_PORT,
    Cluster,
    Pool,
    parse_cluster,
)
from .work import Failure

log = logging.getLogger(__name__)
Body = dict[str, Any]
SOON = 5.0


@dataclass(frozen=True)
class Built:
    """What a reconciliation put into the cluster."""

    cluster_id: str
    ca: str
    credentials: Credentials
    listeners: list[Body]
    workloads: list[Body]


def new_cluster_id() -> str:
    """A Kafka cluster id: 16 random bytes, URL-safe base64 without padding."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):  # StorageTool would take it for an option
            return text


def rolled_out(workload: Body) -> bool:
    """Whether every pod of a StatefulSet runs the newest template and is ready."""
    spec, status = workload["spec"], workload.get("status") or {}
    wanted = spec["replicas"]
    return (
        status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
        and status.get("readyReplicas", 0) == wanted
        and (
            status.get("updatedReplicas", 0) == wanted or status.get("currentRevision") == status.get("updateRevision")
        )
    )


def pod_trouble(pods: list[Body]) -> str:
    """One sentence on the first pod that has a problem, with the end of its last words; "" when none has."""
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            waiting = (status.get("state") or {}).get("waiting") or {}
            ended = (
                (status.get("lastState") or {}).get("terminated") or (status.get("state") or {}).get("terminated") or {}
            )
            if status.get("ready") or not (waiting.get("reason") or ended.get("message")):
                continue
            words = " ".join((ended.get("message") or waiting.get("message") or "").split())[-400:]
            return f"pod {pod['metadata']['name']}: {waiting.get('reason') or 'ended'} {words}".strip()
        for c in (pod.get("status") or {}).get("conditions") or []:
            if c["type"] == "PodScheduled" and c["status"] == "False":
                return f"pod {pod['metadata']['name']}: {c.get('reason', '')} {c.get('message', '')}".strip()
    return ""


class Clusters:
    """Reconciles Kafka resources and keeps their admin connections."""

    def __init__(self, api: Api, store: Store, image: str, exporter_image: str) -> None:
        self._api, self._store, self._image, self._exporter_image = api, store, image, exporter_image
        self._admins: dict[tuple[str, str], Admin] = {}
        self._up: set[tuple[str, str]] = set()

    def admin(self, namespace: str, name: str) -> Admin | None:
        """The connection to a cluster that was Ready when last looked at."""
        return self._admins[namespace, name] if (namespace, name) in self._up else None

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """One look at a Kafka resource; answers when to look again before the next event, if at all."""
        kafka = self._store.get("Kafka", namespace, name)
        if kafka is None or kafka["metadata"].get("deletionTimestamp"):
            self._up.discard((namespace, name))
            self._admins.pop((namespace, name), None)
            return None
        pools = self._store.of_cluster("KafkaNodePool", namespace, name)
        try:
            cluster = parse_cluster(kafka, pools)
            built = await self._build(kafka, cluster)
            await self._await_brokers(cluster, built)
        except Failure as failure:
            self._up.discard((namespace, name))
            return await self._not_ready(kafka, failure)
        await self._ready(kafka, cluster, built, pools)
        self._up.add((namespace, name))
        return None

    async def _build(self, kafka: Body, cluster: Cluster) -> Built:
        if any(i.type == "route" for i in cluster.listeners):
            await self._require_routes(cluster)
        owners = manifests.owner(kafka)
        services = [await self._api.apply(s) for s in manifests.services(cluster, owners)]
        nodes = await self._api.list(path_of("v1", "nodes"))
        ports = addresses.node_ports(services)
        authorities = Authorities(self._api, cluster, owners)
        ca, clients = await authorities.authority("cluster-ca"), await authorities.authority("clients-ca")
        credentials = await authorities.operator(ca)
        cluster_id = await self._cluster_id(kafka)
        workloads = []
        for pool in cluster.pools:
            hosts = {n.pod: addresses.certificate_hosts(cluster, n, nodes) for n in cluster.nodes(pool)}
            certificates = await authorities.brokers(pool, hosts, ca, clients)
            files = {
                f"{n.pod}.properties": server_properties(cluster, n, addresses.advertised(cluster, n, ports, nodes))
                for n in cluster.nodes(pool)
            }
            await self._api.apply(manifests.config_map(cluster, pool, files, owners))
            hashes = {"strimzi.io/broker-config": manifests.digest(files), "strimzi.io/server-cert-hash": certificates}
            body = manifests.workload(cluster, pool, self._image, cluster_id, hashes, owners)
            workloads.append(await self._api.apply(body))
        if cluster.has_exporter:
            body = manifests.exporter(cluster, self._exporter_image, await authorities.exporter(ca), owners)
            workloads.append(await self._api.apply(body))
        await self._remove_leftovers(cluster, services)
        text = ca.certificate.decode()
        listeners = addresses.listener_status(cluster, ports, nodes, text)
        return Built(cluster_id, text, credentials, listeners, workloads)

    async def _require_routes(self, cluster: Cluster) -> None:
        served = await self._api.get("/apis/route.openshift.io/v1")
        words = (
            "Route listeners are not in this stand-in; use type nodeport"
            if served
            else "The OpenShift Route API is not available in this Kubernetes cluster. Exposing Kafka cluster "
            f"{cluster.name} using routes is not possible. Use a listener of type nodeport here"
        )
        raise Failure("InvalidConfigurationException", words)

    async def _cluster_id(self, kafka: Body) -> str:
        """The id in the status, else a new one, written down before any disk is formatted with it."""
        status = kafka.get("status") or {}
        if status.get("clusterId"):
            return status["clusterId"]
        status = {**status, "clusterId": new_cluster_id()}
        await self._api.set_status(kafka, status)
        return status["clusterId"]

    async def _remove_leftovers(self, cluster: Cluster, services: list[Body]) -> None:
        """Deletes pools' workloads, listeners' services and the exporter when they are no longer asked for."""
        ours = f"{CLUSTER_LABEL}={cluster.name},app.kubernetes.io/managed-by=strimzi-cluster-operator"
        wanted = {s["metadata"]["name"] for s in services} | {cluster.workload(p) for p in cluster.pools}
        wanted |= {cluster.exporter} if cluster.has_exporter else set()
        for api_version, plural in (("v1", "services"), ("apps/v1", "statefulsets"), ("apps/v1", "deployments")):
            for body in await self._api.list(path_of(api_version, plural, cluster.namespace), ours):
                if body["metadata"]["name"] not in wanted:
                    await self._api.delete(path_of(api_version, plural, cluster.namespace, body["metadata"]["name"]))

    async def _await_brokers(self, cluster: Cluster, built: Built) -> None:
        """Returns when the brokers answer; a Failure says what is still missing."""
        if not all(rolled_out(w) for w in built.workloads):
            pods = await self._api.list(path_of("v1", "pods", cluster.namespace), f"{CLUSTER_LABEL}={cluster.name}")
            trouble = pod_trouble(pods)
            raise Failure("Creating", trouble or "Kafka cluster is being deployed")
        admin = self._connect(cluster, built.credentials)
        wanted = [n.id for n in cluster.nodes() if "broker" in n.roles]
        try:
            seen = await admin.broker_ids()
        except KafkaException as error:
            raise Failure("Creating", f"the brokers do not answer yet: {explain(error)}") from error
        if seen != wanted:
            raise Failure("Creating", f"expected brokers {wanted}, the cluster has {seen}")

    def _connect(self, cluster: Cluster, credentials: Credentials) -> Admin:
        key = (cluster.namespace, cluster.name)
        if key not in self._admins or self._admins[key].credentials != credentials:
            address = f"{cluster.bootstrap}.{cluster.namespace}.svc:{REPLICATION_PORT}"
            self._admins[key] = Admin(address, credentials)
        return self._admins[key]

    async def _not_ready(self, kafka: Body, failure: Failure) -> float:
        """Writes NotReady, and comes back: soon while pods start, at the next resync for a wrong resource."""
        old = kafka.get("status") or {}
        generation = kafka["metadata"]["generation"]
        rolling = (
            failure.reason == "Creating" and is_true(kafka, "Ready") and old.get("observedGeneration") != generation
        )
        if not rolling:  # while a change rolls out, the old generation stays Ready, as with Strimzi
            new = condition("NotReady", "True", failure.reason, str(failure))
            status = {**old, "conditions": dated(old.get("conditions"), [new]), "observedGeneration": generation}
            await self._api.set_status(kafka, status)
        return SOON if failure.reason == "Creating" else 60.0

    async def _ready(self, kafka: Body, cluster: Cluster, built: Built, pools: list[Body]) -> None:
        old, generation = kafka.get("status") or {}, kafka["metadata"]["generation"]
        new = [condition("Ready")]
        for option in forbidden(cluster.spec["kafka"].get("config") or {}):
            words = f"spec.kafka.config.{option} belongs to the operator and is ignored"
            new.append(condition("Warning", "True", "ForbiddenConfiguration", words))
        status = {
            "conditions": dated(old.get("conditions"), new),
            "observedGeneration": generation,
            "listeners": built.listeners,
            "kafkaNodePools": [{"name": p.name} for p in cluster.pools],
            "clusterId": built.cluster_id,
            "operatorLastSuccessfulVersion": OPERATOR_VERSION,
            "kafkaVersion": KAFKA_VERSION,
            "kafkaMetadataVersion": METADATA_VERSION,
        }
        await self._api.set_status(kafka, status)
        by_name = {p.name: p for p in cluster.pools}
        for body in pools:
            await self._api.set_status(body, pool_status(cluster, by_name[body["metadata"]["name"]], body, built))


def pool_status(cluster: Cluster, pool: Pool, body: Body, built: Built) -> Body:
    """status of a KafkaNodePool: no conditions, as with Strimzi."""
    tags = {CLUSTER_LABEL: cluster.name, "strimzi.io/name": f"{cluster.name}-kafka", "strimzi.io/kind": "Kafka"}
    return {
        "observedGeneration": body["metadata"]["generation"],
        "nodeIds": pool.node_ids,
        "clusterId": built.cluster_id,
        "roles": list(pool.roles),
        "replicas": pool.replicas,
        "labelSelector": ",".join(f"{k}={v}" for k, v in {**tags, POOL_LABEL: pool.name}.items()),
    }
