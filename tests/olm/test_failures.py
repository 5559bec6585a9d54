# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way to fail, provoked on the real OLM: what the module says of it. Most fail side by side, in one call."""

from __future__ import annotations

import re

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
}  # fmt: skip


# The same, where nothing is written before it is known.
REFUSED = {
    "two-groups": ({"package": "demo"}, [
        "exactly one OperatorGroup is needed there, but there are 2 (one, two)", "Delete all but one",
    ]),
    "wrong-group": ({"package": "demo", "install_mode": "AllNamespaces"}, [
        "an OperatorGroup that watches all namespaces is needed (AllNamespaces), but own watches wrong-group",
        "a second one would stop every operator there",
    ]),
}  # fmt: skip
CRASH = [
    "phase Succeeded was expected, but CSV crashing-operator.v1.0.0 is Installing (InstallWaiting: ",
    "the Subscription says AtLatestKnown all the same", "its last run ended with exit code 2",
    "log of operator: panic: no widget can be made of this",
]  # fmt: skip
PARAGRAPH = re.compile(r"^(?=Operator \S+ in namespace (\S+): )", re.M)


def operators(olm, cases):
    return [olm.operator(**{"namespace": name, **options}) for name, (options, _said) in cases.items()]


def assert_says(said, parts, state=""):
    missing = [part for part in parts if part not in said]
    assert not missing, f"{missing} not in:\n{said}\n{state}"


def break_things(olm):
    for name in ("dead-catalog", "neighbour"):
        olm.namespace(name)
    olm.plane.catalog_source("dead", "dead-catalog", 1)
    olm.plane.apply({
        "apiVersion": "operators.coreos.com/v1alpha1", "kind": "Subscription",
        "metadata": {"name": "wrong", "namespace": "neighbour"},
        "spec": {"name": "no-such-package", "source": "local", "sourceNamespace": "olm"},
    })  # fmt: skip
    olm.plane.wait_for(
        "OLM's word on it", lambda: olm.plane.state_of_catalog("dead", "dead-catalog") == "TRANSIENT_FAILURE"
    )


