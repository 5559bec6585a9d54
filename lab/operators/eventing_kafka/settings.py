# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dispatcher is told: one JSON document in its environment, secrets as files. Only `read_auth` does IO."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .connection import Auth, from_net, net_references
from .delivery import Policy

CREDENTIALS = Path("/etc/kafka-source")
KEY_TYPE_LABEL = "kafkasources.sources.knative.dev/key-type"


@dataclass(frozen=True)
class Settings:
    """A KafkaSource, resolved: addresses instead of references, defaults filled in."""

    namespace: str
    name: str
    bootstrap: str
    topics: list[str]
    group: str
    initial_offset: str
    ordered: bool
    consumers: int
    sink: str
    dead_letter_sink: str
    policy: Policy
    net: dict[str, Any] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)
    key_type: str = "string"

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, document: str) -> Settings:
        fields = json.loads(document)
        return cls(**{**fields, "policy": Policy(**fields["policy"])})


def read_auth(net: dict[str, Any], folder: Path = CREDENTIALS) -> Auth:
    """The mounted credentials of spec.net: one file per reference, named for what it is."""
    values = {name: (folder / name).read_text() for name in net_references(net)}
    return from_net(net, values)
