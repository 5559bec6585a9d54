#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watches a new revision of the function and says whether it may be kept."""

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_info
short_description: Watch a new revision of the function and say whether it may be kept
version_added: 0.2.0
description:
  - Reads from the logs of both revisions' pods what became of each study, until the canary has had to assess
    O(min_studies) or O(watch_seconds) are over.
  - A study counts as failed when the revision answered that it can't be assessed (C(refused)), or not now (C(retry)).
    Each try counts. Studies that were recorded before, and rejected pictures, are no failures.
  - The verdict is to roll back as soon as more studies failed than O(max_error_rate) allows of O(min_studies), or when
    a container of the canary ended or cannot start.
  - Pods are looked at every O(interval) seconds. What one logs between the last look and its end is not seen.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    description: Looks once and does not wait; RV(verdict=wait) then means that it is too early to say.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  namespace:
    description: Namespace of the revisions.
    type: str
    required: true
  canary:
    description: Name of the new revision, of which every study counts.
    type: str
    required: true
  kept:
    description: Name of the revision that gets the rest of the traffic. Of it counts what comes during the watch.
    type: str
    required: true
  watch_seconds:
    description: Seconds to watch at most.
    type: int
    default: 600
  min_studies:
    description: Studies that the canary has to assess to be kept before O(watch_seconds) are over.
    type: int
    default: 10
  max_error_rate:
    description: Share of the canary's studies, 0 to 1, that may fail.
    type: float
    default: 0.05
  interval:
    description: Seconds between two looks.
    type: float
    default: 5
requirements:
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
"""

EXAMPLES = r"""
- name: See whether the new revision does its work
  xraylab.medical_diagnosis.canary_info:
    namespace: xraylab-1
    canary: risk-assessment-00002
    kept: risk-assessment-00001
    watch_seconds: 3600
    min_studies: 50
  register: watched
  failed_when: watched.verdict != 'keep'
"""

RETURN = r"""
verdict:
  description: V(keep) or V(roll_back); in check mode also V(wait).
  returned: success
  type: str
  sample: keep
reason:
  description: What was measured, and what is allowed, in a sentence.
  returned: success
  type: str
  sample: It failed for 0 of 12 studies (0.0%, at most 5.0%); the kept revision meanwhile for 0 of 41.
canary:
  description: What became of the canary's studies.
  returned: success
  type: dict
  sample: {handled: 12, failed: 0, error_rate: 0.0, outcomes: {assessed: 12}, errors: []}
kept:
  description: The same of the kept revision.
  returned: success
  type: dict
  sample: {handled: 41, failed: 0, error_rate: 0.0, outcomes: {assessed: 40, rejected: 1}, errors: []}
seconds:
  description: Seconds that it was watched.
  returned: success
  type: float
  sample: 34.2
"""

import copy

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._canary import Limits
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._canary_watch import Revision, Watch
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError

SERVING = "serving.knative.dev/v1"
ARGUMENTS = {
    **copy.deepcopy(AUTH_ARG_SPEC),
    "namespace": {"type": "str", "required": True},
    "canary": {"type": "str", "required": True},
    "kept": {"type": "str", "required": True},
    "watch_seconds": {"type": "int", "default": 600},
    "min_studies": {"type": "int", "default": 10},
    "max_error_rate": {"type": "float", "default": 0.05},
    "interval": {"type": "float", "default": 5},
}


def main() -> None:
    module = AnsibleK8SModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    if not 0 <= options["max_error_rate"] <= 1:
        module.fail_json(msg=f"max_error_rate: expected a share from 0 to 1, got {options['max_error_rate']}.")
    limits = Limits(options["min_studies"], options["max_error_rate"])
    try:
        cluster = Cluster(module)
        if not cluster.objects(SERVING, "Revision", options["namespace"], name=options["canary"]):
            module.fail_json(msg=f"canary: namespace {options['namespace']} has no Revision {options['canary']}.")
        canary, kept = (Revision(cluster, options["namespace"], options[name]) for name in ("canary", "kept"))
        watch = Watch(canary, kept, limits)
        if module.check_mode:
            verdict = watch.look(over=False)
        else:
            verdict = watch.run(options["watch_seconds"], max(options["interval"], 0.1))
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **watch.result(verdict))


if __name__ == "__main__":
    main()
