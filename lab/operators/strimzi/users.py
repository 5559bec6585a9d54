# SPDX-License-Identifier: GPL-3.0-or-later
"""What a KafkaUser means in Kafka: its ACLs, its Secret. Pure: admin.py does it, operator.py asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .work import Failure


@dataclass(frozen=True)
class Acl:
    """One ACL in a KafkaUser's words."""

    principal: str
    resource: str
    name: str
    pattern: str
    operation: str
    host: str = "*"
    permission: str = "allow"


def authentication(body: dict[str, Any]) -> str:
    """The authentication type, "" for none."""
    return ((body["spec"].get("authentication")) or {}).get("type", "")


def username(body: dict[str, Any]) -> str:
    """The user's name in Kafka: its certificate's subject with tls, else the resource's name."""
    name = body["metadata"]["name"]
    return f"CN={name}" if authentication(body) in ("tls", "tls-external") else name


def wanted_acls(body: dict[str, Any]) -> set[Acl]:
    """Every operation of every rule as one ACL."""
    authorization = body["spec"].get("authorization") or {}
    if authorization.get("type", "simple") != "simple":
        raise Failure("InvalidResourceException", f"expected authorization.type simple, saw {authorization['type']}")
    principal = f"User:{username(body)}"
    return {
        Acl(
            principal,
            rule["resource"]["type"],
            "kafka-cluster" if rule["resource"]["type"] == "cluster" else rule["resource"]["name"],
            rule["resource"].get("patternType") or "literal",
            operation,
            rule.get("host") or "*",
            rule.get("type") or "allow",
        )
        for rule in authorization.get("acls") or []
        for operation in rule["operations"]
    }


def jaas(user: str, password: str) -> str:
    """sasl.jaas.config of the user's Secret."""
    return f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{user}" password="{password}";'


def password_reference(body: dict[str, Any]) -> tuple[str, str] | None:
    """Secret name and key of spec.authentication.password, or None."""
    password = (body["spec"].get("authentication") or {}).get("password") or {}
    reference = (password.get("valueFrom") or {}).get("secretKeyRef")
    return (reference["name"], reference["key"]) if reference else None


def warnings(body: dict[str, Any]) -> list[str]:
    """What the stand-in does not do, said in the user's status."""
    if body["spec"].get("quotas"):
        return ["spec.quotas is not enforced by this stand-in: its Kafka client has no quota call"]
    return []


def strangers(scram: set[str], acls: set[Acl], known: set[str]) -> tuple[set[str], set[Acl]]:
    """Credentials and ACLs that no KafkaUser asks for (`known`: their names in Kafka). Strimzi removes them too."""
    return scram - known, {a for a in acls if a.principal.removeprefix("User:") not in known}
