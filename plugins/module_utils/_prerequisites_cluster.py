# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks a cluster what _prerequisites, _room and _quotas judge. Makes nothing: an access review is only a question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _prerequisites as prerequisites
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _quotas as quotas
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _room as room
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError, Unreachable
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import BadValue, Finding
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import V1ALPHA1, Object, Operator
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_cluster import PACKAGES

DNS_SERVICES = (("openshift-dns", "dns-default"), ("kube-system", "kube-dns"))


class Prerequisites:
    """Each check raises ClusterError or BadValue when it cannot be done."""

    def __init__(self, cluster: Cluster, options: dict[str, Any]) -> None:
        self.cluster, self.options = cluster, options
        self.namespace: str | None = options["namespace"]

    def checks(self) -> list[tuple[str, str, Any]]:
        """(where, what it is about, function that yields findings)."""
        return [
            ("cluster", "the version is supported", self.check_version),
            ("operators", "the catalogs have the operators", self.check_operators),
            ("nodes", "the nodes work", self.check_nodes),
            ("nodes", "the pipeline's pods find room", self.check_room),
            ("storage", "storage classes are there", self.check_classes),
            ("quota", "quotas and limit ranges of the namespace leave enough", self.check_quotas),
            ("DNS", "the cluster's DNS has servers", self.check_dns),
            ("rights", "this user may do what the roles do", self.check_rights),
        ]

    def all(self, api_version: str, kind: str, namespace: str | None = None, **query: str) -> list[Object]:
        return self.cluster.objects(api_version, kind, namespace, **query) or []

    def check_version(self) -> Iterator[Finding]:
        yield prerequisites.judge_version(self.cluster.version(), self.options["kubernetes_versions"])

    def check_operators(self) -> Iterator[Finding]:
        wanted = [prerequisites.operator_of(entry) for entry in self.options["operators"]]
        if not wanted:
            return
        yield Finding(
            "operators",
            "the Operator Lifecycle Manager is there",
            self.cluster.resource(V1ALPHA1, "Subscription") is not None,
            f"the API server serves no Subscription of {V1ALPHA1}.",
            "Install OLM (a part of OpenShift), or set operators_list to [] where the operators come from elsewhere.",
        )
        yield from self.packages(wanted)

    def packages(self, wanted: list[Operator]) -> Iterator[Finding]:
        for operator in wanted:
            place = operator.source_namespace
            found = self.cluster.objects(PACKAGES, "PackageManifest", place, name=operator.package)
            if found is None:
                what = f"the catalogs have {', '.join(entry.package for entry in wanted)}"
                yield Finding("operators", what, None, f"the API server serves no PackageManifest of {PACKAGES}.")
                return
            finding = prerequisites.judge_package(operator, found)
            if not finding.ok:  # another catalog's of that name, or none: what this catalog has is worth a large answer
                selector = f"catalog={operator.source}"
                finding = prerequisites.judge_package(
                    operator, self.all(PACKAGES, "PackageManifest", place, label_selector=selector)
                )
            yield finding

    def check_nodes(self) -> Iterator[Finding]:
        nodes = self.all("v1", "Node")
        yield from room.judge_nodes(nodes)
        if self.options["storage_nodes"] is not None:
            yield room.judge_storage_nodes(nodes, self.options["storage_nodes"])

    def check_room(self) -> Iterator[Finding]:
        pods = self.all("v1", "Pod", field_selector="status.phase!=Succeeded,status.phase!=Failed")
        yield room.judge_room(self.all("v1", "Node"), pods, self.wanted_pods(), self.namespace)

    def wanted_pods(self) -> list[Object]:
        return quotas.completed(room.wanted_pods(self.options["pods"]), self.in_namespace("LimitRange"))

    def in_namespace(self, kind: str) -> list[Object]:
        return self.all("v1", kind, self.namespace) if self.namespace else []

    def check_classes(self) -> Iterator[Finding]:
        volumes = [volume for volume in self.options["volumes"] if volume["count"]]
        yield from prerequisites.judge_classes(self.all("storage.k8s.io/v1", "StorageClass"), volumes)

    def check_quotas(self) -> Iterator[Finding]:
        wanted, claims = self.wanted_pods(), quotas.claims_of(self.options["volumes"])
        yield from quotas.judge_limits(self.in_namespace("LimitRange"), wanted, claims)
        found = self.in_namespace("ResourceQuota")
        if not found:
            yield Finding("quota", f"no quota binds namespace {self.namespace}")
            return
        default = next(iter(prerequisites.default_classes(self.all("storage.k8s.io/v1", "StorageClass"))), "")
        running = [pod for pod in self.in_namespace("Pod") if pod["status"].get("phase") not in ("Succeeded", "Failed")]
        ours = quotas.usage(
            [pod for pod in running if room.own(pod)],
            [claim for claim in self.in_namespace("PersistentVolumeClaim") if room.own(claim)],
            default,
        )
        need = quotas.usage(wanted, claims, default)
        for quota in found:
            yield from quotas.judge_quota(quota, need, ours, wanted)

    def check_dns(self) -> Iterator[Finding]:
        for namespace, name in DNS_SERVICES:
            if self.all("v1", "Service", namespace, name=name):
                selector = f"kubernetes.io/service-name={name}"
                slices = self.all("discovery.k8s.io/v1", "EndpointSlice", namespace, label_selector=selector)
                yield prerequisites.judge_dns(namespace, name, slices)
                return
        names = " or ".join(f"{namespace}/{name}" for namespace, name in DNS_SERVICES)
        yield Finding("DNS", "the cluster's DNS has servers", None, f"there is no Service {names} to look at.")

    def check_rights(self) -> Iterator[Finding]:
        if not self.namespace:
            return
        try:
            exists = bool(self.all("v1", "Namespace", name=self.namespace))
        except ClusterError:
            exists = False
        openshift = self.cluster.resource("route.openshift.io/v1", "Route") is not None
        asked = prerequisites.rights_of(self.options["rights"], self.namespace, exists, openshift)
        yield from prerequisites.judge_rights(asked, [right for right in asked if not self.allowed(right)])

    def allowed(self, right: prerequisites.Right) -> bool:
        reviews = self.cluster.resource("authorization.k8s.io/v1", "SelfSubjectAccessReview")
        body = prerequisites.review_of(right)
        answer = self.cluster.ask(f"ask whether this user may {right.verb} {right}", lambda: reviews.create(body=body))
        return bool(answer.to_dict()["status"].get("allowed"))


def findings_of(prerequisites_of_cluster: Prerequisites) -> Iterator[Finding]:
    """What every check finds; one that cannot be done is a finding of its own."""
    for where, what, check in prerequisites_of_cluster.checks():
        try:
            yield from check()
        except Unreachable as error:
            yield Finding(where, what, False, str(error))
        except ClusterError as error:
            yield Finding(where, what, None, f"nobody can tell: {error}")
        except BadValue as error:
            yield Finding(where, what, False, str(error), "Correct the value in the inventory.")
        except Exception as error:  # what has a shape that nobody foresaw must not hide what the other checks find
            yield Finding(where, what, None, f"nobody can tell, this check ended with {type(error).__name__}: {error}.")
