# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's catalogs: bundles become packages, channels and bundles that carry their objects."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import catalog
import pytest
import yaml

LAB = Path(__file__).resolve().parents[3] / "lab"
BUNDLE = """
metadata:
  name: demo.v1.0.0-@version@
  annotations:
    operators.operatorframework.io.bundle.package.v1: demo
    operators.operatorframework.io.bundle.channels.v1: stable
spec:
  version: 1.0.0-@version@
  image: {image}
  customresourcedefinitions: {{owned: [{{name: demos.example.com, version: v1, kind: Demo}}]}}
---
kind: ConfigMap
"""
CRD = {"metadata": {"name": "demos.example.com"}, "spec": {"conversion": {"strategy": "Webhook"}}}


@pytest.fixture
def made(tmp_path):
    """Writes a catalog of one bundle and answers its documents by schema."""
    (tmp_path / "bundles").mkdir()
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "crd.yaml").write_text(yaml.safe_dump(CRD))

    def make(image: str = "one", text: str = BUNDLE) -> dict[str, dict]:
        (tmp_path / "bundles" / "demo.yaml").write_text(text.format(image=image))
        catalog.main(tmp_path / "bundles", tmp_path / "out", tmp_path / "crds")
        lines = (tmp_path / "out" / "catalog.json").read_text().splitlines()
        return {document["schema"]: document for document in map(json.loads, lines)}

    return make


def carried(bundle: dict) -> list[dict]:
    values = [p["value"] for p in bundle["properties"] if p["type"] == "olm.bundle.object"]
    return [json.loads(base64.b64decode(value["data"])) for value in values]


def test_a_bundle_carries_its_objects_and_the_crds_that_it_owns(made):
    found = made()
    csv, config, crd = carried(found["olm.bundle"])
    assert found["olm.package"]["defaultChannel"] == found["olm.channel"]["name"] == "stable"
    assert found["olm.bundle"]["name"] == csv["metadata"]["name"]
    assert csv["metadata"]["name"].removeprefix("demo.v") == csv["spec"]["version"]
    assert config == {"kind": "ConfigMap"}
    assert crd == {"metadata": {"name": "demos.example.com"}, "spec": {}}


def test_another_image_is_another_version_that_replaces_the_old_one(made):
    old, new, again = made("one"), made("two"), made("one")
    assert old == again
    assert old["olm.bundle"]["name"] != new["olm.bundle"]["name"]
    assert new["olm.channel"]["entries"][0]["skipRange"] == ">=0.0.0-0"


def test_a_crd_that_nobody_has_is_named(made):
    with pytest.raises(SystemExit, match=r"demo\.yaml: owns others\.example\.com, which no folder of CRDs has"):
        made(text=BUNDLE.replace("demos.example.com", "others.example.com"))


@pytest.mark.parametrize("file", sorted((LAB / "catalog").glob("*-operators/*.yaml")), ids=lambda file: file.stem)
def test_the_labs_accounts_have_rights_and_deployments(file):
    """OLM makes an account only for rights: one without them has no pods."""
    csv = next(yaml.safe_load_all(file.read_text()))
    install = csv["spec"]["install"]["spec"]
    accounts = {entry["serviceAccountName"] for entry in install["clusterPermissions"] + install.get("permissions", [])}
    used = {entry["spec"]["template"]["spec"]["serviceAccountName"] for entry in install["deployments"]}
    assert accounts == used
