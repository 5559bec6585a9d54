#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings files into a facility's folder of a Git repository and waits until Argo CD has delivered them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_files
short_description: Bring files into a folder of a Git repository and wait until Argo CD has delivered them
version_added: 0.2.0
description:
  - Clones the branch, and commits and pushes only what differs. When another commit comes first, it looks again.
  - With O(application), asks Argo CD to look at the repository at once, and waits until the Application is at the
    commit or a later one, synchronized, and says of nothing that it is wrong. Argo CD's health is not trusted alone,
    as it calls an Application with a broken source Healthy.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    description: Compares with the repository, and neither pushes nor waits.
  diff_mode:
    support: full
    description: Shows the files as they were and as they are.
options:
  repository:
    description: URL of the repository.
    type: str
    required: true
  branch:
    description: Branch. It is made with the first commit.
    type: str
    default: main
  repository_username:
    description: User for the repository.
    type: str
  repository_password:
    description: Password or token of this user.
    type: str
  repository_ca_file:
    description: File on the control node with the certificates to trust for the repository.
    type: path
  folder:
    description: Folder of the repository.
    type: str
    required: true
  files:
    description: Texts of the files by their paths in O(folder).
    type: dict
    default: {}
  absent:
    description: Paths of files that must not be there.
    type: list
    elements: str
    default: []
  purge:
    description: Whether other files of O(folder) go.
    type: bool
    default: false
  subject:
    description: First line of the commit's message.
    type: str
    default: Deliver what changed
  author_name:
    description: Name of the commit's author.
    type: str
    default: xraylab
  author_email:
    description: Address of the commit's author.
    type: str
    default: xraylab@localhost
  application:
    description: Name of the Application of Argo CD that delivers O(folder). The connection options say where it is.
    type: str
  application_namespace:
    description: Namespace of this Application.
    type: str
    default: openshift-gitops
  healthy:
    description: Whether to wait until Argo CD calls everything of the Application healthy as well.
    type: bool
    default: false
  wait:
    description: V(changed) waits after a commit only, V(always) in any case, V(never) not at all.
    type: str
    choices: [changed, always, never]
    default: changed
  timeout:
    description: Seconds to wait for Argo CD.
    type: int
    default: 300
  error_grace:
    description: Seconds for which an error must last to end the wait.
    type: int
    default: 15
requirements:
  - git on the control node
  - kubernetes >= 24.2.0
"""

EXAMPLES = r"""
- name: A facility's settings are delivered
  xraylab.medical_diagnosis.gitops_files:
    repository: https://git.example.com/facilities.git
    repository_username: xraylab
    repository_password: "{{ git_password }}"
    folder: north
    files:
      configmap-settings.yaml: "{{ lookup('ansible.builtin.template', 'settings.yaml.j2') }}"
    application: xraylab-north
"""

RETURN = r"""
commit:
  description: The branch's last commit, empty while it has none.
  returned: success
  type: str
  sample: 3f6c1f0a4f6d0c5b8a8d1a1f2d3c4b5a69788796
files:
  description: Paths of the files that differ.
  returned: success
  type: list
  elements: str
  sample: [xraylab-1/deployment-gallery.yaml]
healed:
  description: Objects that somebody had changed and Argo CD put back in its last synchronization.
  returned: when waited
  type: list
  elements: str
  sample: [Service gallery]
healed_at:
  description: When it did, empty when there was nothing.
  returned: when waited
  type: str
  sample: "2026-11-26T10:00:00Z"
seconds:
  description: Seconds until Argo CD had delivered.
  returned: success
  type: float
  sample: 4.2
"""

import copy
import tempfile

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _delivery as delivery
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._delivery_wait import Wait
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._git import (
    GitError,
    PushedMeanwhile,
    Repository,
)

TRIES = 8  # each time another facility's commit may have come first
ARGUMENTS = {
    **copy.deepcopy(AUTH_ARG_SPEC),
    "repository": {"type": "str", "required": True},
    "branch": {"type": "str", "default": "main"},
    "repository_username": {"type": "str"},
    "repository_password": {"type": "str", "no_log": True},
    "repository_ca_file": {"type": "path"},
    "folder": {"type": "str", "required": True},
    "files": {"type": "dict", "default": {}},
    "absent": {"type": "list", "elements": "str", "default": []},
    "purge": {"type": "bool", "default": False},
    "subject": {"type": "str", "default": "Deliver what changed"},
    "author_name": {"type": "str", "default": "xraylab"},
    "author_email": {"type": "str", "default": "xraylab@localhost"},
    "application": {"type": "str"},
    "application_namespace": {"type": "str", "default": "openshift-gitops"},
    "healthy": {"type": "bool", "default": False},
    "wait": {"type": "str", "choices": ["changed", "always", "never"], "default": "changed"},
    "timeout": {"type": "int", "default": 300},
    "error_grace": {"type": "int", "default": 15},
}


def bring(module: AnsibleK8SModule, repository: Repository) -> dict:
    """Commits what differs; what it was."""
    options = module.params
    repository.clone()
    for left in reversed(range(TRIES)):
        now = repository.files(options["folder"])
        found = delivery.changes(now, options["files"], options["absent"], options["purge"])
        result = {"changed": bool(found), "files": sorted(found), "diff": delivery.diff(now, found, options["folder"])}
        if not found or module.check_mode:
            return {**result, "commit": repository.head()}
        try:
            repository.write(options["folder"], found)
            return {
                **result,
                "commit": repository.commit(*(options[k] for k in ("subject", "author_name", "author_email"))),
            }
        except PushedMeanwhile:
            if not left:
                raise
            repository.refresh()
    raise AssertionError("the last try returns or raises")


def deliver(module: AnsibleK8SModule, folder: str) -> dict:
    options = module.params
    credentials = {key: options[f"repository_{key}"] or "" for key in ("username", "password", "ca_file")}
    repository = Repository(options["repository"], options["branch"], folder, credentials)
    result = bring(module, repository)
    due = options["wait"] == "always" or (options["wait"] == "changed" and result["changed"])
    waits = options["application"] and due and result["commit"] and not module.check_mode
    return {
        **result,
        **(Wait(Cluster(module), repository, result["commit"], options).run() if waits else {"seconds": 0.0}),
    }


def main() -> None:
    module = AnsibleK8SModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        with tempfile.TemporaryDirectory(prefix="xraylab-git-") as folder:
            result = deliver(module, folder)
    except (ClusterError, GitError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
