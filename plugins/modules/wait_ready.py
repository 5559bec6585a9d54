#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waits until Kubernetes objects work, whatever their kind calls it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_ready
short_description: Wait until Kubernetes objects of any kind are ready
version_added: 0.1.0
description:
  - Waits for many objects at once and knows for each kind what ready means - the controller has seen the last change,
    the conditions, phases and replica counts are right. It knows workloads, Strimzi's Kafka, Knative, Rook's Ceph and
    object bucket claims, the Operator Lifecycle Manager, Grafana, Open Cluster Management, Argo CD, Quay, Open Data
    Hub and OpenShift; any other kind is judged like kstatus does, by the conditions C(Stalled), C(Reconciling),
    C(Ready) and C(Available).
  - Ends early when no waiting will help, such as a failed Job, a failed ClusterServiceVersion, or an image that
    cannot be pulled.
  - When an object does not become ready, the error names what was waited for, its last status, its events, the pods
    that do not work with the last lines of their logs, and a command to look further.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    description: Looks once and reports, without waiting and without failing for what is not ready.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  resources:
    description: Objects to wait for.
    type: list
    elements: dict
    required: true
    suboptions:
      api_version:
        description: API version, with its group.
        type: str
        default: v1
      kind:
        description: Kind. It need not be served yet.
        type: str
        required: true
      namespace:
        description: Namespace, for kinds that have one. By labels and without a namespace, objects of all namespaces
          count.
        type: str
      name:
        description: Name of one object. Exactly one of O(resources[].name) and O(resources[].label_selectors) is
          needed.
        type: str
      label_selectors:
        description: Labels of the objects, such as V(app=web) or V(tier in (a,b)); all of them must match.
        type: list
        elements: str
      minimum:
        description: Number of objects with these labels that must exist at least.
        type: int
        default: 1
      conditions:
        description: Conditions that must hold instead of what the kind asks for, such as V(Ready) or V(Stalled=False).
        type: list
        elements: str
      ready_when:
        description: V(exists) waits for no status at all, for kinds that never write one.
        type: str
        choices: [status, exists]
        default: status
  state:
    description: Whether to wait for the objects to work or to be gone.
    type: str
    choices: [ready, absent]
    default: ready
  timeout:
    description: Seconds to wait for all objects together.
    type: int
    default: 300
  interval:
    description: Seconds between two looks.
    type: float
    default: 1
  error_grace:
    description: Seconds for which an error that may pass, such as a failing image pull, must last to end the wait.
    type: int
    default: 60
  log_lines:
    description: Lines of a pod's log that an error shows, V(0) for none where logs may hold what must not be shown.
    type: int
    default: 10
requirements:
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
"""

EXAMPLES = r"""
- name: Kafka, its topic and its user work
  xraylab.medical_diagnosis.wait_ready:
    resources:
      - {api_version: kafka.strimzi.io/v1, kind: Kafka, namespace: xraylab-1, name: xray-cluster}
      - {api_version: kafka.strimzi.io/v1, kind: KafkaTopic, namespace: xraylab-1, name: xray-images}
      - {api_version: kafka.strimzi.io/v1, kind: KafkaUser, namespace: xraylab-1, name: rgw}
    timeout: 600

- name: The operator is installed, its kind is served and its pods run
  xraylab.medical_diagnosis.wait_ready:
    resources:
      - api_version: operators.coreos.com/v1alpha1
        kind: Subscription
        namespace: openshift-operators
        name: amq-streams
      - {api_version: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, name: kafkas.kafka.strimzi.io}
      - {kind: Pod, namespace: openshift-operators, label_selectors: [name=amq-streams-cluster-operator]}

- name: The Kafka topics are gone before their cluster is removed
  xraylab.medical_diagnosis.wait_ready:
    state: absent
    resources:
      - api_version: kafka.strimzi.io/v1
        kind: KafkaTopic
        namespace: xraylab-1
        label_selectors: [strimzi.io/cluster=xray-cluster]
"""

RETURN = r"""
resources:
  description: What was waited for, in the order given; an object that was named with its last status.
  returned: always
  type: list
  elements: dict
  sample:
    - api_version: kafka.strimzi.io/v1
      kind: KafkaTopic
      namespace: xraylab-1
      name: xray-images
      label_selector: ""
      done: true
      reason: is ready
      seconds: 41.3
      status: {conditions: [{type: Ready, status: "True"}], observedGeneration: 1, topicName: xray-images}
seconds:
  description: Seconds that were waited.
  returned: always
  type: float
  sample: 41.3
"""

import copy

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _diagnosis as diagnosis
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._waiting import Limits, Target, Watch

RESOURCE = {
    "api_version": {"type": "str", "default": "v1"},
    "kind": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "name": {"type": "str"},
    "label_selectors": {"type": "list", "elements": "str"},
    "minimum": {"type": "int", "default": 1},
    "conditions": {"type": "list", "elements": "str"},
    "ready_when": {"type": "str", "choices": ["status", "exists"], "default": "status"},
}
ARGUMENTS = {
    **copy.deepcopy(AUTH_ARG_SPEC),
    "resources": {
        "type": "list", "elements": "dict", "required": True, "options": RESOURCE,
        "required_one_of": [("name", "label_selectors")], "mutually_exclusive": [("name", "label_selectors")],
    },
    "state": {"type": "str", "choices": ["ready", "absent"], "default": "ready"},
    "timeout": {"type": "int", "default": 300},
    "interval": {"type": "float", "default": 1},
    "error_grace": {"type": "int", "default": 60},
    "log_lines": {"type": "int", "default": 10},
}  # fmt: skip


def target_of(resource: dict) -> Target:
    return Target(
        api_version=resource["api_version"], kind=resource["kind"], namespace=resource["namespace"],
        name=resource["name"], selector=",".join(resource["label_selectors"] or []),
        conditions=tuple(resource["conditions"] or ()), exists=resource["ready_when"] == "exists",
        minimum=resource["minimum"],
    )  # fmt: skip


def wait(module: AnsibleK8SModule, watch: Watch) -> None:
    if module.check_mode:
        watch.look()
        return
    options = module.params
    ended = watch.run(Limits.of(options))
    if ended == "done":
        return
    reports = watch.reports(options["log_lines"])
    how = "Waiting longer will not help." if ended == "failed" else "The time for it is up (option timeout)."
    headline = diagnosis.headline(options["state"], round(watch.seconds()), len(watch.watched), reports, how)
    module.fail_json(msg=diagnosis.failure(headline, reports), **result_of(watch))


def result_of(watch: Watch) -> dict:
    resources = [watched.result() for watched in watch.watched]
    return {"changed": False, "resources": resources, "seconds": round(watch.seconds(), 1)}


def main() -> None:
    module = AnsibleK8SModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        watch = Watch(
            Cluster(module), [target_of(resource) for resource in module.params["resources"]], module.params["state"]
        )
        wait(module, watch)
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result_of(watch))


if __name__ == "__main__":
    main()
