#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds what a cluster and a control node lack before anything is installed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: prerequisites_info
short_description: Find what a cluster and a control node lack before anything is installed
version_added: 0.1.0
description:
  - Looks at a cluster, at the object store's address and at the control node, and returns all that is wrong at once.
  - Nothing is made or changed. Whether the user has the rights is asked with a SelfSubjectAccessReview, which the API
    server answers and does not keep.
  - A check that cannot be done, as when the user may not look, is a finding that is neither right nor wrong; the
    other checks go on.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  namespace:
    description: Namespace that will hold the pods. What lies there already and is the roles' own counts as free.
    type: str
  missing_variables:
    description: Names of variables that should be set and are not.
    type: list
    elements: str
    default: []
  kubernetes_versions:
    description: Range of Kubernetes versions. One above the range is neither right nor wrong, as nobody has tried it.
    type: str
    required: true
  operators:
    description: Operators that will be installed, as O(xraylab.medical_diagnosis.olm_operator#module:operators).
    type: list
    elements: dict
    default: []
  storage_nodes:
    description:
      - Nodes that will be labelled for Data Foundation's storage. With those that have its label, three are needed.
      - Leave it out where Data Foundation keeps nothing on nodes of the cluster.
    type: list
    elements: str
  pods:
    description: Pods that will run.
    type: list
    elements: dict
    default: []
    suboptions:
      what:
        description: What they are.
        type: str
        required: true
      count:
        description: Number of them at most.
        type: int
        default: 1
      containers:
        description: Requests and limits of each container, as in a Pod.
        type: list
        elements: dict
        default: []
      set_by:
        description: Variables that say how much they ask for.
        type: str
  volumes:
    description: Volumes that will be claimed.
    type: list
    elements: dict
    default: []
    suboptions:
      what:
        description: Whose they are.
        type: str
        required: true
      count:
        description: Number of them.
        type: int
        default: 1
      size:
        description: Size of each.
        type: str
        required: true
      storage_class:
        description: Storage class. Empty for the cluster's default.
        type: str
      set_by:
        description: Variable that says which storage class.
        type: str
  rights:
    description: What will be done with which resources. The rights on O(namespace) itself are always asked for.
    type: list
    elements: dict
    default: []
    suboptions:
      group:
        description: API group, empty for the core.
        type: str
        default: ""
      resource:
        description: Resource, as the plural of its kind; with its subresource after a slash.
        type: str
        required: true
      verbs:
        description: What is done with it.
        type: list
        elements: str
        default: [get, list, create, patch, delete]
      namespaces:
        description: Namespaces it lies in, or an empty name for what lies in none. Without it, O(namespace).
        type: list
        elements: str
      only_on:
        description: Kind of cluster on which it is used at all.
        type: str
        choices: [openshift, kubernetes]
  endpoint_url:
    description: Address of the object store. Without it, the object store is not looked at.
    type: str
  ca_bundle:
    description: File with the authorities that signed the object store's certificate. Without it, the machine's own.
    type: path
  python_versions:
    description: Range of Python versions.
    type: str
    required: true
  packages:
    description: Python packages that the control node needs, as the lines of a C(requirements.txt).
    type: list
    elements: str
    default: []
  collections:
    description: Collections that the control node needs, as the entries of a C(requirements.yml).
    type: list
    elements: dict
    default: []
  installed_collections:
    description: What C(ansible-galaxy collection list --format json) says of one path or of several together.
    type: dict
  commands:
    description: Commands that the control node needs.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See whether there is room for Kafka, and whether this user may make it
  xraylab.medical_diagnosis.prerequisites_info:
    namespace: xraylab-1
    kubernetes_versions: ">=1.27,<1.38"
    python_versions: ">=3.11"
    pods:
      - {what: Kafka, count: 3, containers: [{requests: {cpu: 500m, memory: 2Gi}}]}
    volumes:
      - {what: Kafka, count: 3, size: 20Gi, storage_class: gp3-csi}
    rights:
      - {group: kafka.strimzi.io, resource: kafkas}
    endpoint_url: https://rgw.north.example.com
  register: prerequisites

- name: Nothing is missing
  ansible.builtin.assert:
    that: prerequisites.findings | selectattr('ok', 'false') | length == 0
"""

RETURN = r"""
findings:
  description: What was looked at, one entry for each check and object.
  returned: success
  type: list
  elements: dict
  contains:
    where:
      description: What it is about, such as V(nodes) or V(rights).
      type: str
    what:
      description: What should be.
      type: str
    ok:
      description: Whether it is, V(null) when nobody can tell.
      type: bool
    seen:
      description: What was seen instead.
      type: str
    cure:
      description: What to do about it.
      type: str
  sample:
    - where: storage
      what: storage class fast of Kafka exists
      ok: false
      seen: the cluster has gp3-csi.
      cure: Set image_events_kafka_storage_class to one of them.
"""

import copy
import platform
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _control_node as control_node
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _prerequisites as prerequisites
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import Finding
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._prerequisites_cluster import (
    Prerequisites,
    findings_of,
)

POD = {
    "what": {"type": "str", "required": True},
    "count": {"type": "int", "default": 1},
    "containers": {"type": "list", "elements": "dict", "default": []},
    "set_by": {"type": "str"},
}
VOLUME = {
    "what": {"type": "str", "required": True},
    "count": {"type": "int", "default": 1},
    "size": {"type": "str", "required": True},
    "storage_class": {"type": "str"},
    "set_by": {"type": "str"},
}
RIGHT = {
    "group": {"type": "str", "default": ""},
    "resource": {"type": "str", "required": True},
    "verbs": {"type": "list", "elements": "str", "default": ["get", "list", "create", "patch", "delete"]},
    "namespaces": {"type": "list", "elements": "str"},
    "only_on": {"type": "str", "choices": ["openshift", "kubernetes"]},
}
ARGUMENTS = {
    **copy.deepcopy(AUTH_ARG_SPEC),
    "namespace": {"type": "str"},
    "missing_variables": {"type": "list", "elements": "str", "default": []},
    "kubernetes_versions": {"type": "str", "required": True},
    "operators": {"type": "list", "elements": "dict", "default": []},
    "storage_nodes": {"type": "list", "elements": "str"},
    "pods": {"type": "list", "elements": "dict", "options": POD, "default": []},
    "volumes": {"type": "list", "elements": "dict", "options": VOLUME, "default": []},
    "rights": {"type": "list", "elements": "dict", "options": RIGHT, "default": []},
    "endpoint_url": {"type": "str"},
    "ca_bundle": {"type": "path"},
    "python_versions": {"type": "str", "required": True},
    "packages": {"type": "list", "elements": "str", "default": []},
    "collections": {"type": "list", "elements": "dict", "default": []},
    "installed_collections": {"type": "dict"},
    "commands": {"type": "list", "elements": "str", "default": []},
}


def of_cluster(module: AnsibleK8SModule) -> Iterator[Finding]:
    try:
        cluster = Cluster(module)
    except ClusterError as error:
        yield Finding("cluster", "its Kubernetes API answers", False, str(error))
        return
    yield from findings_of(Prerequisites(cluster, module.params))


def of_control_node(options: dict[str, Any]) -> Iterator[Finding]:
    yield control_node.judge_python(platform.python_version(), options["python_versions"])
    yield from control_node.judge_packages(options["packages"])
    yield from control_node.judge_collections(options["collections"], options["installed_collections"])
    yield from control_node.judge_commands(options["commands"])


def findings(module: AnsibleK8SModule) -> Iterator[Finding]:
    options = module.params
    yield from of_control_node(options)
    yield prerequisites.judge_variables(options["missing_variables"])
    if options["endpoint_url"]:
        yield from control_node.judge_endpoint(options["endpoint_url"], options["ca_bundle"])
    yield from of_cluster(module)


def main() -> None:
    # The client's absence is a finding, too.
    module = AnsibleK8SModule(argument_spec=ARGUMENTS, supports_check_mode=True, check_k8s=False, check_pyyaml=False)
    module.exit_json(changed=False, findings=[asdict(finding) for finding in findings(module)])


if __name__ == "__main__":
    main()
