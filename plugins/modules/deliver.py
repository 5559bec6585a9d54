#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documents the action plugin of this name, which does everything."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deliver
short_description: Bring a role's objects to the facility, directly or by Git
version_added: 0.2.0
description:
  - The one place that knows of both ways. With the variable C(xraylab_delivery) at V(direct), which is the default, the
    objects are applied to the cluster by M(kubernetes.core.k8s), server-side and as the field manager C(xraylab).
  - With V(gitops) they are written to the facility's folder of a Git repository, a file each, and pushed when something
    differs. Argo CD brings them to the cluster, and the task ends when it has, so that what follows finds the same as
    after the direct way.
  - Secrets, and what lies outside of the facility's namespace, are applied directly in any case.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    description: Compares with the cluster, or with the repository, and changes nothing.
  diff_mode:
    support: full
    description: Shows the objects, or the files, as they were and as they are.
options:
  template:
    description: Templates of the role, one or a list, each with any number of objects.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: The page is deployed
  xraylab.medical_diagnosis.deliver:
    template: [service.yaml.j2, deployment.yaml.j2]
"""

RETURN = r"""
commit:
  description: The repository's last commit, when objects were delivered by Git.
  returned: with gitops
  type: str
  sample: 3f6c1f0a4f6d0c5b8a8d1a1f2d3c4b5a69788796
files:
  description: Files that differed.
  returned: with gitops
  type: list
  elements: str
  sample: [deployment-gallery.yaml]
"""