@pytest.fixture(scope="module")
def failed(olm):
    """What is said of each case, and OLM's state there. All of them fail in one call."""
    break_things(olm)
    said = PARAGRAPH.split(olm.refused(*operators(olm, CASES)))[1:]
    paragraphs = dict(zip(said[::2], said[1::2], strict=True))
    states = {name: olm.plane.dump(name) for name in CASES}
    # OLM would try them again and again, and others wait for their turn meanwhile.
    for name in CASES:
        olm.plane.delete("v1", "Namespace", None, name)
    return {name: (paragraphs.get(name, "nothing"), states[name]) for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_a_failure_is_named_with_its_cure(failed, case):
    options, parts = CASES[case]
    assert_says(failed[case][0], [f"Operator {options['package']} in namespace {case}: ", *parts], failed[case][1])


def test_what_cannot_work_is_refused_before_anything_is_written(olm):
    for name in REFUSED:
        olm.namespace(name)
    olm.group("two-groups", "one", "two-groups")
    olm.group("two-groups", "two", "two-groups")
    olm.group("wrong-group", "own", "wrong-group")
    for name, (_options, parts) in REFUSED.items():
        assert_says(olm.refused(*operators(olm, {name: REFUSED[name]})), parts)
        assert not olm.get("Subscription", name)["items"]
    assert len(olm.get("OperatorGroup", "wrong-group")["items"]) == 1


def crashes(olm):
    pods = olm.plane.get("v1", "Pod", "crash")["items"]
    waits = [entry["state"].get("waiting") for pod in pods for entry in pod["status"].get("containerStatuses") or []]
    csv = olm.get("ClusterServiceVersion", "crash", "crashing-operator.v1.0.0")
    return any(waits) and csv["status"]["reason"] == "InstallWaiting"


def test_a_subscription_that_is_at_the_latest_does_not_hide_a_crash(olm):
    wanted = olm.operator("crashing", "crash")
    olm.refused(wanted, timeout=1)
    olm.plane.wait_for("a crash", lambda: crashes(olm))
    olm.plane.wait_for(
        "OLM's good word", lambda: olm.get("Subscription", "crash", "crashing")["status"]["state"] == "AtLatestKnown"
    )
    assert_says(olm.refused(wanted, timeout=1), CRASH, olm.plane.dump("crash"))


def test_what_an_operator_lacks_is_named(olm):
    wanted = olm.operator("lacking", "lack")
    olm.refused(wanted, timeout=1)
    name = "lacking-operator.v1.0.0"
    olm.plane.wait_for(
        "OLM's word on it",
        lambda: olm.get("ClusterServiceVersion", "lack", name)["status"]["reason"] == "RequirementsNotMet",
    )
    assert_says(
        olm.refused(wanted, timeout=1),
        [
            f"CSV {name} is Pending (RequirementsNotMet: ",
            "it needs CustomResourceDefinition gadgets.olm-test.example.com",
        ],
        olm.plane.dump("lack"),
    )


def test_an_operator_group_that_somebody_removes_is_missed(olm):
    call = olm.start(olm.operator("lacking", "lack"), **olm.impatient)

    def removed_until_its_end():
        for group in olm.get("OperatorGroup", "lack")["items"]:
            olm.plane.delete("operators.coreos.com/v1", "OperatorGroup", "lack", group["metadata"]["name"])
        return call.process.poll() is not None

    olm.plane.wait_for("the end of the call", removed_until_its_end)
    assert_says(call.result()["msg"], ["exactly one OperatorGroup is needed in namespace lack, but there is none"])


def test_a_csv_without_its_subscription_is_in_the_way(olm):
    wanted = olm.operator("modest", "orphan")
    olm.run(wanted)
    olm.plane.delete("operators.coreos.com/v1alpha1", "Subscription", "orphan", "modest")
    said = olm.refused(wanted)
    parts = [
        "CSV modest-operator.v1.0.0 should belong to a Subscription of namespace orphan, but to none",
        "delete csv",
    ]
    assert_says(said, parts, olm.plane.dump("orphan"))


def test_an_api_has_one_owner(olm):
    """Twice: OLM's copy of an operator for all namespaces stands in for the second one, or it sees a conflict."""
    first = [olm.operator("wide", "first", install_mode="AllNamespaces"), olm.operator("base", "third")]
    second = [olm.operator("wide", "second"), olm.operator("base", "fourth", install_mode="AllNamespaces")]
    olm.run(*first)
    olm.namespace("second")
    copy = "wide-operator.v1.0.0"
    olm.plane.wait_for("OLM's copy", lambda: olm.get("ClusterServiceVersion", "second", copy))
    said = olm.refused(*second)
    assert "wide-operator.v1.0.0 is installed in namespace first for all namespaces, and is only copied here" in said
    assert "an operator must own its APIs alone, but another one on this cluster has them already" in said
    olm.run(*first, *second, state="absent")


def test_a_dead_catalog_of_all_namespaces_stops_each_and_is_forgotten_once_it_is_gone(olm):
    olm.plane.catalog_source("gone", "olm", 1)
    olm.plane.wait_for("OLM's word on it", lambda: olm.plane.state_of_catalog("gone") == "TRANSIENT_FAILURE")
    wanted = olm.operator("modest", "blocked")
    said = olm.refused(wanted)
    assert "OLM must reach every catalog that this namespace sees, whichever is asked for: catalog gone in" in said
    assert "delete CatalogSource gone if nobody needs it" in said
    olm.plane.delete("operators.coreos.com/v1alpha1", "CatalogSource", "olm", "gone")
    assert olm.run(wanted)["operators"][0]["phase"] == "Succeeded"
