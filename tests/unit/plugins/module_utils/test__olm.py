# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _olm as olm
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import Operator, Place, Refusal

KAFKA = Operator("amq-streams", "streams")


def group(name="streams", *targets, namespace="streams"):
    return {
        "kind": "OperatorGroup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"targetNamespaces": list(targets)} if targets else {},
    }


def subscription(package, current="", installed="", name="", **spec):
    spec = {"name": package, "channel": "stable", "source": "redhat-operators", "sourceNamespace": "mp", **spec}
    now = {"currentCSV": current, "installedCSV": installed, "installPlanRef": {"name": "install-1"}}
    return {"kind": "Subscription", "metadata": {"name": name or package, "namespace": "streams"}, "spec": spec,
            "status": {key: value for key, value in now.items() if value}}  # fmt: skip


def plan(*csvs, phase="RequiresApproval"):
    spec = {"approved": False, "clusterServiceVersionNames": list(csvs)}
    return {"metadata": {"name": "install-1", "namespace": "streams"}, "spec": spec, "status": {"phase": phase}}


def manifest(modes=("OwnNamespace",)):
    description = {
        "installModes": [{"type": mode, "supported": mode in modes} for mode in ("OwnNamespace", "AllNamespaces")]
    }
    channel = {"name": "stable", "currentCSV": "a.v2.0.0", "currentCSVDesc": description,
               "entries": [{"name": "a.v2.0.0"}, {"name": "a.v1.0.0"}]}  # fmt: skip
    return {"status": {"defaultChannel": "stable", "channels": [channel]}}


def test_what_is_missing_is_made_once_in_the_order_of_need():
    operators = [KAFKA, Operator("other", "streams", approval="Manual", starting_csv="other.v1.0.0", channel="fast")]
    made = olm.objects_of(operators, {"streams": Place("streams", exists=False)})
    assert [obj["kind"] for obj in made] == ["Namespace", "OperatorGroup", "Subscription", "Subscription"]
    assert made[1]["spec"] == {"targetNamespaces": ["streams"]}
    assert made[2]["spec"] == {
        "name": "amq-streams", "source": "redhat-operators", "sourceNamespace": "openshift-marketplace",
        "installPlanApproval": "Automatic",
    }  # fmt: skip
    assert made[3]["spec"]["startingCSV"] == "other.v1.0.0"
    assert made[3]["spec"]["channel"] == "fast"


def test_a_second_operator_group_is_never_made_and_a_subscription_keeps_its_name():
    place = Place("streams", groups=[group()], subscriptions=[subscription("amq-streams", name="by-hand")])
    made = olm.objects_of([KAFKA], {"streams": place})
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in made] == [("Subscription", "by-hand")]


@pytest.mark.parametrize(
    ("mode", "named", "spec"),
    [
        (None, (), {"targetNamespaces": ["streams"]}),
        ("AllNamespaces", (), {}),
        ("MultiNamespace", ("b", "a"), {"targetNamespaces": ["a", "b"]}),
    ],
)
def test_an_operator_group_watches_what_the_install_mode_says(mode, named, spec):
    assert olm.group(Operator("a", "streams", install_mode=mode, target_namespaces=named))["spec"] == spec


@pytest.mark.parametrize(
    ("targets", "mode"),
    [
        ((), "AllNamespaces"),
        (("",), "AllNamespaces"),
        (("streams",), "OwnNamespace"),
        (("b",), "SingleNamespace"),
        (("a", "b"), "MultiNamespace"),
    ],
)
def test_the_mode_of_an_operator_group(targets, mode):
    assert olm.mode_of(group("g", *targets)) == mode


@pytest.mark.parametrize(
    ("operators", "said"),
    [
        ([KAFKA, KAFKA], "is listed twice"),
        ([Operator("a", "x", install_mode="SingleNamespace")], "needed there, but install_mode is SingleNamespace"),
        ([Operator("a", "x", target_namespaces=("b",))], "but install_mode is not given and target_namespaces b"),
        ([Operator("a", "x", install_mode="SingleNamespace", target_namespaces=("b", "c"))], "use MultiNamespace"),
    ],
)
def test_options_that_do_not_fit_are_refused(operators, said):
    with pytest.raises(Refusal, match=said):
        olm.check_options(operators)


