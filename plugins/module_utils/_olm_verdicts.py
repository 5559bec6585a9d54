# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges how far OLM is with an operator, and says what stops it: what was expected, what was seen, and the cure.

Pure. The Subscription's state is not asked: it says AtLatestKnown while the operator crashes, and UpgradePending while
a pinned one works. What counts is installedCSV, and that CSV's phase.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _olm as olm
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import (
    FIELD_MANAGER,
    Object,
    Operator,
    Place,
    listed,
    named,
    status,
)

RESOLVER_SOURCE = re.compile(r"from source ([^\s/]+)/([^\s:]+):")
REFERENCED = re.compile(r"referenced by subscription (\S+?)(?:,|$|\s)")
NEW = 60  # seconds
ORPHAN = re.compile(r"clusterserviceversion (\S+) exists and is not referenced by a subscription")
UNKNOWN = re.compile(r"no operators found (?:in|with)")


@dataclass(frozen=True)
class Verdict:
    """`state` is ready, waiting, failing (may pass) or failed; `approve` names an InstallPlan that is asked for."""

    state: str
    reason: str
    approve: str = ""
    unknown: bool = False
    """Whether the catalog lacks what is asked for, so that what it has is worth telling."""


@dataclass(frozen=True)
class Seen:
    """What one look at the cluster gave: the operator's namespace, and all catalogs by (namespace, name)."""

    place: Place
    catalogs: dict[tuple[str, str], Object]


def judge(operator: Operator, operators: list[Operator], seen: Seen) -> Verdict:
    """`operators` are all that are asked for: an InstallPlan may hold several of them."""
    subscription = seen.place.subscription(operator.package)
    if not subscription:
        return Verdict("waiting", "its Subscription does not exist yet")
    if works(operator, subscription, seen.place):
        return Verdict("ready", f"{status(subscription)['installedCSV']} is installed and works")
    plan = olm.pending_plan(subscription, seen.place)
    if plan and olm.wants(operator, subscription):
        return judge_plan(plan, operators, seen.place)
    return next(troubles(operator, subscription, seen))


def works(operator: Operator, subscription: Object, place: Place) -> bool:
    now = status(subscription)
    installed = now.get("installedCSV")
    if status(place.csv(installed)).get("phase") != "Succeeded":
        return False
    if operator.follows:
        return installed == now.get("currentCSV")
    return not operator.starting_csv or installed == operator.starting_csv


def is_new(operator: Operator, place: Place) -> bool:
    """Whether the installed version came within the last minute."""
    csv = place.csv(status(place.subscription(operator.package)).get("installedCSV"))
    came = status(csv).get("lastTransitionTime")
    if not came:
        return False
    return time.time() - datetime.fromisoformat(came.replace("Z", "+00:00")).timestamp() < NEW


def judge_plan(plan: Object, operators: list[Operator], place: Place) -> Verdict:
    """An InstallPlan that holds a version which is asked for."""
    name = plan["metadata"]["name"]
    others = olm.strangers(plan, operators, place)
    allowed = any(entry.approve_others for entry in operators if entry.namespace == place.name)
    if not others or allowed:
        return Verdict("waiting", f"InstallPlan {name} is to be approved", name)
    return Verdict(
        "failed",
        f"InstallPlan {name} should hold what is asked for alone, but it would also install {listed(others)}, which "
        "is not. List that operator too (with upgrade, if it is pinned), set approve_others, or give each operator "
        "a namespace of its own.",
    )  # fmt: skip


def troubles(operator: Operator, subscription: Object, seen: Seen) -> Iterator[Verdict]:
    """What stops OLM, the surest sign first; in the end, what it is waiting for."""
    yield from group_trouble(operator, seen.place)
    yield from version_trouble(operator, subscription)
    yield from copy_trouble(subscription, seen.place)
    yield from csv_trouble(operator, subscription, seen.place)
    yield from plan_trouble(subscription, seen.place)
    yield from unpack_trouble(subscription)
    yield from catalog_trouble(operator, seen)
    yield from resolution_trouble(operator, subscription, seen)
    yield Verdict("waiting", say_progress(subscription, seen.place))


