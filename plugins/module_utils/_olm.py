# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of the Operator Lifecycle Manager (OLM), as its objects, and which InstallPlans may be approved for it.

Pure: objects are dicts as the API server returns them. _olm_verdicts judges how far OLM is with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
V1 = "operators.coreos.com/v1"
V1ALPHA1 = "operators.coreos.com/v1alpha1"
FIELD_MANAGER = "xraylab"
VERSION = re.compile(r"\.v?(\d+)\.(\d+)\.(\d+)(.*)$")


class Refusal(Exception):
    """What is asked for cannot be had, or would do harm: a sentence with the cure."""


@dataclass(frozen=True)
class Operator:
    """One operator as it is asked for; the fields are the module's options."""

    package: str
    namespace: str
    source: str = "redhat-operators"
    source_namespace: str = "openshift-marketplace"
    channel: str | None = None
    install_mode: str | None = None
    target_namespaces: tuple[str, ...] = ()
    approval: str = "Automatic"
    starting_csv: str | None = None
    upgrade: bool = False
    approve_others: bool = False
    config: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.package} in namespace {self.namespace}"

    @property
    def follows(self) -> bool:
        """Whether the newest version of the channel is wanted, rather than the one that is there."""
        return self.approval == "Automatic" or self.upgrade


@dataclass
class Place:
    """What OLM has in one namespace. CSVs that it copied there from others are apart, and only those that matter."""

    name: str
    exists: bool = True
    groups: list[Object] = field(default_factory=list)
    subscriptions: list[Object] = field(default_factory=list)
    plans: list[Object] = field(default_factory=list)
    csvs: list[Object] = field(default_factory=list)
    copies: list[Object] = field(default_factory=list)

    def subscription(self, package: str) -> Object | None:
        return next((entry for entry in self.subscriptions if entry["spec"]["name"] == package), None)

    def csv(self, name: str | None) -> Object | None:
        return named(self.csvs, name)

    def csv_of(self, subscription: Object | None) -> Object | None:
        """The CSV of a Subscription, also one that failed so early that the Subscription does not name it."""
        now = status(subscription)
        plan = self.plan_of(subscription) if subscription else None
        planned = plan["spec"].get("clusterServiceVersionNames") or [] if plan else []
        early = self.csv(planned[0]) if len(planned) == 1 else None
        return self.csv(now.get("currentCSV")) or self.csv(now.get("installedCSV")) or early

    def plan_of(self, subscription: Object) -> Object | None:
        """The InstallPlan that a Subscription names, else the newest that OLM made for it."""
        told = (status(subscription).get("installPlanRef") or {}).get("name")
        if told:
            return named(self.plans, told)
        own = subscription["metadata"]["name"]
        made = [entry for entry in self.plans if own in owners(entry)]
        return max(made, key=lambda entry: entry["metadata"].get("creationTimestamp") or "", default=None)


def owners(plan: Object) -> list[str]:
    """Names of the Subscriptions that an InstallPlan was made for."""
    return [entry["name"] for entry in plan["metadata"].get("ownerReferences") or [] if entry["kind"] == "Subscription"]


def named(objects: list[Object], name: str | None) -> Object | None:
    return next((entry for entry in objects if name and entry["metadata"]["name"] == name), None)


def status(obj: Object | None) -> dict[str, Any]:
    return (obj or {}).get("status") or {}


def listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


# What is asked for, as objects