def test_two_operators_of_one_new_namespace_must_agree():
    operators = [KAFKA, Operator("other", "streams", install_mode="AllNamespaces")]
    with pytest.raises(Refusal, match="would have to watch all namespaces, but that of another operator of the list"):
        olm.objects_of(operators, {"streams": Place("streams")})


@pytest.mark.parametrize(
    ("groups", "mode", "said"),
    [
        ([group("one"), group("two")], None, r"there are 2 \(one, two\)"),
        ([group("own", "streams")], "AllNamespaces", "but own watches streams, and a second one would stop"),
        ([group("all")], "OwnNamespace", "but all watches all namespaces"),
    ],
)
def test_operator_groups_that_do_not_fit_are_refused(groups, mode, said):
    with pytest.raises(Refusal, match=said):
        olm.check_group(Operator("a", "streams", install_mode=mode), Place("streams", groups=groups))


@pytest.mark.parametrize("mode", [None, "AllNamespaces"])
def test_operator_groups_that_fit_are_taken(mode):
    olm.check_group(Operator("a", "streams", install_mode=mode), Place("streams", groups=[group("all")]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channel": "fast"}, r"has a in the channels stable \(default stable\)"),
        ({"starting_csv": "a.v9.0.0"}, "channel stable of a has a.v2.0.0, a.v1.0.0"),
        ({"install_mode": "AllNamespaces"}, "supports the install modes OwnNamespace, but .* stands for AllNamespaces"),
    ],
)
def test_what_the_catalog_lacks_is_refused(options, said):
    with pytest.raises(Refusal, match=said):
        olm.check_manifest(Operator("a", "streams", **options), Place("streams"), manifest())


def test_an_installed_version_may_be_gone_from_the_catalog():
    place = Place("streams", subscriptions=[subscription("a", installed="a.v0.9.0")])
    olm.check_manifest(Operator("a", "streams", approval="Manual", starting_csv="a.v0.9.0"), place, manifest())
    olm.check_manifest(Operator("a", "streams", starting_csv="a.v0.8.0"), place, manifest())
    olm.check_manifest(KAFKA, place, None)


@pytest.mark.parametrize(
    ("csv", "found"),
    [
        ("amqstreams.v3.2.1-14", (3, 2, 1, 14)),
        ("demo-operator.v1.10.0", (1, 10, 0)),
        ("other.1.0.0", (1, 0, 0)),
        ("unversioned", None),
        (None, None),
    ],
)
def test_the_version_of_a_csv(csv, found):
    assert olm.version(csv) == found


def test_versions_are_compared_by_number():
    assert olm.is_after("a.v1.10.0", "a.v1.9.0")
    assert not olm.is_after("a.v1.9.0", "a.v1.9.0")
    assert not olm.is_after("a", "a.v1.9.0")


@pytest.mark.parametrize(
    ("options", "installed", "following", "wanted"),
    [
        ({}, "a.v1.0.0", "a.v1.1.0", True),
        ({"approval": "Manual"}, "", "a.v1.1.0", True),
        ({"approval": "Manual"}, "a.v1.0.0", "a.v1.1.0", False),
        ({"approval": "Manual", "upgrade": True}, "a.v1.0.0", "a.v1.1.0", True),
        ({"approval": "Manual", "starting_csv": "a.v1.0.0"}, "", "a.v1.0.0", True),
        ({"approval": "Manual", "starting_csv": "a.v1.0.0"}, "", "a.v1.1.0", False),
        ({"approval": "Manual", "starting_csv": "a.v1.0.0"}, "a.v1.0.0", "a.v1.1.0", False),
        ({"approval": "Manual", "starting_csv": "a.v1.2.0"}, "a.v1.0.0", "a.v1.1.0", True),
        ({"approval": "Manual", "starting_csv": "a.v1.0.0", "upgrade": True}, "", "a.v1.1.0", False),
        ({"approval": "Manual", "starting_csv": "a.v1.0.0", "upgrade": True}, "a.v1.0.0", "a.v1.1.0", True),
    ],
)
def test_which_version_is_asked_for(options, installed, following, wanted):
    assert olm.wants(Operator("a", "streams", **options), subscription("a", following, installed)) is wanted


