#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Installs, upgrades and removes operators through the Operator Lifecycle Manager."""

from __future__ import annotations

DOCUMENTATION = r"""
module: olm_operator
short_description: Install, upgrade and remove operators through OLM
version_added: 0.2.0
description:
  - Has the Operator Lifecycle Manager (OLM) of a cluster install a list of operators. Creates the namespaces and
    OperatorGroups that are missing and the Subscriptions, approves exactly the InstallPlans that are asked for, and
    waits until the ClusterServiceVersion (CSV) of every operator has succeeded, for all of them at once.
  - An operator works when its Subscription names an installed CSV and that CSV has succeeded. What the Subscription
    says of itself is not asked, as it says C(AtLatestKnown) of an operator that crashes.
  - When an operator does not get there, the error names what was expected, what was seen and the cure - an unknown
    package, channel or version with what the catalog has, a catalog that is missing or cannot be reached, none or
    several OperatorGroups, an install mode that the operator does not support, versions that do not fit together, an
    InstallPlan, a bundle or a CSV that failed, and a crashing operator with the last lines of its log.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    description: Has the API server try what would be written, looks once, and does not wait.
  diff_mode:
    support: full
    description: Shows the specs of Subscriptions and OperatorGroups, and the InstallPlans that are approved.
options:
  operators:
    description: The operators.
    type: list
    elements: dict
    required: true
    suboptions:
      package:
        description: Name of the package in its catalog, such as V(amq-streams). A new Subscription has the same name.
        type: str
        required: true
        aliases: [name]
      namespace:
        description: Namespace to install into. It is made if it is missing.
        type: str
        required: true
      source:
        description: Name of the CatalogSource.
        type: str
        default: redhat-operators
      source_namespace:
        description: Namespace of the CatalogSource.
        type: str
        default: openshift-marketplace
      channel:
        description: Channel of the package. Without it, OLM takes the package's default.
        type: str
      install_mode:
        description:
          - Which namespaces the operator watches. V(OwnNamespace) for the one it is in, V(AllNamespaces), or those in
            O(operators[].target_namespaces).
          - Without it, an existing OperatorGroup is taken as it is, and a new one watches its own namespace.
          - An existing OperatorGroup is never changed, and a second one never made, as either may stop other
            operators. When the one that is there does not fit, the module refuses.
        type: str
        choices: [OwnNamespace, SingleNamespace, MultiNamespace, AllNamespaces]
      target_namespaces:
        description: Namespaces to watch with V(SingleNamespace) or V(MultiNamespace).
        type: list
        elements: str
      approval:
        description:
          - With V(Automatic), OLM installs each new version of the channel by itself.
          - With V(Manual), a new version is installed only when this module is asked for it.
        type: str
        choices: [Automatic, Manual]
        default: Automatic
      starting_csv:
        description:
          - Version to install, as the name of its CSV, such as V(amqstreams.v3.1.0-14).
          - With O(operators[].approval=Manual) and without O(operators[].upgrade), the operator is brought to this
            version and stays there. A later one goes by as many InstallPlans as the channel needs; OLM goes to no
            older one.
          - Otherwise it is only where to start from.
        type: str
      upgrade:
        description: Whether an operator with O(operators[].approval=Manual) goes to the newest version of its channel,
          rather than stays.
        type: bool
        default: false
      approve_others:
        description:
          - Whether an InstallPlan may be approved that also holds other operators of the same namespace, which are not
            asked for here.
          - Dependencies that the operator brings are no others.
        type: bool
        default: false
      config:
        description: How the operator's pods run, as the Subscription's C(spec.config) - C(env), C(resources),
          C(nodeSelector), C(tolerations).
        type: dict
  state:
    description:
      - V(absent) deletes Subscription and CSV, with which OLM removes the operator's pods and rights, and the
        OperatorGroup if this collection made it and nothing else needs it. Namespaces stay.
    type: str
    choices: [present, absent]
    default: present
  remove_crds:
    description:
      - Whether O(state=absent) also deletes the CustomResourceDefinitions that only these operators own.
      - While a custom resource of theirs exists, the module refuses and deletes nothing.
    type: bool
    default: false
  wait:
    description: Whether to wait until the operators work. Without it, a later run has to approve what O(operators) say.
    type: bool
    default: true
    version_added: 0.2.0
  timeout:
    description: Seconds to wait for all operators together.
    type: int
    default: 900
  interval:
    description: Seconds between two looks.
    type: float
    default: 2
  error_grace:
    description: Seconds for which an error that may pass, such as a catalog that does not answer, must last to end the
      wait.
    type: int
    default: 60
  log_lines:
    description: Lines of a pod's log that an error shows, V(0) for none.
    type: int
    default: 10
requirements:
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
seealso:
  - module: xraylab.medical_diagnosis.wait_ready
"""

