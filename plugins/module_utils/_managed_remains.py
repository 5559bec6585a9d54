# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hub's agent is made of on a facility, and how it goes. Knows no options of a module and prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import NotThere
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer, say
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import (
    CLUSTERS,
    FIELD_MANAGER,
    Object,
    Refusal,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_facility import (
    AGENT_NAMESPACE,
    Place,
    namespace_of,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_import import import_objects

CRDS = (
    "klusterlets.operator.open-cluster-management.io",
    "appliedmanifestworks.work.open-cluster-management.io",
    "clusterclaims.cluster.open-cluster-management.io",
)
RBAC = "rbac.authorization.k8s.io/v1"
OWN = ("klusterlet", "open-cluster-management:klusterlet")
GRACE = 10.0  # seconds


class Remains:
    """Raises Refusal and ClusterError."""

    def __init__(self, place: Place, name: str, force: bool) -> None:
        self.place, self.name, self.force = place, name, force
        self.objects: list[Object] = []

    def prepare(self, import_secret: Object | None) -> None:
        klusterlet = self.place.klusterlet()
        called = ((klusterlet or {}).get("spec") or {}).get("clusterName")
        if called and called != self.name:
            raise Refusal(
                f"Facility {self.name}: the cluster of option facility should be its own, but its Klusterlet is for "
                f"{called}. Nothing was deleted: correct the address, or leave out option facility."
            )
        made = import_objects(import_secret) if import_secret else []
        self.objects = [obj for obj in [klusterlet, *self.applied_works(), *self.others(klusterlet, made)] if obj]

    def all(self, api_version: str, kind: str) -> list[Object]:
        return self.place.api().objects(api_version, kind, None) or []

    def applied_works(self) -> list[Object]:
        return self.all("work.open-cluster-management.io/v1", "AppliedManifestWork")

    def others(self, klusterlet: Object | None, made: list[Object]) -> list[Object]:
        """Rights before namespaces before kinds. A cluster that is a hub itself keeps its kinds."""
        spaces = {AGENT_NAMESPACE, f"{AGENT_NAMESPACE}-addon", namespace_of(klusterlet)}
        spaces |= {obj["metadata"]["name"] for obj in made if obj["kind"] == "Namespace"}
        cluster_wide = {obj["metadata"]["name"] for obj in made if obj["kind"].startswith("ClusterRole")}
        found = [
            obj for kind in ("ClusterRoleBinding", "ClusterRole") for obj in self.all(RBAC, kind)
            if obj["metadata"]["name"] in cluster_wide or obj["metadata"]["name"].startswith(OWN)
        ]  # fmt: skip
        found += [obj for obj in self.all("v1", "Namespace") if obj["metadata"]["name"] in spaces]
        if self.place.api().resource(CLUSTERS, "ManagedCluster") is None:
            kinds = self.all("apiextensions.k8s.io/v1", "CustomResourceDefinition")
            found += [obj for obj in kinds if obj["metadata"]["name"] in CRDS]
        return found

    def delete(self, end: float) -> None:
        """The Klusterlet first, while its operator lives and has the rights to clean up."""
        writer = Writer(self.place.api(), FIELD_MANAGER, dry_run=False)
        first = [obj for obj in self.objects if obj["kind"] in ("Klusterlet", "AppliedManifestWork")]
        rest = [obj for obj in self.objects if obj not in first]
        for objects in (first, rest):
            for obj in objects:
                writer.delete(obj)
            forced_at = time.monotonic() + GRACE
            wait_gone(
                writer,
                lambda objects=objects: [obj for obj in objects if self.is_there(obj)],
                end,
                self.force,
                forced_at,
            )

    def is_there(self, obj: Object) -> bool:
        metadata = obj["metadata"]
        found = self.place.one(obj["apiVersion"], obj["kind"], metadata.get("namespace"), metadata["name"])
        return bool(found) and found["metadata"]["uid"] == metadata["uid"]


def wait_gone(
    writer: Writer, there: Callable[[], list[Object]], end: float, force: bool, forced_at: float
) -> None:  # fmt: skip
    """With force, finalizers that nobody has removed by `forced_at` are taken away."""
    forced: set[str] = set()
    while left := there():
        now = time.monotonic()
        if now > end:
            raise Refusal(
                f"{', '.join(say(obj) for obj in left)} should be gone, but is still there: the controller or agent "
                "that should let go of it does not answer. Look for finalizers in its metadata, or set force."
            )
        if force and now > forced_at:
            for obj in left:
                if say(obj) not in forced:
                    release(writer, obj)
                    forced.add(say(obj))
        time.sleep(0.5)


def release(writer: Writer, obj: Object) -> None:
    """A namespace's finalizer is the API server's own: what holds it up are the objects in it."""
    if obj["kind"] == "Namespace":
        return
    try:
        writer.merge(obj, {"metadata": {"finalizers": None}})
    except NotThere:
        return