def test_only_a_plan_that_waits_is_pending():
    waiting = subscription("a", "a.v1.0.0")
    assert olm.pending_plan(waiting, Place("streams", plans=[plan("a.v1.0.0")]))
    assert not olm.pending_plan(waiting, Place("streams", plans=[plan("a.v1.0.0", phase="Complete")]))
    assert not olm.pending_plan(waiting, Place("streams"))


MINE = Operator("a", "streams", approval="Manual")
PINNED = Operator("b", "streams", approval="Manual", starting_csv="b.v1.0.0")


@pytest.mark.parametrize(
    ("operators", "others", "found"),
    [
        ([MINE], [], []),
        ([MINE], [subscription("b", "b.v2.0.0", "b.v1.0.0")], ["b.v2.0.0"]),
        ([MINE, PINNED], [subscription("b", "b.v2.0.0", "b.v1.0.0")], ["b.v2.0.0"]),
        ([MINE, Operator("b", "streams")], [subscription("b", "b.v2.0.0", "b.v1.0.0")], []),
        ([MINE], [subscription("b", "b.v2.0.0", name="b-stable-redhat-operators-mp")], []),
        (
            [MINE],
            [subscription("b", "b.v2.0.0", name="b-stable-redhat-operators-mp"), subscription("c", "c.v1.0.0")],
            ["b.v2.0.0"],
        ),
    ],
)
def test_whose_upgrade_an_install_plan_would_bring(operators, others, found):
    place = Place("streams", subscriptions=[subscription("a", "a.v1.0.0"), *others])
    assert olm.strangers(plan("a.v1.0.0", "b.v2.0.0"), operators, place) == found


def test_a_csv_that_its_subscription_does_not_name_is_found_by_its_install_plan():
    early, other = {"metadata": {"name": "a.v1.0.0"}}, {"metadata": {"name": "b.v1.0.0"}}
    made = plan("a.v1.0.0", phase="Complete")
    made["metadata"]["ownerReferences"] = [{"kind": "Subscription", "name": "a"}]
    silent = {"metadata": {"name": "a"}, "spec": {"name": "a"}}
    assert Place("streams", plans=[made], csvs=[other, early]).csv_of(silent) == early
    assert Place("streams", plans=[plan("a.v1.0.0")], csvs=[early]).csv_of(silent) is None
    assert Place("streams", plans=[made], csvs=[other, early]).csv_of(subscription("a", "b.v1.0.0")) == other
    assert Place("streams").csv_of(None) is None


def test_what_belongs_to_an_operator_is_found_without_its_subscription():
    csv = {"kind": "ClusterServiceVersion", "metadata": {
        "name": "amqstreams.v1.0.0", "labels": {"operators.coreos.com/amq-streams.streams": ""}}}  # fmt: skip
    stranger = {"kind": "ClusterServiceVersion", "metadata": {"name": "other.v1.0.0"}}
    assert olm.belongings(KAFKA, Place("streams", csvs=[csv, stranger])) == [csv]


def test_an_operator_group_goes_only_when_it_is_ours_and_nothing_needs_it():
    ours = group() | {"metadata": {"name": "g", "managedFields": [{"manager": "xraylab", "operation": "Apply"}]}}
    mine, other = subscription("a"), subscription("b")
    assert olm.unused_groups(Place("streams", groups=[ours], subscriptions=[mine]), [mine]) == [ours]
    assert olm.unused_groups(Place("streams", groups=[ours], subscriptions=[mine, other]), [mine]) == []
    assert olm.unused_groups(Place("streams", groups=[group()], subscriptions=[mine]), [mine]) == []