EXAMPLES = r"""
- name: Streams for Apache Kafka and Serverless are installed and kept up to date
  xraylab.medical_diagnosis.olm_operator:
    operators:
      - {package: amq-streams, channel: stable, namespace: openshift-operators}
      - {package: serverless-operator, channel: stable, namespace: openshift-serverless, install_mode: AllNamespaces}

- name: OpenShift Data Foundation stays at one version
  xraylab.medical_diagnosis.olm_operator:
    operators:
      - package: odf-operator
        channel: stable-4.20
        namespace: openshift-storage
        approval: Manual
        starting_csv: odf-operator.v4.20.3-rhodf

- name: In the maintenance window, it goes to the newest
  xraylab.medical_diagnosis.olm_operator:
    operators:
      - {package: odf-operator, channel: stable-4.20, namespace: openshift-storage, approval: Manual, upgrade: true}

- name: GitOps makes no instance by itself
  xraylab.medical_diagnosis.olm_operator:
    operators:
      - package: openshift-gitops-operator
        channel: latest
        namespace: openshift-gitops-operator
        install_mode: AllNamespaces
        config:
          env:
            - {name: DISABLE_DEFAULT_ARGOCD_INSTANCE, value: "true"}

- name: Grafana's operator is gone, and its CRDs unless a dashboard is left
  xraylab.medical_diagnosis.olm_operator:
    state: absent
    remove_crds: true
    operators:
      - {package: grafana-operator, namespace: grafana}
"""

RETURN = r"""
operators:
  description: How far each operator is, in the order given.
  returned: when O(state=present)
  type: list
  elements: dict
  sample:
    - package: amq-streams
      namespace: openshift-operators
      subscription: amq-streams
      installed_csv: amqstreams.v3.2.1-14
      phase: Succeeded
      newer_csv: ""
      done: true
      reason: amqstreams.v3.2.1-14 is installed and works
approved:
  description: Names of the InstallPlans that were approved.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [install-x7w2k]
removed:
  description: What was deleted.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [Subscription openshift-operators/amq-streams, ClusterServiceVersion openshift-operators/amqstreams.v3.2.1-14]
seconds:
  description: Seconds that were waited.
  returned: when O(state=present)
  type: float
  sample: 41.3
"""

import copy

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer, say
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import FIELD_MANAGER, Operator, Refusal
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_cluster import Olm
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_install import Installation
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_removal import Removal
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._waiting import Limits

MODES = ["OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"]
OPERATOR = {
    "package": {"type": "str", "required": True, "aliases": ["name"]},
    "namespace": {"type": "str", "required": True},
    "source": {"type": "str", "default": "redhat-operators"},
    "source_namespace": {"type": "str", "default": "openshift-marketplace"},
    "channel": {"type": "str"},
    "install_mode": {"type": "str", "choices": MODES},
    "target_namespaces": {"type": "list", "elements": "str"},
    "approval": {"type": "str", "choices": ["Automatic", "Manual"], "default": "Automatic"},
    "starting_csv": {"type": "str"},
    "upgrade": {"type": "bool", "default": False},
    "approve_others": {"type": "bool", "default": False},
    "config": {"type": "dict"},
}
ARGUMENTS = {
    **copy.deepcopy(AUTH_ARG_SPEC),
    "operators": {"type": "list", "elements": "dict", "required": True, "options": OPERATOR},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "remove_crds": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 900},
    "interval": {"type": "float", "default": 2},
    "error_grace": {"type": "int", "default": 60},
    "log_lines": {"type": "int", "default": 10},
}  # fmt: skip


def operator_of(given: dict) -> Operator:
    given = {key: value for key, value in given.items() if key in OPERATOR}
    return Operator(**{**given, "target_namespaces": tuple(given["target_namespaces"] or ())})


def install(module: AnsibleK8SModule, installation: Installation) -> dict:
    installation.prepare()
    installation.write()
    if module.check_mode or not module.params["wait"]:
        installation.look(0)
        works = True
    else:
        works = installation.run(Limits.of(module.params))
    changes = installation.changes
    result = {
        "changed": bool(changes.after), "diff": changes.diff(), "operators": installation.results(),
        "approved": installation.approved, "seconds": round(installation.seconds(), 1),
    }  # fmt: skip
    if not works:
        module.fail_json(msg=installation.report(module.params["log_lines"]), **result)
    return result


def remove(module: AnsibleK8SModule, removal: Removal) -> dict:
    removal.prepare()
    removal.write(module.params["timeout"])
    removed = [say(obj) for obj in removal.objects]
    return {"changed": bool(removed), "diff": removal.diff(), "removed": removed}


def main() -> None:
    module = AnsibleK8SModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    operators = [operator_of(entry) for entry in module.params["operators"]]
    try:
        api = Olm(Cluster(module))
        writer = Writer(api.cluster, FIELD_MANAGER, module.check_mode)
        if module.params["state"] == "present":
            result = install(module, Installation(api, writer, operators))
        else:
            result = remove(module, Removal(api, writer, operators, module.params["remove_crds"]))
    except (ClusterError, Refusal) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
