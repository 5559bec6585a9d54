# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way to fail, provoked on the real OLM: what the module says of it. Most of them wait side by side."""

from __future__ import annotations

import pytest

HERE = "127.0.0.1:1"

# Namespace, which is the case's name -> operator, what the module must say.
CASES = {
    "package": ({"package": "nowhere"}, [
        "package nowhere should be in catalog local, but OLM says", "no operators found in package nowhere",
        "serves no PackageManifests, so what there is cannot be listed",
    ]),
    "channel": ({"package": "demo", "channel": "fast"}, [
        "package demo, channel fast should be in catalog local", "no operators found in channel fast of package demo",
    ]),
    "version": ({"package": "demo", "starting_csv": "demo-operator.v9.9.9"}, [
        "version demo-operator.v9.9.9 should be in catalog local", "no operators found with name demo-operator.v9.9.9",
    ]),
    "no-catalog": ({"package": "demo", "source": "missing"}, [
        "catalog missing is needed in namespace olm, but is not there (there are: local)",
        "Set source and source_namespace to an existing CatalogSource",
    ]),
    "dead-catalog": ({"package": "demo", "source": "dead", "source_namespace": "dead-catalog"}, [
        "catalog dead in namespace dead-catalog should be READY, but its connection is TRANSIENT_FAILURE", HERE,
    ]),
    "two-groups": ({"package": "demo"}, [
        "exactly one OperatorGroup is needed there, but there are 2 (one, two)", "Delete all but one",
    ]),
    "wrong-group": ({"package": "demo", "install_mode": "AllNamespaces"}, [
        "an OperatorGroup that watches all namespaces is needed (AllNamespaces), but own watches wrong-group",
        "a second one would stop every operator there",
    ]),
    "mode": ({"package": "modest", "install_mode": "MultiNamespace", "target_namespaces": ["mode", "olm"]}, [
        "it supports the install modes OwnNamespace, but the OperatorGroup of namespace mode stands for MultiNamespace",
        "OLM says: MultiNamespace InstallModeType not supported",
    ]),
    "constraints": ({"package": "lonely"}, [
        "OLM finds no set of versions that fits together", "requires an operator with package: nowhere",
    ]),
    "neighbour": ({"package": "demo"}, [
        "OLM resolves all of namespace neighbour together, and Subscription wrong there stops it", "no-such-package",
        "Repair or delete that Subscription",
    ]),
    "plan": ({"package": "refused"}, [
        "InstallPlan install-", "should be Complete, but is Failed", "must be spec.names.plural+",
    ]),
    "bundle": ({"package": "packed"}, [
        "the bundle should be unpacked, but: bundle unpacking failed", "DeadlineExceeded", "pull the bundle's image",
    ]),
    "overdue": ({"package": "overdue"}, [
        "phase Succeeded was expected, but CSV overdue-operator.v1.0.0 is Failed (InstallCheckFailed: ",
        "exceeded its progress deadline", "container operator is in CrashLoopBackOff",
        "log of operator: panic: no widget",
    ]),
    "crash": ({"package": "crashing"}, [
        "phase Succeeded was expected, but CSV crashing-operator.v1.0.0 is Installing (InstallWaiting: ",
        "its last run ended with exit code 2",
        "log of operator: panic: no widget can be made of this",
    ]),
}  # fmt: skip


def break_things(olm) -> None:
    for name in ("dead-catalog", "two-groups", "wrong-group", "neighbour"):
        olm.namespace(name)
    olm.plane.catalog_source("dead", "dead-catalog", 1)
    olm.group("two-groups", "one", "two-groups")
    olm.group("two-groups", "two", "two-groups")
    olm.group("wrong-group", "own", "wrong-group")
    olm.plane.apply({
        "apiVersion": "operators.coreos.com/v1alpha1", "kind": "Subscription",
        "metadata": {"name": "wrong", "namespace": "neighbour"},
        "spec": {"name": "no-such-package", "source": "local", "sourceNamespace": "olm"},
    })  # fmt: skip


@pytest.fixture(scope="module")
def calls(olm):
    break_things(olm)
    patience = {"crash": 90}
    yield {
        name: olm.start(olm.operator(**{"namespace": name, **options}), timeout=patience.get(name, 100))
        for name, (options, _said) in CASES.items()
    }
    # OLM tries them again and again, and others wait for their turn meanwhile.
    for name in CASES:
        if olm.plane.get("v1", "Namespace", None, name):
            olm.plane.delete("v1", "Namespace", None, name)


@pytest.mark.parametrize("case", CASES)
def test_a_failure_is_named_with_its_cure(olm, calls, case):
    result = calls[case].result()
    assert result.get("failed"), result
    missing = [part for part in CASES[case][1] if part not in result["msg"]]
    assert not missing, f"{missing} not in:\n{result['msg']}\n{olm.plane.dump(case)}"
    assert result["msg"].startswith(f"Operator {CASES[case][0]['package']} in namespace {case}: ")


def test_a_subscription_that_is_at_the_latest_does_not_hide_a_crash(olm, calls):
    calls["crash"].process.wait(timeout=120)

    def state() -> str:
        return olm.get("Subscription", "crash", "crashing")["status"]["state"]

    olm.plane.wait_for("OLM's good word", lambda: state() == "AtLatestKnown", 90)
    said = olm.refused(olm.operator("crashing", "crash"), timeout=2)
    assert "the Subscription says AtLatestKnown all the same" in said


def test_what_was_refused_before_anything_is_written_left_nothing(olm, calls):
    assert not olm.get("Subscription", "two-groups")["items"]
    assert len(olm.get("OperatorGroup", "wrong-group")["items"]) == 1


def test_an_api_has_one_owner(olm):
    """Twice: OLM's copy of an operator for all namespaces stands in for the second one, or it sees a conflict."""
    first = [olm.operator("wide", "first", install_mode="AllNamespaces"), olm.operator("base", "third")]
    second = [olm.operator("wide", "second"), olm.operator("base", "fourth", install_mode="AllNamespaces")]
    result = olm.start(*first).result()
    assert not result.get("failed"), f"{result['msg']}\n{olm.plane.dump('third')}"
    said = olm.refused(*second)
    assert "wide-operator.v1.0.0 is installed in namespace first for all namespaces, and is only copied here" in said
    assert "an operator must own its APIs alone, but another one on this cluster has them already" in said
    olm.run(*first, *second, state="absent")


def test_a_dead_catalog_of_all_namespaces_stops_each_and_is_forgotten_once_it_is_gone(olm, calls):
    for call in calls.values():
        call.process.wait(timeout=120)  # it would stop those, too
    olm.plane.catalog_source("gone", "olm", 1)
    olm.plane.wait_for("OLM's word on it", lambda: olm.plane.state_of_catalog("gone") == "TRANSIENT_FAILURE")
    wanted = olm.operator("modest", "blocked")
    said = olm.refused(wanted)
    assert "OLM must reach every catalog that this namespace sees, whichever is asked for: catalog gone in" in said
    assert "delete CatalogSource gone if nobody needs it" in said
    olm.plane.delete("operators.coreos.com/v1alpha1", "CatalogSource", "olm", "gone")
    assert olm.run(wanted)["operators"][0]["phase"] == "Succeeded"
