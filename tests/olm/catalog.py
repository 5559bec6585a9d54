# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the catalog that the tests install from: packages that work, and one for each way to fail.

Most bundles carry their objects in the catalog itself, so OLM needs no image and no Job to unpack them.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

GROUP = "olm-test.example.com"
MODES = ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
CRASHES = ["/crash"]  # the kubelet's stand-in lets a container with this command crash

Object = dict[str, Any]


def crd(package: str) -> Object:
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{package}s.{GROUP}"},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {
                "kind": package.capitalize(), "listKind": f"{package.capitalize()}List",
                "plural": f"{package}s", "singular": package,
            },
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }],
        },
    }  # fmt: skip


def csv(package: str, version: str, replaces: str = "", modes: tuple[str, ...] = MODES, **deployment: Any) -> Object:
    name = f"{package}-operator"
    required = [
        {"name": f"{plural}.{GROUP}", "version": "v1", "kind": plural.capitalize(), "displayName": plural}
        for plural in deployment.pop("required", ())
    ]
    pod = {
        "serviceAccountName": name, "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "operator", "image": "none", "command": deployment.pop("command", ["/operator"])}],
    }  # fmt: skip
    spec = {
        "replicas": 1, "selector": {"matchLabels": {"app": name}}, **deployment,
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }  # fmt: skip
    owned = {"name": f"{package}s.{GROUP}", "version": "v1", "kind": package.capitalize(), "displayName": package}
    rights = {"apiGroups": [GROUP], "resources": [f"{package}s"], "verbs": ["*"]}
    return {
        "apiVersion": "operators.coreos.com/v1alpha1", "kind": "ClusterServiceVersion",
        "metadata": {"name": f"{name}.v{version}"},
        "spec": {
            "displayName": package, "version": version, "provider": {"name": "tests"}, "maturity": "stable",
            **({"replaces": replaces} if replaces else {}),
            "installModes": [{"type": mode, "supported": mode in modes} for mode in MODES],
            "customresourcedefinitions": {"owned": [owned], "required": required},
            "install": {"strategy": "deployment", "spec": {
                "clusterPermissions": [{"serviceAccountName": name, "rules": [rights]}],
                "deployments": [{"name": name, "spec": spec}],
            }},
        },
    }  # fmt: skip


def carried(obj: Object) -> Object:
    return {"type": "olm.bundle.object", "value": {"data": base64.b64encode(json.dumps(obj).encode()).decode()}}


def bundle(package: str, version: str, csv: Object, crd: Object, needs: str = "") -> Object:
    kind = package.capitalize()
    properties = [
        {"type": "olm.package", "value": {"packageName": package, "version": version}},
        {"type": "olm.gvk", "value": {"group": GROUP, "kind": kind, "version": "v1"}},
        carried(csv), carried(crd),
    ]  # fmt: skip
    if needs:
        properties.append({"type": "olm.package.required", "value": {"packageName": needs, "versionRange": ">=1.0.0"}})
    return {"schema": "olm.bundle", "name": csv["metadata"]["name"], "package": package, "properties": properties}


def package(name: str, *versions: str, needs: str = "", crd_of: Object | None = None, **options: Any) -> list[Object]:
    """A package whose channel `stable` leads from each version to the next."""
    names = [f"{name}-operator.v{version}" for version in versions]
    replaced = ["", *names[:-1]]
    entries = [{"name": own, **({"replaces": old} if old else {})} for own, old in zip(names, replaced, strict=True)]
    return [
        {"schema": "olm.package", "name": name, "defaultChannel": "stable"},
        {"schema": "olm.channel", "name": "stable", "package": name, "entries": entries},
        *(
            bundle(name, version, csv(name, version, old, **options), crd_of or crd(name), needs)
            for version, old in zip(versions, replaced, strict=True)
        ),
    ]


def packed(name: str) -> list[Object]:
    """A package whose bundle is an image that nobody serves."""
    own = {"type": "olm.package", "value": {"packageName": name, "version": "1.0.0"}}
    return [
        {"schema": "olm.package", "name": name, "defaultChannel": "stable"},
        {"schema": "olm.channel", "name": "stable", "package": name, "entries": [{"name": f"{name}-operator.v1.0.0"}]},
        {
            "schema": "olm.bundle", "name": f"{name}-operator.v1.0.0", "package": name,
            "image": "127.0.0.1:1/packed:1", "properties": [own],
        },
    ]  # fmt: skip


def write(folder: Path) -> None:
    refused = crd("refused")
    refused["spec"]["names"]["plural"] = "others"  # the API server wants it to be the name's first part
    documents = [
        *package("demo", "1.0.0", "1.1.0", "1.2.0"),
        *package("other", "1.0.0", "1.1.0"),
        *package("wide", "1.0.0"),
        *package("base", "1.0.0"),
        *package("needing", "1.0.0", needs="base"),
        *package("lonely", "1.0.0", needs="nowhere"),
        *package("modest", "1.0.0", modes=("OwnNamespace",)),
        *package("crashing", "1.0.0", command=CRASHES),
        *package("lacking", "1.0.0", required=["gadgets"]),
        *package("overdue", "1.0.0", command=CRASHES, progressDeadlineSeconds=3),
        *package("refused", "1.0.0", crd_of=refused),
        *packed("packed"),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "catalog.json").write_text("\n".join(map(json.dumps, documents)))
