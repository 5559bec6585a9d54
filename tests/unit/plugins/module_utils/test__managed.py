# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed as managed
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import Facility, Refusal


@pytest.mark.parametrize("name", ["c.9", "North", "-north", "north-", "n" * 64, ""])
def test_a_name_that_no_namespace_can_have_is_refused(name):
    with pytest.raises(Refusal, match="at most 63 lower-case letters"):
        managed.check(Facility(name))


@pytest.mark.parametrize("name", ["n", "north", "n" * 63, "7-north"])
def test_a_name_that_a_namespace_can_have(name):
    managed.check(Facility(name))


def test_the_hubs_own_cluster_is_not_imported():
    with pytest.raises(Refusal, match="the hub imports by itself"):
        managed.check(Facility("local-cluster", import_by="manifests"))


def test_the_set_is_no_label():
    with pytest.raises(Refusal, match="give its set as cluster_set"):
        managed.check(Facility("north", labels={managed.SET_LABEL: "edge"}))


def test_a_managed_cluster():
    obj = managed.managed_cluster(Facility("north", labels={"tier": "edge"}, cluster_set="clinics"))
    assert obj["metadata"] == {"name": "north", "labels": {"tier": "edge", managed.SET_LABEL: "clinics"}}
    assert obj["spec"] == {"hubAcceptsClient": True, "leaseDurationSeconds": 60}


def test_of_the_hub_itself_only_labels_are_managed():
    assert "spec" not in managed.managed_cluster(Facility("local-cluster", labels={"tier": "hub"}))


def test_a_hosted_agent_is_told_by_annotations():
    obj = managed.managed_cluster(Facility("north", import_by="hosted", hosting_cluster="big"))
    assert obj["metadata"]["annotations"] == {
        "import.open-cluster-management.io/klusterlet-deploy-mode": "Hosted",
        "import.open-cluster-management.io/hosting-cluster-name": "big",
    }


def test_an_addon_config_is_the_facilitys_own():
    spec = managed.addon_config(Facility("north", addons={"searchCollector": {"enabled": False}, "clusterName": "x"}))
    assert spec["spec"] == {
        "searchCollector": {"enabled": False}, "clusterName": "north", "clusterNamespace": "north",
    }  # fmt: skip


@pytest.mark.parametrize("keep", [False, True])
def test_the_auto_import_secret(keep):
    secret = managed.auto_secret(Facility("north", keep_secret=keep), {"server": "https://n", "token": "s3cret"})
    assert (managed.KEEPING in secret["metadata"].get("annotations", {})) == keep
    assert set(secret["data"]) == {"autoImportRetry", "server", "token"}


def test_a_diff_shows_no_secret():
    secret = managed.auto_secret(Facility("north"), {"server": "https://n", "token": "s3cret"})
    assert "s3cret" not in json.dumps(managed.shown(secret))
    assert secret["data"]["token"] not in json.dumps(managed.shown(secret))


def test_the_same_secret_is_known_again():
    secret = managed.auto_secret(Facility("north"), {"server": "https://n", "token": "s3cret"})
    assert managed.same_secret({"data": secret["data"]}, secret)
    assert not managed.same_secret({"data": secret["data"] | {"token": ""}}, secret)
    assert not managed.same_secret(None, secret)


@pytest.mark.parametrize(
    ("facility", "users"),
    [
        (Facility("north", import_by="manifests"), ("system:serviceaccount:north:north-bootstrap-sa",)),
        (Facility("north"), (managed.UPSTREAM_USER,)),
        (Facility("north", bootstrap_users=("me",)), ("me",)),
    ],
)
def test_who_may_ask_for_a_certificate(facility, users):
    assert facility.users() == users


def test_the_work_that_holds_the_agent_is_the_import_controllers():
    assert managed.is_own_work("north", {"metadata": {"name": "north-klusterlet"}})
    assert not managed.is_own_work("north", {"metadata": {"name": "south-klusterlet"}})