def objects_of(operators: list[Operator], places: dict[str, Place]) -> list[Object]:
    """Everything to apply, each once: namespaces and OperatorGroups that are missing, and all Subscriptions."""
    found: dict[tuple[str, str, str], Object] = {}
    for operator in operators:
        place = places[operator.namespace]
        wanted = [] if place.exists else [namespace(operator)]
        if not place.groups:
            wanted.append(group(operator))
        wanted.append(subscription(operator, place))
        for obj in wanted:
            key = (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            if obj["kind"] == "OperatorGroup" and found.get(key, obj) != obj:
                raise Refusal(
                    f"Operator {operator}: its OperatorGroup would have to watch {say_targets(targets(operator))}, "
                    f"but that of another operator of the list watches {say_targets(targets_of(found[key]))}. A "
                    "namespace can have one OperatorGroup only: give the operators the same install_mode, or a "
                    "namespace each."
                )
            found[key] = obj
    order = ("Namespace", "OperatorGroup", "Subscription")
    return sorted(found.values(), key=lambda obj: order.index(obj["kind"]))


def namespace(operator: Operator) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": operator.namespace}}


def group(operator: Operator) -> Object:
    watched = targets(operator)
    return {
        "apiVersion": V1, "kind": "OperatorGroup",
        "metadata": {"name": operator.namespace, "namespace": operator.namespace},
        "spec": {"targetNamespaces": list(watched)} if watched else {},
    }  # fmt: skip


def subscription(operator: Operator, place: Place) -> Object:
    there = place.subscription(operator.package)
    spec = {
        "name": operator.package, "source": operator.source, "sourceNamespace": operator.source_namespace,
        "installPlanApproval": operator.approval, "channel": operator.channel, "startingCSV": operator.starting_csv,
        "config": operator.config,
    }  # fmt: skip
    name = there["metadata"]["name"] if there else operator.package
    return {
        "apiVersion": V1ALPHA1, "kind": "Subscription",
        "metadata": {"name": name, "namespace": operator.namespace},
        "spec": {key: value for key, value in spec.items() if value},
    }  # fmt: skip


def targets(operator: Operator) -> tuple[str, ...]:
    """Namespaces that the operator is to watch; none means all."""
    if operator.install_mode == "AllNamespaces":
        return ()
    return tuple(sorted(operator.target_namespaces)) or (operator.namespace,)


def targets_of(obj: Object) -> tuple[str, ...]:
    """Namespaces that an OperatorGroup has its operators watch; none means all."""
    if (obj.get("spec") or {}).get("selector"):
        return tuple(sorted(status(obj).get("namespaces") or ()))
    return tuple(sorted((obj.get("spec") or {}).get("targetNamespaces") or ()))


def say_targets(watched: tuple[str, ...]) -> str:
    return listed(watched) if watched and watched != ("",) else "all namespaces"


def mode_of(obj: Object) -> str:
    """The install mode that an OperatorGroup stands for."""
    watched = targets_of(obj)
    if not watched or watched == ("",):
        return "AllNamespaces"
    if len(watched) > 1:
        return "MultiNamespace"
    return "OwnNamespace" if watched[0] == obj["metadata"]["namespace"] else "SingleNamespace"


# What can be known to go wrong before anything is written


def check_options(operators: list[Operator]) -> None:
    seen: set[tuple[str, str]] = set()
    for operator in operators:
        key = (operator.namespace, operator.package)
        if key in seen:
            raise Refusal(f"Operator {operator} is listed twice: keep one entry.")
        seen.add(key)
        several = operator.install_mode in ("SingleNamespace", "MultiNamespace")
        if several != bool(operator.target_namespaces):
            raise Refusal(
                f"Operator {operator}: target_namespaces goes with install_mode SingleNamespace or MultiNamespace "
                f"and is needed there, but install_mode is {operator.install_mode or 'not given'} and "
                f"target_namespaces {listed(operator.target_namespaces)}."
            )
        if operator.install_mode == "SingleNamespace" and len(operator.target_namespaces) > 1:
            raise Refusal(f"Operator {operator}: SingleNamespace takes one of target_namespaces: use MultiNamespace.")


def check_group(operator: Operator, place: Place) -> None:
    """A namespace with operators of one OperatorGroup must stay one, and an existing group is never changed."""
    names = [entry["metadata"]["name"] for entry in place.groups]
    if len(names) > 1:
        raise Refusal(
            f"Operator {operator}: exactly one OperatorGroup is needed there, but there are {len(names)} "
            f"({listed(names)}), with which OLM installs nothing in that namespace and says nothing on the "
            "Subscription. Delete all but one."
        )
    if not names or not operator.install_mode:
        return
    seen = targets_of(place.groups[0])
    if say_targets(seen) != say_targets(targets(operator)):
        raise Refusal(
            f"Operator {operator}: an OperatorGroup that watches {say_targets(targets(operator))} is needed "
            f"({operator.install_mode}), but {names[0]} watches {say_targets(seen)}, and a second one would stop "
            f"every operator there. Use another namespace, leave install_mode out, or delete {names[0]} if no "
            "operator needs it."
        )


def check_manifest(operator: Operator, place: Place, manifest: Object | None) -> None:
    """`manifest` is the operator's PackageManifest, None where there is none (yet)."""
    if not manifest:
        return
    channels = {entry["name"]: entry for entry in status(manifest).get("channels") or []}
    default = status(manifest).get("defaultChannel") or ""
    channel = channels.get(operator.channel or default)
    if not channel:
        raise Refusal(
            f"Operator {operator}: channel {operator.channel} is asked for, but catalog {operator.source} has "
            f"{operator.package} in the channels {listed(channels)} (default {default}). Set channel to one of them."
        )
    check_starting_csv(operator, place, channel)
    modes = {
        entry["type"] for entry in channel.get("currentCSVDesc", {}).get("installModes") or [] if entry["supported"]
    }
    wanted = mode_of(place.groups[0] if place.groups else group(operator))
    if modes and wanted not in modes:
        raise Refusal(unsupported_mode(operator, wanted, modes))


def check_starting_csv(operator: Operator, place: Place, channel: Object) -> None:
    """Once something is installed, OLM takes no notice of startingCSV, and a catalog may drop old versions."""
    installed = status(place.subscription(operator.package)).get("installedCSV")
    entries = [entry["name"] for entry in channel.get("entries") or []]
    matters = operator.starting_csv and (not installed or (not operator.follows and installed != operator.starting_csv))
    if matters and entries and operator.starting_csv not in entries:
        raise Refusal(
            f"Operator {operator}: starting_csv {operator.starting_csv} is asked for, but channel "
            f"{channel['name']} of {operator.package} has {', '.join(entries)}. Set starting_csv to one of them, "
            "or leave it out."
        )


def unsupported_mode(operator: Operator, wanted: str, modes: set[str]) -> str:
    return (
        f"Operator {operator}: it supports the install modes {listed(modes)}, but the OperatorGroup of namespace "
        f"{operator.namespace} stands for {wanted}. Set install_mode to one that it supports, in a namespace whose "
        f"OperatorGroup fits."
    )


# InstallPlans


def version(csv: str | None) -> tuple[Any, ...] | None:
    """The version at the end of a CSV's name, None when it has none: amqstreams.v3.2.1-14 is (3, 2, 1, 14)."""
    found = VERSION.search(csv or "")
    return (*(int(part) for part in found.groups()[:3]), *map(int, re.findall(r"\d+", found[4]))) if found else None


def is_after(csv: str | None, other: str | None) -> bool:
    """Whether a CSV is of a later version than another; False when that cannot be told."""
    here, there = version(csv), version(other)
    return here is not None and there is not None and here > there


def wants(operator: Operator, subscription: Object) -> bool:
    """Whether the version that OLM would install next is asked for."""
    now = status(subscription)
    following, installed = now.get("currentCSV"), now.get("installedCSV")
    if operator.follows and (installed or not operator.starting_csv):
        return True
    if operator.starting_csv:
        return following == operator.starting_csv or is_after(operator.starting_csv, following)
    return not installed


def pending_plan(subscription: Object, place: Place) -> Object | None:
    """The InstallPlan of a Subscription that waits for approval."""
    plan = place.plan_of(subscription)
    waits = plan and status(plan).get("phase") == "RequiresApproval" and not plan["spec"].get("approved")
    return plan if waits else None


def strangers(plan: Object, operators: list[Operator], place: Place) -> list[str]:
    """CSVs of an InstallPlan that nobody asked for: upgrades of operators not listed, or pinned.

    A dependency that the plan itself brings is no stranger. One that OLM subscribed to before belongs to who asked, as
    long as no Subscription of somebody else in this namespace could have brought it.
    """
    asked = {operator.package: operator for operator in operators if operator.namespace == place.name}
    foreign, made_by_olm = [], []
    for entry in place.subscriptions:
        csv = status(entry).get("currentCSV")
        operator = asked.get(entry["spec"]["name"])
        if operator and wants(operator, entry):
            continue
        if operator or not is_dependency(entry):
            foreign.append(csv)
        else:
            made_by_olm.append(csv)
    unknown = foreign + (made_by_olm if foreign else [])
    return [csv for csv in plan["spec"].get("clusterServiceVersionNames") or [] if csv in unknown]


def is_dependency(subscription: Object) -> bool:
    """Whether OLM made this Subscription for a dependency: it names those package-channel-catalog-namespace."""
    spec = subscription["spec"]
    parts = (spec["name"], spec.get("channel"), spec.get("source"), spec.get("sourceNamespace"))
    return subscription["metadata"]["name"] == "-".join(str(part) for part in parts)


# What is taken away


def belongings(operator: Operator, place: Place) -> list[Object]:
    """The Subscription and the CSVs of an operator, also those whose Subscription is gone already."""
    there = place.subscription(operator.package)
    names = {status(there).get("installedCSV"), status(there).get("currentCSV")}
    label = component_label(operator.package, operator.namespace)
    csvs = [
        entry
        for entry in place.csvs
        if entry["metadata"]["name"] in names or label in (entry["metadata"].get("labels") or {})
    ]
    return ([there] if there else []) + csvs


def component_label(package: str | None, namespace: str) -> str:
    """The label that OLM puts on all that is an operator's."""
    return f"operators.coreos.com/{package}.{namespace}"


def unused_groups(place: Place, removed: list[Object]) -> list[Object]:
    """The OperatorGroup that this collection made, when nothing else is left in its namespace that needs it."""
    gone = {(obj["kind"], obj["metadata"]["name"]) for obj in removed}
    left = [obj for obj in place.subscriptions + place.csvs if (obj["kind"], obj["metadata"]["name"]) not in gone]
    return [] if left else [entry for entry in place.groups if is_ours(entry)]


def is_ours(obj: Object) -> bool:
    entries = obj["metadata"].get("managedFields") or []
    return any(entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" for entry in entries)


def owned_crds(csvs: list[Object]) -> set[str]:
    return {
        entry["name"]
        for csv in csvs
        for entry in (csv["spec"].get("customresourcedefinitions") or {}).get("owned") or []
    }


def still_used(crd: Object, found: list[Object]) -> str:
    names = [say_place(obj) for obj in found]
    return f"{crd['metadata']['name']} ({', '.join(names[:3])}{' and more' if len(names) > 3 else ''})"


def say_place(obj: Object) -> str:
    metadata = obj["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
