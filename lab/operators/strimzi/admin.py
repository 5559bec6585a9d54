# SPDX-License-Identifier: GPL-3.0-or-later
"""All talk with a broker: topics, SCRAM credentials, ACLs, by the Kafka admin protocol. Decides nothing."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from .topics import Topic
from .users import Acl

T = TypeVar("T")
SECONDS = 10.0
ITERATIONS = 4096
RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "cluster": ResourceType.BROKER,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}
RESOURCE_NAMES = {value: key for key, value in RESOURCES.items()}
PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}
PATTERN_NAMES = {value: key for key, value in PATTERNS.items()}
DYNAMIC_TOPIC_CONFIG = 1  # ConfigSource: set on the topic itself


@dataclass(frozen=True)
class Credentials:
    """The operator's certificate and the authority that signed the brokers' (PEM)."""

    ca: bytes
    certificate: bytes
    key: bytes


async def done(future: ThreadFuture[T]) -> T:
    """The result of a call of librdkafka's."""
    return await asyncio.wrap_future(future)


def explain(error: KafkaException) -> str:
    """Kafka's own words for what went wrong."""
    inner: KafkaError = error.args[0]
    return inner.str() or inner.name()


class Admin:
    """One cluster's admin connection, as the super user CN=cluster-operator."""

    def __init__(self, bootstrap: str, credentials: Credentials) -> None:
        self.credentials = credentials
        self._client = AdminClient(
            {
                "bootstrap.servers": bootstrap,
                "security.protocol": "SSL",
                "ssl.ca.pem": credentials.ca.decode(),
                "ssl.certificate.pem": credentials.certificate.decode(),
                "ssl.key.pem": credentials.key.decode(),
                "socket.timeout.ms": 10000,
                "log_level": 2,
            }
        )

    async def broker_ids(self) -> list[int]:
        """The ids of the brokers that are up."""
        cluster = await done(self._client.describe_cluster(request_timeout=5))
        return sorted(n.id for n in cluster.nodes)

    async def topic(self, name: str) -> Topic | None:
        """A topic as it is; its config holds what is set on the topic itself. None when there is none."""
        future = self._client.describe_topics(TopicCollection([name]), request_timeout=SECONDS)[name]
        try:
            found = await done(future)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise
        replicas = [len(p.replicas) for p in found.partitions]
        return Topic(name, len(replicas), max(replicas, default=0), await self._config(name), str(found.topic_id))

    async def _config(self, topic: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        entries = await done(self._client.describe_configs([resource], request_timeout=SECONDS)[resource])
        return {name: e.value for name, e in entries.items() if e.source == DYNAMIC_TOPIC_CONFIG}

    async def create_topic(self, name: str, partitions: int, replicas: int, config: dict[str, str]) -> None:
        new = NewTopic(name, num_partitions=partitions, replication_factor=replicas, config=config)
        await done(self._client.create_topics([new], request_timeout=SECONDS)[name])

    async def grow_topic(self, name: str, partitions: int) -> None:
        await done(self._client.create_partitions([NewPartitions(name, partitions)], request_timeout=SECONDS)[name])

    async def alter_config(self, topic: str, changes: dict[str, str | None]) -> None:
        """Sets options, or removes those whose value is None."""
        resource = ConfigResource(
            ConfigResource.Type.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(
                    k, v, incremental_operation=AlterConfigOpType.DELETE if v is None else AlterConfigOpType.SET
                )
                for k, v in changes.items()
            ],
        )
        await done(self._client.incremental_alter_configs([resource], request_timeout=SECONDS)[resource])

    async def delete_topic(self, name: str) -> None:
        """Deletes a topic; one that is not there is as good as deleted."""
        try:
            await done(self._client.delete_topics([name], request_timeout=SECONDS)[name])
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise

    async def scram_users(self) -> set[str]:
        """The users that have a SCRAM-SHA-512 credential."""
        found: Any = await done(self._client.describe_user_scram_credentials(request_timeout=SECONDS))
        wanted = ScramMechanism.SCRAM_SHA_512
        return {u for u, d in found.items() if any(i.mechanism == wanted for i in d.scram_credential_infos)}

    async def set_password(self, user: str, password: str) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        change = UserScramCredentialUpsertion(user, info, password.encode(), secrets.token_bytes(32))
        await done(self._client.alter_user_scram_credentials([change], request_timeout=SECONDS)[user])

    async def delete_password(self, user: str) -> None:
        change = UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512)
        try:
            await done(self._client.alter_user_scram_credentials([change], request_timeout=SECONDS)[user])
        except KafkaException as error:
            if error.args[0].code() != KafkaError.RESOURCE_NOT_FOUND:
                raise

    async def acls(self, principal: str | None = None) -> set[Acl]:
        """The ACLs of one principal, or all."""
        any_acl = AclBindingFilter(
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            principal,
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        found = await done(self._client.describe_acls(any_acl, request_timeout=SECONDS))
        return {acl for acl in (_from_binding(b) for b in found) if acl}

    async def create_acls(self, acls: set[Acl]) -> None:
        futures = self._client.create_acls([_to_binding(a) for a in acls], request_timeout=SECONDS) if acls else {}
        for future in futures.values():
            await done(future)

    async def delete_acls(self, acls: set[Acl]) -> None:
        filters = [_to_filter(a) for a in acls]
        futures = self._client.delete_acls(filters, request_timeout=SECONDS) if filters else {}
        for future in futures.values():
            await done(future)


def _enum_name(operation: AclOperation) -> str:
    """CLUSTER_ACTION -> ClusterAction, as KafkaUser spells it."""
    return "".join(part.capitalize() for part in operation.name.split("_"))


OPERATIONS = {_enum_name(o): o for o in AclOperation}


def _binding_arguments(acl: Acl) -> tuple[Any, ...]:
    permission = AclPermissionType.ALLOW if acl.permission == "allow" else AclPermissionType.DENY
    return (
        RESOURCES[acl.resource],
        acl.name,
        PATTERNS[acl.pattern],
        acl.principal,
        acl.host,
        OPERATIONS[acl.operation],
        permission,
    )


def _to_binding(acl: Acl) -> AclBinding:
    return AclBinding(*_binding_arguments(acl))


def _to_filter(acl: Acl) -> AclBindingFilter:
    return AclBindingFilter(*_binding_arguments(acl))


def _from_binding(binding: AclBinding) -> Acl | None:
    """None for what a KafkaUser cannot say (delegation tokens, user resources)."""
    if binding.restype not in RESOURCE_NAMES or binding.resource_pattern_type not in PATTERN_NAMES:
        return None
    return Acl(
        binding.principal,
        RESOURCE_NAMES[binding.restype],
        binding.name,
        PATTERN_NAMES[binding.resource_pattern_type],
        _enum_name(binding.operation),
        binding.host,
        "allow" if binding.permission_type == AclPermissionType.ALLOW else "deny",
    )
