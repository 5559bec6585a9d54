#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has a hub manage a facility's cluster, or let go of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_facility
short_description: Register a facility's cluster at its hub, or detach it
version_added: 0.2.0
description:
  - Registers a cluster at a hub of Advanced Cluster Management (ACM) or Open Cluster Management (OCM), imports it,
    approves the request of its agent for a certificate, and waits until the hub says that it has joined and is
    available.
  - The cluster of the usual options (O(kubeconfig), O(host) and so on) is the hub; the facility's own is that of
    O(facility).
  - Only requests for the very name, and from the users that are to make them, are approved. A second agent that
    calls itself by the name of a facility that answers is not let in.
  - A hub shows nothing of a wrong or expired token, of a facility that does not reach it, or of a cluster that it has
    not accepted. The module then looks at the facility's Klusterlet, at the token that the agent has, and at its log,
    and says what was expected, what was seen and the cure.
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
    description: Shows labels and specs, which requests are approved, and of a Secret its keys only.
options:
  name:
    description:
      - Name of the facility's ManagedCluster, which is that of its namespace on the hub, too.
      - V(local-cluster) is the hub itself, which ACM registers. Only its labels, set and add-ons are managed.
    type: str
    required: true
  state:
    description:
      - V(present) registers the facility, and imports it anew when it is lost, so that its agent no longer answers.
      - V(absent) has the hub take back what it delivered and forget the facility, and, with O(facility), takes the
        agent away there with its namespaces, rights and kinds.
      - Of V(local-cluster), V(absent) takes back labels and set, and the hub keeps it.
    type: str
    choices: [present, absent]
    default: present
  labels:
    description: Labels of the ManagedCluster. One that was given before and no longer is goes; others are left alone.
    type: dict
    default: {}
  cluster_set:
    description: The ManagedClusterSet that the facility belongs to. Without it, the hub puts a new one into C(default).
    type: str
  addons:
    description:
      - The add-ons, as the C(spec) of the facility's KlusterletAddonConfig, such as C(applicationManager) with
        C(enabled). Without it, none is written.
    type: dict
  import_by:
    description:
      - V(auto_secret) gives the hub the credentials of O(facility) in Secret C(auto-import-secret), with which ACM
        installs the agent. The hub must reach the facility.
      - V(manifests) applies what ACM makes for it in Secret C(NAME-import), from here, with those credentials. The hub
        gets none of them, and needs no way to the facility.
      - V(hosted) has the agent run on O(hosting_cluster), which must reach the facility, and not on the facility.
      - V(none) imports nothing, for agents that were started otherwise, such as by C(clusteradm join).
      - Nothing is imported while the facility is available.
    type: str
    choices: [auto_secret, manifests, hosted, none]
    default: none
  hosting_cluster:
    description: The managed cluster that runs the agent with O(import_by=hosted).
    type: str
    default: local-cluster
  keep_secret:
    description: Whether C(auto-import-secret) stays on the hub after the import, for it to import the facility again.
    type: bool
    default: false
  facility:
    description: The facility's own API server, with the rights of a cluster administrator for an import.
    type: dict
    suboptions:
      kubeconfig:
        description: Path to a kubeconfig, its text, or the kubeconfig as a dictionary.
        type: raw
      context:
        description: Context of O(facility.kubeconfig), without which its current one is used.
        type: str
      host:
        description: Address of the API server, instead of a kubeconfig.
        type: str
      api_key:
        description: Token for O(facility.host).
        type: str
      ca_cert:
        description: File with the authority that signed the certificate of O(facility.host).
        type: path
      validate_certs:
        description: Whether the certificate of O(facility.host) is verified.
        type: bool
        default: true
      hub_url:
        description: Address of the facility's API server as the hub reaches it, where it differs from the one for here.
        type: str
  accept:
    description:
      - Whether the hub accepts the facility. V(false) takes its rights on the hub away, or never gives them.
      - The user needs the right to update C(managedclusters/accept).
    type: bool
    default: true
  lease_seconds:
    description: How often the agent reports. It counts as lost after five times as long.
    type: int
    default: 60
  bootstrap_users:
    description:
      - Users whose requests for an agent's first certificate are approved. By default, the service account that ACM
        makes for the facility, or with O(import_by=none) the one that OCM has for all.
    type: list
    elements: str
    default: []
  rotate:
    description:
      - Whether the agent gets new credentials - a fresh bootstrap token, and a certificate that it asks for anew.
      - This changes something each time, and needs O(facility).
    type: bool
    default: false
  force:
    description:
      - Whether O(state=absent) does without a facility that does not answer, by taking away the finalizers that its
        agent should have removed. What was delivered to it stays there.
    type: bool
    default: false
  timeout:
    description: Seconds to wait.
    type: int
    default: 300
  interval:
    description: Seconds between two looks.
    type: float
    default: 1
  error_grace:
    description:
      - Seconds for which an error that may pass must last to end the wait.
      - The facility itself is looked at after half of them.
    type: int
    default: 60
requirements:
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
seealso:
  - module: xraylab.medical_diagnosis.wait_ready
"""

EXAMPLES = r"""
- name: A facility is imported by its hub
  xraylab.medical_diagnosis.managed_facility:
    kubeconfig: ~/.kube/hub
    name: north
    labels: {region: north, tier: edge}
    cluster_set: facilities
    addons: {applicationManager: {enabled: true}}
    import_by: auto_secret
    facility: {kubeconfig: ~/.kube/north}

- name: One behind a firewall, which the hub does not reach
  xraylab.medical_diagnosis.managed_facility:
    kubeconfig: ~/.kube/hub
    name: south
    import_by: manifests
    facility: {host: "https://api.south.example.com:6443", api_key: "{{ south_token }}"}