def group_trouble(operator: Operator, place: Place) -> Iterator[Verdict]:
    names = [entry["metadata"]["name"] for entry in place.groups]
    if not names:
        yield Verdict(
            "failing",
            f"exactly one OperatorGroup is needed in namespace {place.name}, but there is none, and OLM then does "
            "nothing and says nothing. Run this again, and find out who removes it.",
        )  # fmt: skip
    if len(names) > 1:
        yield Verdict(
            "failing",
            f"exactly one OperatorGroup is needed in namespace {place.name}, but there are {len(names)} "
            f"({listed(names)}), so OLM installs nothing there. Delete all but one.",
        )  # fmt: skip


def version_trouble(operator: Operator, subscription: Object) -> Iterator[Verdict]:
    now = status(subscription)
    installed = now.get("installedCSV")
    if operator.follows or not operator.starting_csv or installed in (None, "", operator.starting_csv):
        return
    if olm.is_after(installed, operator.starting_csv):
        yield Verdict(
            "failed",
            f"starting_csv {operator.starting_csv} is asked for, but {installed} is installed, and OLM goes to no "
            "older version. Remove the operator (state=absent) and install it again, or set starting_csv to "
            f"{installed}.",
        )  # fmt: skip
    following = now.get("currentCSV")
    if following != installed and olm.is_after(following, operator.starting_csv):
        yield Verdict(
            "failed",
            f"starting_csv {operator.starting_csv} is asked for, but from {installed} the channel leads to "
            f"{following} only. Set starting_csv to that, or upgrade to go to the newest.",
        )  # fmt: skip


def copy_trouble(subscription: Object, place: Place) -> Iterator[Verdict]:
    copy = named(place.copies, status(subscription).get("currentCSV"))
    home = ((copy or {}).get("metadata", {}).get("labels") or {}).get("olm.copiedFrom")
    if copy and home:
        yield Verdict(
            "failing",
            f"an operator must own its APIs alone, but {copy['metadata']['name']} is installed in namespace {home} "
            "for all namespaces, and is only copied here. Name that namespace for it, or remove it there.",
        )  # fmt: skip


def csv_trouble(operator: Operator, subscription: Object, place: Place) -> Iterator[Verdict]:
    csv = place.csv_of(subscription)
    if status(csv).get("phase") != "Failed":
        return
    reason = status(csv).get("reason")
    if reason == "UnsupportedOperatorGroup":
        modes = {entry["type"] for entry in csv["spec"].get("installModes") or [] if entry["supported"]}
        wanted = olm.mode_of(place.groups[0]) if place.groups else "none"
        sentence = olm.unsupported_mode(operator, wanted, modes).partition(": ")[2]
        yield Verdict("failing", f"{sentence} OLM says: {status(csv).get('message')}.")
    elif reason in ("InterOperatorGroupOwnerConflict", "OwnerConflict"):
        yield Verdict(
            "failing",
            "an operator must own its APIs alone, but another one on this cluster has them already "
            f"({say_csv(csv)}). Find it with kubectl get csv -A, and remove one of the two.",
        )  # fmt: skip
    else:
        yield Verdict("failing", f"phase Succeeded was expected, but {say_csv(csv)}.")


def say_csv(csv: Object) -> str:
    now = status(csv)
    why = ": ".join(str(now[part]).strip() for part in ("reason", "message") if now.get(part))
    missing = [
        f"{entry['kind']} {entry['name']}"
        for entry in now.get("requirementStatus") or []
        if entry.get("status") not in ("Present", "Created")
    ]
    needs = f"; it needs {listed(missing)}" if missing and now.get("reason") == "RequirementsNotMet" else ""
    return f"CSV {csv['metadata']['name']} is {now.get('phase') or 'new'}{f' ({why})' if why else ''}{needs}"


