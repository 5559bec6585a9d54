# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an inventory says of a hub's ManagedClusters: variables, groups, and the way there. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
SET_LABEL = "cluster.open-cluster-management.io/clusterset"
PLACEMENT_LABEL = "cluster.open-cluster-management.io/placement"
HUB_ITSELF = "local-cluster"
ACCEPTED, JOINED, AVAILABLE = (
    "HubAcceptedManagedCluster", "ManagedClusterJoined", "ManagedClusterConditionAvailable",
)  # fmt: skip
READ_TOKEN = "{{ (query('kubernetes.core.k8s', kind='Secret'"  # noqa: S105


def trimmed(clusters: list[Object], decisions: list[Object]) -> list[Object]:
    """The part that is used, which a cache keeps. No secret is in it."""
    placed = placements(decisions)
    return [
        {
            "metadata": {key: entry["metadata"].get(key) or {} for key in ("name", "labels", "annotations")},
            "spec": entry.get("spec") or {},
            "status": {
                key: (entry.get("status") or {}).get(key) for key in ("conditions", "clusterClaims", "version")
            },
            "placements": placed.get(entry["metadata"]["name"], []),
        }
        for entry in clusters
    ]  # fmt: skip


def placements(decisions: list[Object]) -> dict[str, list[str]]:
    """Placements as NAMESPACE/NAME by the clusters that they decided on."""
    found: dict[str, set[str]] = {}
    for entry in decisions:
        metadata = entry["metadata"]
        placement = (metadata.get("labels") or {}).get(PLACEMENT_LABEL)
        for decision in (entry.get("status") or {}).get("decisions") or []:
            if placement:
                found.setdefault(decision["clusterName"], set()).add(f"{metadata['namespace']}/{placement}")
    return {name: sorted(places) for name, places in found.items()}


def variables(entry: Object) -> dict[str, Any]:
    """A facility's variables. A ManagedCluster that its hub has not accepted has no status."""
    metadata, status = entry["metadata"], entry["status"]
    configs = entry["spec"].get("managedClusterClientConfigs") or [{}]
    claims = {claim["name"]: claim.get("value") for claim in status.get("clusterClaims") or []}
    conditions = {told["type"]: told["status"] for told in status.get("conditions") or []}
    return {
        "facility_name": metadata["name"],
        "facility_labels": metadata["labels"],
        "facility_set": metadata["labels"].get(SET_LABEL, ""),
        "facility_claims": claims,
        "facility_conditions": conditions,
        "facility_state": state(entry),
        "facility_kubernetes": (status.get("version") or {}).get("kubernetes", ""),
        "facility_placements": entry["placements"],
        "facility_url": configs[0].get("url", ""),
        "facility_ca_bundle": configs[0].get("caBundle", ""),
    }


def state(entry: Object) -> str:
    """available, lost, joining, denied. Available is said of a denied one for a while: it does not count."""
    if not entry["spec"].get("hubAcceptsClient"):
        return "denied"
    conditions = {told["type"]: told["status"] for told in entry["status"].get("conditions") or []}
    if conditions.get(ACCEPTED) != "True" or conditions.get(JOINED) != "True":
        return "joining"
    return "available" if conditions.get(AVAILABLE) == "True" else "lost"


def groups(entry: Object, labels: list[str]) -> Iterator[str]:
    """Names of groups, not yet made fit for Ansible."""
    yield state(entry)
    own = entry["metadata"]["labels"]
    if own.get(SET_LABEL):
        yield f"set_{own[SET_LABEL]}"
    for label in labels:
        if label in own:
            yield f"{label.rsplit('/', 1)[-1]}_{own[label]}"
    for placement in entry["placements"]:
        yield f"placement_{placement.split('/', 1)[1]}"


def proxied(name: str, url: str, authority: str | None, token: str) -> dict[str, Any]:
    """A kubeconfig that leads through ACM's cluster-proxy. Ansible hides each text in it: none may be a common word."""
    entry = f"xraylab-proxy-{name}"
    trust = {"certificate-authority": authority} if authority else {"insecure-skip-tls-verify": True}
    return {
        "current-context": entry,
        "clusters": [{"name": entry, "cluster": {"server": f"{url.rstrip('/')}/{name}", **trust}}],
        "users": [{"name": entry, "user": {"token": token}}],
        "contexts": [{"name": entry, "context": {"cluster": entry, "user": entry}}],
    }


def token_template(name: str, account: str, hub: dict[str, Any]) -> str:
    """Reads the token of a ManagedServiceAccount from the hub when it is used, and not before."""
    arguments = [f"namespace={name!r}", f"resource_name={account!r}"]
    arguments += [f"{key}={value!r}" for key, value in sorted(hub.items()) if value is not None]
    return f"{READ_TOKEN}, {', '.join(arguments)}) | first).data.token | b64decode }}}}"
