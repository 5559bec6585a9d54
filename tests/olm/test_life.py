# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator's life: install, no change, upgrade, absent."""

from __future__ import annotations

import pytest

V1, V11, V12 = (f"demo-operator.v1.{minor}.0" for minor in range(3))
ENV = {"name": "A", "value": "b"}


@pytest.fixture(scope="module", autouse=True)
def others(olm):
    """Calls that go on beside the life of demo."""
    return {
        "several": olm.start(
            olm.operator("needing", "several"),
            olm.operator("modest", "several"),
            olm.operator("wide", "everywhere", install_mode="AllNamespaces", config={"env": [ENV]}),
        ),
        "shared": olm.start(neighbour(olm)),
    }


def neighbour(olm):
    return olm.operator("other", "shared", approval="Manual", starting_csv="other-operator.v1.0.0")


@pytest.fixture(scope="module")
def demo(olm):
    return olm.operator("demo", "life", approval="Manual", starting_csv=V1)


def test_check_mode_changes_nothing(olm, demo):
    result = olm.run(demo, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    assert set(result["diff"]["after"]) == {"Namespace life", "OperatorGroup life/life", "Subscription life/demo"}
    assert olm.plane.get("v1", "Namespace", None, "life") is None


def test_the_version_that_is_asked_for_is_installed(olm, demo):
    result = olm.run(demo)
    assert result["changed"]
    assert result["approved"]  # OLM makes two InstallPlans for one install at times
    assert result["operators"][0]["installed_csv"] == V1
    assert result["operators"][0]["phase"] == "Succeeded"
    assert olm.get("OperatorGroup", "life")["items"][0]["spec"]["targetNamespaces"] == ["life"]


def test_again_it_changes_nothing_and_says_what_is_newer(olm, demo):
    olm.plane.wait_for("an upgrade that waits", lambda: olm.run(demo)["operators"][0]["newer_csv"] == V11)
    result = olm.run(demo)
    assert not result["changed"]
    assert not result["approved"]
    assert result["diff"] == {"before": {}, "after": {}}


def test_an_upgrade_goes_to_the_version_that_is_asked_for_and_no_further(olm, demo):
    wanted = demo | {"starting_csv": V11}
    tried = olm.run(wanted, _ansible_check_mode=True)
    assert tried["changed"]
    assert olm.get("Subscription", "life", "demo")["status"]["installedCSV"] == V1
    result = olm.run(wanted)
    assert result["approved"]
    assert result["operators"][0]["installed_csv"] == V11
    assert not olm.run(wanted)["changed"]


def test_an_upgrade_to_the_newest(olm, demo):
    pinned = demo | {"starting_csv": V11}
    olm.plane.wait_for("an upgrade that waits", lambda: olm.run(pinned)["operators"][0]["newer_csv"] == V12)
    wanted = pinned | {"upgrade": True}
    assert olm.run(wanted)["operators"][0]["installed_csv"] == V12
    assert not olm.run(wanted)["changed"]


def test_an_older_version_is_refused(olm, demo):
    said = olm.refused(demo | {"starting_csv": V11})
    assert f"{V11} is asked for, but {V12} is installed, and OLM goes to no older version" in said


def test_crds_stay_while_a_custom_resource_exists(olm, demo):
    widget = {"apiVersion": "olm-test.example.com/v1", "kind": "Demo"}
    olm.plane.apply(widget | {"metadata": {"name": "used", "namespace": "life"}})
    said = olm.refused(demo, state="absent", remove_crds=True)
    assert "demos.olm-test.example.com (life/used)" in said
    assert "Nothing was deleted" in said
    assert olm.get("Subscription", "life", "demo")
    olm.plane.delete("olm-test.example.com/v1", "Demo", "life", "used")


def test_absent_takes_all_away(olm, demo):
    tried = olm.run(demo, state="absent", remove_crds=True, _ansible_check_mode=True)
    assert tried["changed"]
    assert olm.get("ClusterServiceVersion", "life", V12)
    result = olm.run(demo, state="absent", remove_crds=True)
    assert result["removed"] == tried["removed"] == [
        "Subscription life/demo",
        f"ClusterServiceVersion life/{V12}",
        "OperatorGroup life/life",
        "CustomResourceDefinition demos.olm-test.example.com",
    ]  # fmt: skip
    assert olm.get("ClusterServiceVersion", "life", V12) is None
    for kind in ("Subscription", "OperatorGroup"):
        assert not olm.get(kind, "life")["items"]
    crd = "demos.olm-test.example.com"
    assert olm.plane.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, crd) is None
    assert not olm.run(demo, state="absent", remove_crds=True)["changed"]


def test_several_are_installed_at_once_with_what_they_need(olm, others):
    """Automatic ones, one of them with a dependency, one for all namespaces."""
    result = others["several"].result()
    assert [entry["phase"] for entry in result["operators"]] == ["Succeeded"] * 3
    assert olm.get("ClusterServiceVersion", "several", "base-operator.v1.0.0")
    assert olm.get("OperatorGroup", "everywhere", "everywhere")["spec"].get("targetNamespaces") is None
    deployment = olm.plane.get("apps/v1", "Deployment", "everywhere", "wide-operator")
    assert ENV in deployment["spec"]["template"]["spec"]["containers"][0]["env"]


def test_another_operators_upgrade_is_not_approved(olm, others):
    assert others["shared"].result()["operators"][0]["done"]
    olm.plane.wait_for("an upgrade that waits", lambda: olm.run(neighbour(olm))["operators"][0]["newer_csv"])
    wanted = olm.operator("base", "shared")
    said = olm.refused(wanted)
    assert "it would also install other-operator.v1.1.0, which is not" in said
    assert olm.get("Subscription", "shared", "other")["status"]["installedCSV"] == "other-operator.v1.0.0"
    assert olm.refused(wanted, neighbour(olm))
    olm.run(wanted | {"approve_others": True})
    assert olm.get("Subscription", "shared", "other")["status"]["installedCSV"] == "other-operator.v1.1.0"