def plan_trouble(subscription: Object, place: Place) -> Iterator[Verdict]:
    plan = place.plan_of(subscription)
    if status(plan).get("phase") != "Failed":
        return
    name = plan["metadata"]["name"]
    said = [entry.get("message") for entry in status(plan).get("conditions") or [] if entry.get("status") == "False"]
    message = status(plan).get("message") or "; ".join(text for text in said if text) or "it does not say why"
    yield Verdict(
        "failing",
        f"InstallPlan {name} should be Complete, but is Failed: {message}. Repair that, then delete the InstallPlan: "
        "OLM makes a new one.",
    )  # fmt: skip


def unpack_trouble(subscription: Object) -> Iterator[Verdict]:
    failed = condition(subscription, "BundleUnpackFailed")
    if failed:
        yield stop_or_wait(
            subscription,
            failed,
            f"the bundle should be unpacked, but: {failed.get('message')}. Check that nodes can pull the bundle's "
            "image (pull secret, mirror, proxy), then delete the failed Job beside the catalog.",
        )
    running = condition(subscription, "BundleUnpacking")
    if running:
        what = f" ({running['message']})" if running.get("message") else ""
        yield Verdict("waiting", f"OLM still unpacks the bundle: a Job beside the catalog pulls its image{what}")


def catalog_trouble(operator: Operator, seen: Seen) -> Iterator[Verdict]:
    catalog = seen.catalogs.get((operator.source_namespace, operator.source))
    if not catalog:
        there = [name for place, name in seen.catalogs if place == operator.source_namespace]
        yield Verdict(
            "failing",
            f"catalog {operator.source} is needed in namespace {operator.source_namespace}, but is not there (there "
            f"are: {listed(there)}). Set source and source_namespace to an existing CatalogSource, or create it.",
        )  # fmt: skip
    elif not is_healthy(catalog):
        yield Verdict("failing", unhealthy(catalog))


def unhealthy(catalog: Object) -> str:
    metadata = catalog["metadata"]
    connection = status(catalog).get("connectionState") or {}
    state = connection.get("lastObservedState") or "not known yet"
    address = (
        connection.get("address")
        or (catalog.get("spec") or {}).get("address")
        or (catalog.get("spec") or {}).get("image")
    )
    return (
        f"catalog {metadata['name']} in namespace {metadata['namespace']} should be READY, but its connection is "
        f"{state} (at {address}). Look at its pod there (olm.catalogSource={metadata['name']}): the image, its pull "
        "secret, the network."
    )


def is_healthy(catalog: Object) -> bool:
    return (status(catalog).get("connectionState") or {}).get("lastObservedState") == "READY"


def resolution_trouble(operator: Operator, subscription: Object, seen: Seen) -> Iterator[Verdict]:
    failed = condition(subscription, "ResolutionFailed")
    if not failed:
        return
    message = str(failed.get("message") or failed.get("reason"))
    source = RESOLVER_SOURCE.search(message)
    if source:
        yield from dead_catalog(subscription, failed, seen.catalogs.get((source[2], source[1])))
        return
    orphan = ORPHAN.search(message)
    if orphan:
        yield from orphaned(subscription, failed, orphan[1], seen.place)
        return
    referenced = REFERENCED.search(message)
    own = subscription["metadata"]["name"]
    if referenced and referenced[1] != own:
        yield stop_or_wait(
            subscription,
            failed,
            f"OLM resolves all of namespace {seen.place.name} together, and Subscription {referenced[1]} there stops "
            f"it: {message}. Repair or delete that Subscription, or use another namespace.",
        )
    elif UNKNOWN.search(message):
        sentence = f"{say_wish(operator)} should be in catalog {operator.source}, but OLM says: {message}."
        yield stop_or_wait(subscription, failed, sentence, unknown=True)
    else:
        yield stop_or_wait(
            subscription,
            failed,
            f"OLM finds no set of versions that fits together: {message}. Check the channel, what it depends on, and "
            f"what else is installed in namespace {seen.place.name}.",
        )


