# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes a facility from its hub, and the hub's agent from the facility: nothing is left on either side.

The agent must live while the hub lets go of what it delivered, so it goes last. With force, a dead one is done without.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed as managed
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer, say
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import Object, Refusal
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_facility import Place
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_hub import Hub
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_remains import Remains, wait_gone
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_install import Changes

GRACE = 15.0  # seconds that a living agent or controller gets before force takes its finalizers away


class Release:
    """Of the hub's own cluster, which stays: the labels and the set that were given to it. Raises ClusterError."""

    def __init__(self, hub: Hub, writer: Writer) -> None:
        self.hub, self.writer, self.changes = hub, writer, Changes()

    def write(self) -> None:
        before = self.hub.cluster(managed.HUB_ITSELF)
        if before:
            wanted = managed.managed_cluster(managed.Facility(managed.HUB_ITSELF))
            self.changes.note(wanted, managed.shown(before), managed.shown(self.writer.apply(wanted)))


class Detachment:
    """Raises Refusal and ClusterError."""

    def __init__(self, hub: Hub, writer: Writer, name: str, place: Place | None, force: bool) -> None:
        self.hub, self.writer, self.name, self.force = hub, writer, name, force
        self.place, self.remains = place, None
        self.cluster: Object | None = None
        self.objects: list[Object] = []
        self.left: list[str] = []

    def prepare(self) -> None:
        """Refuses before anything is deleted."""
        self.cluster = self.hub.cluster(self.name)
        namespace = self.hub.namespace(self.name)
        self.objects = self.on_hub(namespace) if self.cluster or self.is_ours(namespace) else []
        self.check_alive()
        self.remains = self.look_at_place() if self.place else None

    def is_ours(self, namespace: Object | None) -> bool:
        """Whether the namespace of that name is one of a managed cluster, of which a former run left the rest."""
        return bool(namespace) and managed.NAME_LABEL in (namespace["metadata"].get("labels") or {})

    def on_hub(self, namespace: Object | None) -> list[Object]:
        works = [work for work in self.hub.works(self.name) if not managed.is_own_work(self.name, work)]
        config = self.hub.addon_config(self.name)
        found = [*works, *self.hub.addons(self.name), config, self.cluster, *self.hub.requests(self.name), namespace]
        return [obj for obj in found if obj]

    def check_alive(self) -> None:
        delivered = [obj for obj in self.objects if obj["kind"] in ("ManifestWork", "ManagedClusterAddOn")]
        if self.force or not delivered or managed.works(self.cluster):
            return
        told = managed.condition(self.cluster, managed.AVAILABLE)
        raise Refusal(
            f"Facility {self.name}: its agent should take back what was delivered ({', '.join(map(say, delivered))}), "
            f"but it is not available ({told.get('reason') or 'never joined'}), and the hub would wait for ever. Bring "
            "the facility back, or set force to have the hub forget it: what was delivered stays on the facility then."
        )

    def look_at_place(self) -> Remains | None:
        remains = Remains(self.place, self.name, self.force)
        try:
            remains.prepare(self.hub.import_secret(self.name) if self.cluster else None)
        except ClusterError as error:
            if not self.force:
                raise Refusal(
                    f"Facility {self.name} should be cleaned up, too, but cannot be asked. {error} Set force to have "
                    "the hub forget it all the same, or leave out option facility."
                ) from None
            self.left.append(f"the agent on the facility, which cannot be asked: {error}")
            return None
        return remains

    # What is deleted

    def write(self, timeout: float) -> None:
        if self.writer.dry:
            return
        end = time.monotonic() + timeout
        for kinds in (("ManifestWork",), ("ManagedClusterAddOn", "KlusterletAddonConfig"), ("ManagedCluster",)):
            self.delete([obj for obj in self.objects if obj["kind"] in kinds], end)
        self.delete([obj for obj in self.objects if obj["kind"] == "CertificateSigningRequest"], end)
        self.delete([obj for obj in self.objects if obj["kind"] == "Namespace"], end)
        if self.remains:
            self.remains.delete(end)

    def delete(self, objects: list[Object], end: float) -> None:
        for obj in objects:
            self.writer.delete(obj)
        forced_at = time.monotonic() + (GRACE if managed.works(self.cluster) else 3.0)
        wait_gone(self.writer, lambda: [obj for obj in objects if self.is_there(obj)], end, self.force, forced_at)

    def is_there(self, obj: Object) -> bool:
        metadata = obj["metadata"]
        found = self.hub.one(obj["apiVersion"], obj["kind"], metadata.get("namespace"), metadata["name"])
        return bool(found) and found["metadata"]["uid"] == metadata["uid"]

    def removed(self) -> list[str]:
        there = [f"{say(obj)} on the facility" for obj in (self.remains.objects if self.remains else [])]
        return [say(obj) for obj in self.objects] + there

    def diff(self) -> dict[str, Any]:
        return {"before": dict.fromkeys(self.removed(), "(is there)"), "after": {}}
