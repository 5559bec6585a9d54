# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges a cluster before anything is installed on it: version, operators' packages, storage classes, DNS and rights.

Pure: objects are dicts as the API server returns them. _room and _quotas judge how much there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _olm_verdicts as verdicts
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import Finding
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import (
    Object,
    Operator,
    listed,
    named,
    status,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._versions import above, within

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def judge_variables(missing: list[str]) -> Finding:
    return Finding(
        "inventory",
        "every variable that a facility must give is set",
        not missing,
        f"not set, or empty: {listed(missing)}.",
        "Add them to group_vars/facilities.yml or the host's host_vars; inventories/example shows each.",
    )


def judge_version(version: str, span: str) -> Finding:
    new = above(version, span)
    return Finding(
        "cluster",
        f"Kubernetes {version} is one of {span}",
        True if within(version, span) else None if new else False,
        "it is newer than any that this collection was tried on." if new else "it is too old.",
        "OpenShift 4.N has Kubernetes 1.(N+13).",
    )


# Operators


def operator_of(entry: dict[str, Any]) -> Operator:
    """Of an entry of operators_list; what its Subscription only needs later is left out."""
    names = ("package", "namespace", "source", "source_namespace", "channel", "starting_csv")
    return Operator(**{"package": "", "namespace": "", **{name: entry[name] for name in names if entry.get(name)}})


def judge_package(operator: Operator, manifests: list[Object]) -> Finding:
    """`manifests` may be those of other catalogs, too."""
    own = [entry for entry in manifests if status(entry).get("catalogSource") == operator.source]
    manifest = named(own, operator.package)
    channel = operator.channel or status(manifest).get("defaultChannel")
    found = next((entry for entry in status(manifest).get("channels") or [] if entry["name"] == channel), None)
    wish = f"catalog {operator.source} has {verdicts.say_wish(operator)}"
    if not own:
        look = f"kubectl -n {operator.source_namespace} get catalogsource"
        cure = f"Set source and source_namespace to a CatalogSource that works: {look}"
        return Finding("operators", wish, False, "it has no package at all, or is not there.", cure)
    right = bool(found) and has_version(found, operator.starting_csv)
    return Finding("operators", wish, right, "it has not.", verdicts.available(operator, manifests).strip())


def has_version(channel: Object, csv: str | None) -> bool:
    """Older catalogs list no entries of a channel: only its newest is known then."""
    names = [entry["name"] for entry in channel.get("entries") or []]
    return not csv or csv == channel.get("currentCSV") or csv in names or not names


# Storage


def judge_classes(classes: list[Object], volumes: list[dict[str, Any]]) -> Iterator[Finding]:
    names = [entry["metadata"]["name"] for entry in classes]
    for volume in volumes:
        wanted = volume.get("storage_class")
        if wanted:
            yield Finding(
                "storage",
                f"storage class {wanted} of {volume['what']} exists",
                wanted in names,
                f"the cluster has {listed(names)}.",
                f"Set {volume['set_by']} to one of them." if volume.get("set_by") else "",
            )
    yield judge_default(names, default_classes(classes), [entry for entry in volumes if not entry.get("storage_class")])


def judge_default(names: list[str], defaults: list[str], volumes: list[dict[str, Any]]) -> Finding:
    """`volumes` are those that want the default class. Without any, none need be the default."""
    told = f": {defaults[0]}" if len(defaults) == 1 else "" if volumes or defaults else ", or none as none is asked for"
    variables = ", ".join(entry["set_by"] for entry in volumes if entry.get("set_by"))
    return Finding(
        "storage",
        f"one storage class is the default{told}",
        len(defaults) == 1 or not (defaults or volumes),
        f"it is {listed(defaults)} of {listed(names)}.",
        f'Set the annotation {DEFAULT_CLASS} of exactly one to "true"{f", or set {variables}" if variables else ""}.',
    )


def default_classes(classes: list[Object]) -> list[str]:
    found = (entry["metadata"] for entry in classes)
    return [entry["name"] for entry in found if (entry.get("annotations") or {}).get(DEFAULT_CLASS) == "true"]


# DNS


def judge_dns(namespace: str, service: str, slices: list[Object]) -> Finding:
    """By the EndpointSlices of the cluster's DNS service: whether a pod really gets an answer, only a pod can tell."""
    ready = sum(
        1
        for entry in slices
        for endpoint in entry.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    )
    return Finding(
        "DNS",
        f"the cluster's DNS, Service {namespace}/{service}, has {ready} servers that are ready",
        ready > 0,
        "nothing stands behind it.",
        f"Look at its pods: kubectl -n {namespace} get pods",
    )


# Rights


@dataclass(frozen=True)
class Right:
    """`resource` may have a subresource ("pods/log"); `namespace` is empty for what lies in none."""

    group: str
    resource: str
    verb: str
    namespace: str

    def __str__(self) -> str:
        name, slash, part = self.resource.partition("/")
        return f"{name}{f'.{self.group}' if self.group else ''}{slash}{part}"


def rights_of(entries: list[dict[str, Any]], namespace: str, exists: bool, openshift: bool) -> list[Right]:
    """Every right of the list that this cluster calls for. `exists`: the namespace is there already."""
    places = [entry for entry in entries if entry.get("only_on") in (None, "openshift" if openshift else "kubernetes")]
    found = [Right("", "namespaces", verb, namespace) for verb in ("get", "patch", "delete")]
    found += [] if exists else [Right("", "namespaces", "create", "")]
    found += [
        Right(entry.get("group") or "", entry["resource"], verb, place)
        for entry in places
        for place in (entry["namespaces"] if entry.get("namespaces") is not None else [namespace])
        for verb in entry["verbs"]
    ]
    return list(dict.fromkeys(found))


def review_of(right: Right) -> Object:
    resource, _slash, subresource = right.resource.partition("/")
    wanted = {
        "group": right.group, "resource": resource, "subresource": subresource, "verb": right.verb,
        "namespace": right.namespace,
    }  # fmt: skip
    if resource == "namespaces":
        wanted["name"] = right.namespace
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }


def judge_rights(asked: list[Right], denied: list[Right]) -> Iterator[Finding]:
    """One finding for all that is allowed, one for each namespace and set of verbs that are not."""
    if not denied:
        yield Finding("rights", f"this user may do all of the {len(asked)} things that the roles do")
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in denied:
        verbs.setdefault((str(right), right.namespace), []).append(right.verb)
    resources: dict[tuple[str, str], list[str]] = {}
    for (name, place), some in verbs.items():
        resources.setdefault((", ".join(some), place), []).append(name)
    for (some, place), names in resources.items():
        verb, option = some.partition(",")[0], f" -n {place}" if place else ""
        yield Finding(
            "rights",
            f"this user may {some} {'in namespace ' + place if place else 'in the whole cluster'}",
            False,
            f"not so {', '.join(names)}.",
            f"Have an administrator bind a role for it; check with kubectl auth can-i {verb} {names[0]}{option}",
        )
