# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes operators away that OLM installed: Subscription and CSV, and their CRDs where nobody uses those.

Knows no options of a module and prints nothing.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _olm as olm
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer, say
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import (
    V1ALPHA1,
    Object,
    Operator,
    Place,
    Refusal,
    named,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_cluster import Olm

CRDS = "apiextensions.k8s.io/v1"
SHORT = ("Subscription", "OperatorGroup")  # kinds whose spec a diff shows
SOME = 4  # custom resources to ask for: a few are told of


class Removal:
    """Raises Refusal and ClusterError. Nothing is deleted while custom resources of a CRD that is to go exist."""

    def __init__(self, api: Olm, writer: Writer, operators: list[Operator], remove_crds: bool) -> None:
        self.api, self.writer, self.operators, self.remove_crds = api, writer, operators, remove_crds
        self.objects: list[Object] = []

    def prepare(self) -> None:
        self.api.check_served()
        places = {name: self.api.place(name) for name in {entry.namespace for entry in self.operators}}
        for operator in self.operators:
            self.objects += olm.belongings(operator, places[operator.namespace])
        crds = self.crds(places) if self.remove_crds else []
        for place in places.values():
            self.objects += olm.unused_groups(place, [obj for obj in self.objects if is_in(obj, place)])
        self.objects += crds

    def crds(self, places: dict[str, Place]) -> list[Object]:
        """CRDs that only what is removed owns, each without custom resources."""
        going = [obj for obj in self.objects if obj["kind"] == "ClusterServiceVersion"]
        names = olm.owned_crds(going)
        for operator in self.operators:
            labelled = self.api.all(
                CRDS,
                "CustomResourceDefinition",
                None,
                label_selector=olm.component_label(operator.package, operator.namespace),
            )
            names |= {entry["metadata"]["name"] for entry in labelled}
        if not names:
            return []
        every = self.api.all(V1ALPHA1, "ClusterServiceVersion", None, label_selector="!olm.copiedFrom")
        staying = [csv for csv in every if not any(same(csv, obj) for obj in going)]
        found = self.api.all(CRDS, "CustomResourceDefinition", None)
        crds = [crd for crd in (named(found, name) for name in sorted(names - olm.owned_crds(staying))) if crd]
        used = [olm.still_used(crd, objects) for crd in crds if (objects := self.resources(crd))]
        if used:
            raise Refusal(
                "The CRDs should go with their operators, but custom resources of theirs exist, which would go too: "
                f"{'; '.join(used)}. Nothing was deleted: remove those first, while their operator runs, or leave "
                "out remove_crds."
            )
        return crds

    def resources(self, crd: Object) -> list[Object]:
        spec = crd["spec"]
        version = next((entry["name"] for entry in spec["versions"] if entry.get("served")), "")
        return self.api.all(f"{spec['group']}/{version}", spec["names"]["kind"], None, limit=SOME) if version else []

    def write(self, timeout: float) -> None:
        """Deletes, and waits until it is so."""
        for obj in self.objects:
            self.writer.delete(obj)
        end = time.monotonic() + timeout
        while not self.writer.dry and (left := [obj for obj in self.objects if self.is_there(obj)]):
            if time.monotonic() > end:
                raise Refusal(
                    f"{', '.join(say(obj) for obj in left)} should be gone after {timeout} s, but is still there: "
                    "look for finalizers in its metadata, and for the controller that should remove them."
                )
            time.sleep(0.5)

    def is_there(self, obj: Object) -> bool:
        metadata = obj["metadata"]
        found = self.api.all(obj["apiVersion"], obj["kind"], metadata.get("namespace"), name=metadata["name"])
        return any(entry["metadata"]["uid"] == metadata["uid"] for entry in found)

    def diff(self) -> dict[str, Any]:
        before = {say(obj): obj.get("spec") or {} if obj["kind"] in SHORT else "(is there)" for obj in self.objects}
        return {"before": before, "after": {}}


def is_in(obj: Object, place: Place) -> bool:
    return obj["metadata"].get("namespace") == place.name


def same(one: Object, other: Object) -> bool:
    return all(one["metadata"].get(key) == other["metadata"].get(key) for key in ("namespace", "name"))
