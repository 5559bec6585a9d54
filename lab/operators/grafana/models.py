# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GrafanaDatasource or GrafanaDashboard would put into Grafana, and what Grafana would refuse. Pure."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
SOURCES = ("json", "gzipJson", "url", "jsonnet", "jsonnetLib", "grafanaCom", "configMapRef")
BUILT_IN = ("grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --")


class Invalid(Exception):
    """The resource itself is wrong: the condition InvalidSpec."""


class Refused(Exception):
    """Grafana would not take it: the condition Synchronized is False."""


@dataclass(frozen=True)
class Model:
    """Something for Grafana, its uid there, and a hash of its text."""

    content: Body
    uid: str
    hash: str


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def datasource(body: Body, references: list[tuple[str, str, str]]) -> Model:
    """The datasource with its Secrets filled in, one after the other: (targetPath, key, value)."""
    spec = body["spec"]
    content = json.loads(json.dumps(spec["datasource"]))
    uid = spec.get("uid") or content.get("uid") or body["metadata"]["uid"]
    content["uid"] = uid
    for path, key, value in references:
        *parents, last = path.split(".")
        place = content
        for name in parents:
            place = place.get(name) or {}
        if not isinstance(place.get(last), str):
            raise Invalid(f"pattern must be a string: datasource.{path} of valuesFrom")
        place[last] = place[last].replace(f"${{{key}}}", value).replace(f"${key}", value)
    for name in ("name", "type", "access"):
        if not content.get(name):
            raise Refused(f"a datasource needs {name}")
    return Model(content, uid, digest(json.dumps(content, sort_keys=True)))


def source(spec: Body) -> str:
    """The one field that the dashboard's model comes from."""
    found = [name for name in SOURCES if spec.get(name)]
    if len(found) != 1:
        raise Invalid(f"expected one source of the dashboard's model, saw {', '.join(found) or 'none'}")
    if found[0] not in ("json", "gzipJson", "configMapRef"):
        raise Invalid(f"the source {found[0]} is not in this stand-in; use json, gzipJson or configMapRef")
    return found[0]


def dashboard(body: Body, text: str | None = None) -> Model:
    """The dashboard's model out of the resource, or out of the ConfigMap's `text`."""
    spec = body["spec"]
    if text is None:
        packed = spec.get("gzipJson")
        text = gzip.decompress(base64.b64decode(packed)).decode() if packed else spec["json"]
    for renamed in spec.get("datasources") or []:
        text = text.replace(f"${{{renamed['inputName']}}}", renamed["datasourceName"])
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Invalid(f"failed to extract model: {error}") from error
    if not isinstance(content, dict):
        raise Invalid(f"failed to extract model: expected a JSON object, saw {type(content).__name__}")
    uid = spec.get("uid") or content.get("uid")
    # The operator takes the resource's own uid then: a dashboard whose address changes when it is made again.
    if not uid or len(uid) > 40:
        raise Refused(f"expected a dashboard uid of 1 to 40 characters, saw {uid!r}")
    if not content.get("title"):
        raise Refused("Dashboard title cannot be empty")
    return Model(content, uid, digest(text))


def datasources_used(part: Any) -> Iterator[str]:
    """Each uid (or name, in old models) of a datasource anywhere in a dashboard's model."""
    if isinstance(part, list):
        for item in part:
            yield from datasources_used(item)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key != "datasource":
            yield from datasources_used(value)
        elif isinstance(value, str):
            yield value
        elif isinstance(value, dict) and value.get("uid"):
            yield value["uid"]


def check_datasources(model: Model, known: set[str]) -> None:
    """Refuses a reference to no datasource: Grafana would show an empty panel, which nobody looks at in a test."""
    variables = {v["name"] for v in (model.content.get("templating") or {}).get("list") or [] if "name" in v}
    allowed = known | set(BUILT_IN) | {f"${{{name}}}" for name in variables} | {f"${name}" for name in variables}
    unknown = sorted(set(datasources_used(model.content)) - allowed)
    if unknown:
        raise Refused(f"no datasource has the uid {', '.join(unknown)}; there are {', '.join(sorted(known)) or 'none'}")
