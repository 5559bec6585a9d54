# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applies on a facility what its hub made for its import, and gives its agent new credentials.

Knows no options of a module and prints nothing.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_access as access
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import FIELD_MANAGER, Object, Refusal
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_facility import (
    BOOTSTRAP,
    CREDENTIALS,
    Place,
    in_secret,
    namespace_of,
    yaml,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_hub import Hub

CRDS = ("crdsv1.yaml", "crds.yaml")
KIND_WITHIN = 30.0  # seconds; a new kind is served a moment after its CRD
FIRST = ("CustomResourceDefinition", "Namespace", "ServiceAccount", "Secret", "ClusterRole", "ClusterRoleBinding")


def import_objects(secret: Object) -> list[Object]:
    """CRDs, namespaces and rights before what needs them; the Klusterlet at last."""
    crds = next((text for key in CRDS if (text := in_secret(secret, key))), "")
    texts = [crds, in_secret(secret, "import.yaml")]
    found = [obj for text in texts for obj in yaml.safe_load_all(text) if obj]
    flat = [item for obj in found for item in (obj["items"] if obj["kind"] == "List" else [obj])]
    order = {kind: place for place, kind in enumerate(FIRST)} | {"Klusterlet": len(FIRST) + 1}
    return sorted(flat, key=lambda obj: order.get(obj["kind"], len(FIRST)))


class Manifests:
    """Secret NAME-import of the hub, on its way to the facility."""

    def __init__(self, hub: Hub, place: Place, name: str, dry_run: bool) -> None:
        self.hub, self.place, self.name, self.dry_run = hub, place, name, dry_run
        self.applied = False

    def go_on(self, changes: Any) -> None:
        """Its token expires: the Secret is read when it is applied, and no sooner."""
        if self.applied:
            return
        secret = self.hub.import_secret(self.name)
        if not secret or not in_secret(secret, "import.yaml"):
            return
        apply(self.place, import_objects(secret), self.dry_run)
        self.applied = True
        changes.note(secret, None, {"applied": "on the facility"})

    def say_missing(self) -> str:
        return (
            f"The hub's import controller should make Secret {self.name}/{self.name}-import with the manifests to "
            "apply, but has not. Check that Advanced Cluster Management runs on the hub (MultiClusterHub Running); "
            "with Open Cluster Management alone, start the agent by clusteradm join and use import_by none."
        )


def apply(place: Place, objects: list[Object], dry_run: bool = False) -> None:
    writer = Writer(place.api(), FIELD_MANAGER, dry_run)
    if dry_run:
        return  # most of it needs what would be made just before
    for obj in objects:
        apply_served(writer, obj)


def apply_served(writer: Writer, obj: Object) -> None:
    end = time.monotonic() + KIND_WITHIN
    while True:
        try:
            writer.apply(obj)
            return
        except ClusterError:
            if writer.cluster.resource(obj["apiVersion"], obj["kind"]) is not None or time.monotonic() > end:
                raise
            time.sleep(0.5)


class Rotation:
    """New credentials for an agent that is in touch: a fresh bootstrap token, and a certificate asked for anew."""

    def __init__(self, hub: Hub, place: Place, name: str) -> None:
        self.hub, self.place, self.name = hub, place, name

    def ends(self) -> datetime | None:
        return access.certificate_expiry(in_secret(self.place.credentials_of_agent(), "tls.crt"))

    def run(self, timeout: float) -> None:
        namespace = namespace_of(self.place.klusterlet())
        old = self.place.credentials_of_agent()
        if not old:
            raise Refusal(
                f"Facility {self.name}: its agent should have credentials to rotate, but Secret "
                f"{namespace}/{CREDENTIALS} is not there: it has not joined."
            )
        self.renew_bootstrap()
        writer = Writer(self.place.api(), FIELD_MANAGER, dry_run=False)
        writer.delete(old)
        self.wait_for_another(in_secret(old, "tls.crt"), timeout)

    def renew_bootstrap(self) -> None:
        """Where an import controller runs, it keeps a bootstrap token that is good."""
        secret = self.hub.import_secret(self.name)
        fresh = [obj for obj in import_objects(secret) if is_bootstrap(obj)] if secret else []
        apply(self.place, fresh)

    def wait_for_another(self, old: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            new = in_secret(self.place.credentials_of_agent(), "tls.crt")
            if new and new != old:
                return
            if time.monotonic() > end:
                raise Refusal(
                    f"Facility {self.name}: its agent should have got a new certificate within {timeout:.0f} s after "
                    f"Secret {CREDENTIALS} was deleted, but has not. Look at its log, and for its CSR on the hub."
                )
            time.sleep(1)


def is_bootstrap(obj: Object) -> bool:
    return obj["kind"] == "Secret" and obj["metadata"]["name"].startswith(BOOTSTRAP)
