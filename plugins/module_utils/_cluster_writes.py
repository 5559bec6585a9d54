# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applies, patches and deletes objects of a Kubernetes API server, or only asks it to try. Decides nothing."""

from __future__ import annotations

from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster, Object
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError, NotThere


class Writer:
    """Every method raises ClusterError. With `dry_run`, the API server checks and stores nothing."""

    def __init__(self, cluster: Cluster, field_manager: str, dry_run: bool) -> None:
        self.cluster, self.field_manager = cluster, field_manager
        self.dry = {"dry_run": "All"} if dry_run else {}

    def apply(self, obj: Object) -> Object:
        """Server-side apply; the object as it is then."""
        place = self.place(obj)
        resource = self.resource(obj)
        return self.cluster.ask(
            f"apply {say(obj)}",
            lambda: resource.server_side_apply(
                body=obj, field_manager=self.field_manager, force_conflicts=True, **place, **self.dry
            ),
        ).to_dict()

    def merge(self, obj: Object, change: Object) -> None:
        """Merges a change into an object that exists."""
        place = self.place(obj)
        resource = self.resource(obj)
        self.cluster.ask(
            f"change {say(obj)}",
            lambda: resource.patch(
                body=change,
                content_type="application/merge-patch+json",
                field_manager=self.field_manager,
                **place,
                **self.dry,
            ),
        )

    def delete(self, obj: Object) -> None:
        """Its dependents go as well; an object that is gone already is no error."""
        place = self.place(obj)
        resource = self.resource(obj)
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        try:
            # The dry run belongs into the body here: a body makes the API server ignore the query.
            body = options | {"dryRun": ["All"]} if self.dry else options
            self.cluster.ask(f"delete {say(obj)}", lambda: resource.delete(body=body, **place))
        except NotThere:
            return

    @staticmethod
    def place(obj: Object) -> dict[str, Any]:
        metadata = obj["metadata"]
        return {key: metadata[key] for key in ("name", "namespace") if metadata.get(key)}

    def resource(self, obj: Object) -> Any:
        found = self.cluster.resource(obj["apiVersion"], obj["kind"])
        if found is None:
            raise ClusterError(
                f"Could not write {say(obj)}: this API server serves no {obj['kind']} of {obj['apiVersion']}."
            )
        return found


def say(obj: Object) -> str:
    metadata = obj["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{obj['kind']} {place}{metadata['name']}"
