#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a file-based catalog of OLM: catalog.py BUNDLES OUT CRD_FOLDER...

BUNDLES is a folder of YAML files. The first document of each is a ClusterServiceVersion, whose annotations name package
and channel; others go beside it, and the CRDs that it owns come out of the last folders. All objects are in the catalog
itself, so OLM needs no bundle image and no Job that unpacks one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
ANNOTATION = "operators.operatorframework.io.bundle"


def read_crds(folders: list[Path]) -> dict[str, Object]:
    """Every CRD by its name, without its conversion webhook: of each one version is used here, and nobody runs it."""
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml"))]
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    crds = {entry["metadata"]["name"]: entry for entry in documents if entry}
    for crd in crds.values():
        crd["spec"].pop("conversion", None)
    return crds


def versioned(text: str, crds: list[Object]) -> str:
    """The text with a version for its content. Any other is an upgrade: the channel's skipRange holds all versions."""
    content = text + json.dumps(crds, sort_keys=True, default=str)
    return text.replace("@version@", f"g{hashlib.sha256(content.encode()).hexdigest()[:8]}")


def owned_by(csv: Object, crds: dict[str, Object], file: Path) -> list[Object]:
    names = [entry["name"] for entry in csv["spec"]["customresourcedefinitions"]["owned"]]
    if missing := set(names) - set(crds):
        raise SystemExit(f"{file}: owns {', '.join(sorted(missing))}, which no folder of CRDs has")
    return [crds[name] for name in names]


def carried(obj: Object) -> Object:
    """An object as a property of its bundle."""
    return {"type": "olm.bundle.object", "value": {"data": base64.b64encode(json.dumps(obj).encode()).decode()}}


def provided(entry: Object) -> Object:
    """A CRD of the CSV as a property of its bundle."""
    value = {"group": entry["name"].split(".", 1)[1], "kind": entry["kind"], "version": entry["version"]}
    return {"type": "olm.gvk", "value": value}


def package(file: Path, crds: dict[str, Object]) -> list[Object]:
    """A package with one channel and one bundle in it."""
    text = file.read_text()
    own = owned_by(next(yaml.safe_load_all(text)), crds, file)
    csv, *others = yaml.safe_load_all(versioned(text, own))
    meta, version = csv["metadata"], csv["spec"]["version"]
    name, channel = (meta["annotations"][f"{ANNOTATION}.{key}.v1"] for key in ("package", "channels"))
    properties = [
        {"type": "olm.package", "value": {"packageName": name, "version": version}},
        *map(provided, csv["spec"]["customresourcedefinitions"]["owned"]),
        *map(carried, [csv, *others, *own]),
    ]
    entries = [{"name": meta["name"], "skipRange": ">=0.0.0-0"}]
    return [
        {"schema": "olm.package", "name": name, "defaultChannel": channel},
        {"schema": "olm.channel", "name": channel, "package": name, "entries": entries},
        {"schema": "olm.bundle", "name": meta["name"], "package": name, "properties": properties},
    ]


def main(bundles: Path, out: Path, *folders: Path) -> None:
    crds = read_crds(list(folders))
    documents = [document for file in sorted(bundles.glob("*.yaml")) for document in package(file, crds)]
    out.mkdir(parents=True, exist_ok=True)
    (out / "catalog.json").write_text("\n".join(map(json.dumps, documents)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