- name: An agent gets new credentials
  xraylab.medical_diagnosis.managed_facility:
    kubeconfig: ~/.kube/hub
    name: north
    rotate: true
    facility: {kubeconfig: ~/.kube/north}

- name: A facility that burnt down is forgotten
  xraylab.medical_diagnosis.managed_facility:
    kubeconfig: ~/.kube/hub
    name: north
    state: absent
    force: true
"""

RETURN = r"""
facility:
  description: How the hub sees the facility.
  returned: when O(state=present)
  type: dict
  sample:
    name: north
    accepted: true
    joined: true
    available: true
    clock_synced: true
    kubernetes: v1.31.4
    labels: {tier: edge}
    reason: has joined and is available
    conditions:
      - {type: ManagedClusterConditionAvailable, status: "True", reason: ManagedClusterAvailable}
approved:
  description: Names of the CSRs that were approved.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [north-x7k2p]
certificate_ends:
  description: When the agent's certificate ends.
  returned: when O(rotate=true)
  type: str
  sample: "2026-12-01T10:00:00+00:00"
removed:
  description: What was deleted.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [ManagedCluster north, Namespace north, Klusterlet klusterlet on the facility]
left:
  description: What could not be deleted.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: []
seconds:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 12.3
"""

import copy
import time

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import (
    FIELD_MANAGER,
    HUB_ITSELF,
    Facility,
    Refusal,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_detachment import Detachment, Release
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_facility import Place
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_hub import Hub
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_import import Rotation
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_registration import Registration
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._waiting import Limits

FACILITY = {
    "kubeconfig": {"type": "raw"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "hub_url": {"type": "str"},
}
ARGUMENTS = {
    **copy.deepcopy(AUTH_ARG_SPEC),
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "labels": {"type": "dict", "default": {}},
    "cluster_set": {"type": "str"},
    "addons": {"type": "dict"},
    "import_by": {"type": "str", "choices": ["auto_secret", "manifests", "hosted", "none"], "default": "none"},
    "hosting_cluster": {"type": "str", "default": "local-cluster"},
    # Names a Secret; holds none.
    "keep_secret": {"type": "bool", "default": False, "no_log": False},
    "facility": {
        "type": "dict", "options": FACILITY, "required_one_of": [("kubeconfig", "host")],
        "mutually_exclusive": [("kubeconfig", "host")], "required_together": [("host", "api_key")],
    },
    "accept": {"type": "bool", "default": True},
    "lease_seconds": {"type": "int", "default": 60},
    "bootstrap_users": {"type": "list", "elements": "str", "default": []},
    "rotate": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
    "interval": {"type": "float", "default": 1},
    "error_grace": {"type": "int", "default": 60},
}  # fmt: skip
FIELDS = (
    "name", "cluster_set", "addons", "import_by", "hosting_cluster", "keep_secret", "accept", "lease_seconds",
)  # fmt: skip


def facility_of(given: dict) -> Facility:
    labels = {str(key): str(value) for key, value in given["labels"].items()}
    return Facility(
        **{key: given[key] for key in FIELDS}, labels=labels, bootstrap_users=tuple(given["bootstrap_users"])
    )


def register(module: AnsibleK8SModule, registration: Registration) -> dict:
    registration.prepare()
    registration.write()
    limits = Limits.of(module.params)
    if module.check_mode:
        if registration.cluster:
            registration.look(limits)
        works = True
    else:
        works = registration.run(limits)
    changes = registration.changes
    result = {
        "changed": bool(changes.after), "diff": changes.diff(), "facility": registration.result(),
        "approved": registration.approved, "seconds": round(registration.seconds(), 1),
    }  # fmt: skip
    if not works:
        module.fail_json(msg=registration.report(), **result)
    return result


def rotate(module: AnsibleK8SModule, rotation: Rotation) -> dict:
    if not module.check_mode:
        rotation.run(module.params["timeout"])
    ends = rotation.ends()
    return {"changed": True, "certificate_ends": ends.isoformat() if ends else ""}


def detach(module: AnsibleK8SModule, detachment: Detachment) -> dict:
    started = time.monotonic()
    detachment.prepare()
    detachment.write(module.params["timeout"])
    for left in detachment.left:
        module.warn(f"Facility {module.params['name']}: this is left: {left}")
    removed = detachment.removed()
    return {
        "changed": bool(removed), "diff": detachment.diff(), "removed": removed, "left": detachment.left,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def release(release: Release) -> dict:
    release.write()
    changes = release.changes
    return {
        "changed": bool(changes.after), "diff": changes.diff(), "removed": [], "left": [], "seconds": 0.0,
    }  # fmt: skip


def run(module: AnsibleK8SModule) -> dict:
    options = module.params
    hub = Hub(Cluster(module))
    place = Place(module, options["facility"]) if options["facility"] else None
    writer = Writer(hub.api, FIELD_MANAGER, module.check_mode)
    if options["state"] == "absent" and options["name"] == HUB_ITSELF:
        return release(Release(hub, writer))
    if options["state"] == "absent":
        return detach(module, Detachment(hub, writer, options["name"], place, options["force"]))
    if options["rotate"] and not place:
        raise Refusal(
            f"Facility {options['name']}: rotate needs option facility: its agent keeps its credentials there."
        )
    result = register(module, Registration(hub, writer, facility_of(options), place))
    return result | rotate(module, Rotation(hub, place, options["name"])) if options["rotate"] else result


def main() -> None:
    module = AnsibleK8SModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module)
    except (ClusterError, Refusal) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
