# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings KafkaTopics and KafkaUsers to life in a cluster that is Ready, and takes what nobody asks for out of it."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from confluent_kafka import KafkaException

from . import pki, topics, users
from .admin import Admin, explain
from .authorities import secret_data
from .cluster import Clusters
from .conditions import condition, dated
from .kube import Api, object_path, path_of
from .manifests import MANAGED_BY, owner, secret
from .store import Store, cluster_of
from .topology import CLUSTER_LABEL
from .work import Failure

log = logging.getLogger(__name__)
Body = dict[str, Any]


def with_finalizer(body: Body, present: bool) -> list[str]:
    """The object's finalizers with or without the topic operator's."""
    others = [f for f in body["metadata"].get("finalizers") or [] if f != topics.FINALIZER]
    return [*others, topics.FINALIZER] if present else others


def enabled(kafka: Body | None, operator: str) -> bool:
    """Whether spec.entityOperator asks for the topicOperator or the userOperator."""
    return kafka is not None and ((kafka["spec"].get("entityOperator") or {}).get(operator)) is not None


class Entities:
    """Topics and users of all clusters."""

    def __init__(self, api: Api, store: Store, clusters: Clusters) -> None:
        self._api, self._store, self._clusters = api, store, clusters
        self._passwords: dict[tuple[str, str, str], str] = {}

    def _admin(self, body: Body, operator: str) -> Admin | None:
        namespace, cluster = body["metadata"]["namespace"], cluster_of(body)
        if not enabled(self._store.get("Kafka", namespace, cluster), operator):
            return None
        return self._clusters.admin(namespace, cluster)

    async def topic(self, namespace: str, name: str) -> None:
        """One look at a KafkaTopic."""
        body = self._store.get("KafkaTopic", namespace, name)
        admin = self._admin(body, "topicOperator") if body else None
        if body is None or admin is None:
            return
        if body["metadata"].get("deletionTimestamp"):
            await self._delete_topic(admin, body)
            return
        if topics.FINALIZER not in (body["metadata"].get("finalizers") or []):
            await self._api.merge(object_path(body), {"metadata": {"finalizers": with_finalizer(body, True)}})
        kept = {k: v for k, v in (body.get("status") or {}).items() if k in ("topicName", "topicId")}
        try:
            topic = await self._make_topic(admin, body)
            kept, outcome = {"topicName": topic.name, "topicId": topic.id}, condition("Ready")
        except Failure as failure:
            outcome = condition("Ready", "False", failure.reason, str(failure))
        except KafkaException as error:
            outcome = condition("Ready", "False", "KafkaError", explain(error))
        await self._set_status(body, [outcome], kept)
        if outcome.get("reason") == "KafkaError":
            raise Failure("KafkaError", outcome["message"])

    async def _make_topic(self, admin: Admin, body: Body) -> topics.Topic:
        spec, name = body["spec"], topics.topic_name(body)
        self._refuse_rival(body, name)
        seen = await admin.topic(name)
        changes = topics.decide(spec, seen)
        if changes.create:
            replicas = spec.get("replicas") or -1
            await admin.create_topic(name, spec.get("partitions") or -1, replicas, topics.wanted_config(spec))
        if changes.partitions:
            await admin.grow_topic(name, changes.partitions)
        if changes.config:
            await admin.alter_config(name, changes.config)
        seen = await admin.topic(name)
        if seen is None:
            raise Failure("KafkaError", f"topic {name} is not visible yet")
        return seen

    def _refuse_rival(self, body: Body, name: str) -> None:
        """Two resources for one topic: the older one has it."""
        meta = body["metadata"]
        for other in self._store.of_cluster("KafkaTopic", meta["namespace"], cluster_of(body)):
            known = (other["spec"] or {}).get("topicName") or other["metadata"]["name"]
            older = (other["metadata"]["creationTimestamp"], other["metadata"]["name"]) < (
                meta["creationTimestamp"],
                meta["name"],
            )
            if known == name and older:
                where = f"namespace='{meta['namespace']}', name='{other['metadata']['name']}'"
                raise Failure("ResourceConflict", f"Managed by Ref{{{where}}}")

    async def _delete_topic(self, admin: Admin, body: Body) -> None:
        if topics.FINALIZER not in (body["metadata"].get("finalizers") or []):
            return
        name = (body.get("status") or {}).get("topicName")
        if name:  # a resource that never had the topic must not take it along
            await admin.delete_topic(name)
        await self._api.merge(object_path(body), {"metadata": {"finalizers": with_finalizer(body, False)}})

    async def user(self, namespace: str, name: str) -> None:
        """One look at a KafkaUser."""
        body = self._store.get("KafkaUser", namespace, name)
        admin = self._admin(body, "userOperator") if body else None
        if body is None or admin is None or body["metadata"].get("deletionTimestamp"):
            return
        known, failed = {"username": users.username(body)}, None
        try:
            if await self._make_secret(admin, body):
                known["secret"] = name
            await self._make_acls(admin, body)
            outcome = [condition("Ready")]
        except Failure as failure:
            outcome, failed = [condition("NotReady", "True", failure.reason, str(failure))], failure
        except KafkaException as error:
            failed = Failure("KafkaException", explain(error))
            outcome = [condition("NotReady", "True", failed.reason, str(failed))]
        outcome += [condition("Warning", "True", "NotSupported", text) for text in users.warnings(body)]
        await self._set_status(body, outcome, known)
        if failed and failed.reason == "KafkaException":
            raise failed

    async def _make_secret(self, admin: Admin, body: Body) -> bool:
        """Credential and Secret by the authentication type; answers whether there is a Secret."""
        kind = users.authentication(body)
        if kind == "scram-sha-512":
            await self._make_password(admin, body)
        elif kind == "tls":
            await self._make_certificate(body)
        return kind in ("scram-sha-512", "tls")

    async def _make_password(self, admin: Admin, body: Body) -> None:
        meta = body["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        kept = secret_data(await self._api.get(path_of("v1", "secrets", namespace, name)))
        password = await self._given_password(body) or kept.get("password", b"").decode() or pki.password()
        data = {"password": password.encode(), "sasl.jaas.config": users.jaas(name, password).encode()}
        if kept != data:
            await self._write_secret(body, data)
        key, digest = (namespace, cluster_of(body), name), hashlib.sha256(password.encode()).hexdigest()
        if self._passwords.get(key) != digest or name not in await admin.scram_users():
            await admin.set_password(name, password)
            self._passwords[key] = digest

    async def _given_password(self, body: Body) -> str:
        reference = users.password_reference(body)
        if reference is None:
            return ""
        namespace, (name, key) = body["metadata"]["namespace"], reference
        data = secret_data(await self._api.get(path_of("v1", "secrets", namespace, name)))
        if not data.get(key):
            raise Failure(
                "InvalidResourceException",
                f"Secret {namespace}/{name} with requested user password does not exist or has no key {key}",
            )
        return data[key].decode()

    async def _make_certificate(self, body: Body) -> None:
        meta = body["metadata"]
        namespace, cluster = meta["namespace"], cluster_of(body)

        async def read(name: str) -> dict[str, bytes]:
            return secret_data(await self._api.get(path_of("v1", "secrets", namespace, name)))

        certificate, key = await read(f"{cluster}-clients-ca-cert"), await read(f"{cluster}-clients-ca")
        ca, kept = pki.Pair(certificate["ca.crt"], key["ca.key"]), await read(meta["name"])
        pair = pki.Pair(kept.get("user.crt", b""), kept.get("user.key", b""))
        if pair.certificate and pki.serves(pair, ca, []):
            return
        pair, password = pki.issue(ca, meta["name"], [], organization=""), pki.password(12)
        data = {"ca.crt": ca.certificate, "user.crt": pair.certificate, "user.key": pair.key}
        data |= {"user.p12": pki.keystore(pair, meta["name"], password), "user.password": password.encode()}
        await self._write_secret(body, data)

    async def _write_secret(self, body: Body, data: dict[str, bytes]) -> None:
        meta = body["metadata"]
        template = ((body["spec"].get("template") or {}).get("secret") or {}).get("metadata") or {}
        tags = {**MANAGED_BY, CLUSTER_LABEL: cluster_of(body), "strimzi.io/kind": "KafkaUser"}
        made = secret(meta["name"], meta["namespace"], data, owner(body), tags | (template.get("labels") or {}))
        made["metadata"]["annotations"] = template.get("annotations") or {}
        await self._api.apply(made)

    async def _make_acls(self, admin: Admin, body: Body) -> None:
        kafka = self._store.get("Kafka", body["metadata"]["namespace"], cluster_of(body))
        wanted = users.wanted_acls(body)
        if kafka is None or not kafka["spec"]["kafka"].get("authorization"):
            if wanted:
                raise Failure(
                    "InvalidResourceException",
                    "Simple authorization ACL rules are configured but not supported in the Kafka cluster "
                    "configuration.",
                )
            return
        seen = await admin.acls(f"User:{users.username(body)}")
        await admin.create_acls(wanted - seen)
        await admin.delete_acls(seen - wanted)

    async def sweep(self, namespace: str, cluster: str) -> None:
        """Removes credentials and ACLs whose KafkaUser has gone, also while the operator was away."""
        kafka, admin = self._store.get("Kafka", namespace, cluster), self._clusters.admin(namespace, cluster)
        if kafka is None or admin is None or not enabled(kafka, "userOperator"):
            return
        known = {users.username(u) for u in self._store.of_cluster("KafkaUser", namespace, cluster)}
        acls = await admin.acls() if kafka["spec"]["kafka"].get("authorization") else set()
        scram, extra = users.strangers(await admin.scram_users(), acls, known)
        for name in scram:
            await admin.delete_password(name)
            self._passwords.pop((namespace, cluster, name), None)
        await admin.delete_acls(extra)

    async def _set_status(self, body: Body, outcome: list[dict[str, Any]], known: Body) -> None:
        old = (body.get("status") or {}).get("conditions")
        generation = body["metadata"]["generation"]
        status = {"conditions": dated(old, outcome), "observedGeneration": generation, **known}
        await self._api.set_status(body, status)