def orphaned(subscription: Object, failed: dict[str, Any], name: str, place: Place) -> Iterator[Verdict]:
    """OLM says so for a while of a CSV that it has just made, too: such a one is no older than its Subscription."""
    sentence = (
        f"CSV {name} should belong to a Subscription of namespace {place.name}, but to none, as when that was deleted "
        f"alone, and OLM installs nothing over it. Delete it (kubectl -n {place.name} delete csv {name}): what the "
        f"operator looks after stays."
    )
    csv = place.csv(name)
    made = ((csv or {}).get("metadata") or {}).get("creationTimestamp") or ""
    if made < subscription["metadata"].get("creationTimestamp", ""):
        yield stop_or_wait(subscription, failed, sentence)


def dead_catalog(subscription: Object, failed: dict[str, Any], catalog: Object | None) -> Iterator[Verdict]:
    """One catalog that cannot be reached stops every namespace that sees it. OLM takes its word back only late."""
    if not catalog or is_healthy(catalog):
        return
    metadata = catalog["metadata"]
    yield stop_or_wait(
        subscription,
        failed,
        f"OLM must reach every catalog that this namespace sees, whichever is asked for: {unhealthy(catalog)} Repair "
        f"it, or delete CatalogSource {metadata['name']} if nobody needs it. OLM says: {failed.get('message')}.",
    )


def stop_or_wait(subscription: Object, entry: dict[str, Any], sentence: str, unknown: bool = False) -> Verdict:
    """A condition from before the last change says nothing about that: wait until OLM renews or drops it."""
    if since(subscription, entry) < written(subscription):
        return Verdict(
            "waiting", f"OLM has not taken back what it said before the last change: {sentence}", unknown=unknown
        )
    return Verdict("failing", sentence, unknown=unknown)


def condition(subscription: Object, kind: str) -> dict[str, Any] | None:
    found = (entry for entry in status(subscription).get("conditions") or [] if entry["type"] == kind)
    return next((entry for entry in found if entry.get("status") == "True"), None)


def since(subscription: Object, entry: dict[str, Any]) -> str:
    """When a condition came. OLM gives some no time of their own, but notes when it last changed any."""
    return entry.get("lastTransitionTime") or status(subscription).get("lastUpdated") or ""


def written(subscription: Object) -> str:
    """When what is asked for was last changed, by the API server's clock."""
    metadata = subscription["metadata"]
    own = [entry.get("time") for entry in metadata.get("managedFields") or [] if entry.get("manager") == FIELD_MANAGER]
    return max([metadata.get("creationTimestamp") or "", *(time for time in own if time)])


def say_wish(operator: Operator) -> str:
    parts = [f"package {operator.package}"]
    if operator.channel:
        parts.append(f"channel {operator.channel}")
    if operator.starting_csv:
        parts.append(f"version {operator.starting_csv}")
    return ", ".join(parts)


def say_progress(subscription: Object, place: Place) -> str:
    now = status(subscription)
    csv = place.csv_of(subscription)
    if csv:
        told = f"; the Subscription says {now['state']} all the same" if now.get("state") == "AtLatestKnown" else ""
        return f"phase Succeeded was expected, but {say_csv(csv)}{told}"
    plan = place.plan_of(subscription)
    if plan:
        return f"InstallPlan {plan['metadata']['name']} is {status(plan).get('phase') or 'new'}"
    return "OLM has not answered to its Subscription yet: see whether its catalog operator runs"


def available(operator: Operator, manifests: list[Object] | None) -> str:
    """What the catalog has, for an operator that it lacks; `manifests` None: nobody serves PackageManifests here."""
    if manifests is None:
        return " This cluster serves no PackageManifests, so what there is cannot be listed: ask the catalog's maker."
    own = [entry for entry in manifests if status(entry).get("catalogSource") == operator.source]
    manifest = named(own, operator.package)
    if not manifest:
        near = [entry["metadata"]["name"] for entry in own]
        return f" Catalog {operator.source} has the packages {listed(near)}: set package to one of them."
    channels = [
        f"{entry['name']} ({', '.join(part['name'] for part in entry.get('entries') or []) or entry['currentCSV']})"
        for entry in status(manifest).get("channels") or []
    ]
    return (
        f" Package {operator.package} has the channels {listed(channels)}: set channel and starting_csv to one of them."
    )
