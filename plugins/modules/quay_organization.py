#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Manages an organization of Quay with its repositories and robot accounts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_organization
short_description: Manage an organization of Quay with its repositories and robot accounts
version_added: 0.1.0
description:
  - Makes an organization, its repositories and its robot accounts with their rights, through the API of Red Hat Quay.
  - Signs in as Quay's page does, because a token of the first user ends after some hours.
  - An empty Quay gets its first user.
  - Repositories and robots that are not listed stay as they are.
author:
  - XRay Lab contributors (@xraylab)
attributes:
  check_mode:
    support: full
    description: Reads and predicts; a robot that would be made has no token yet, and a Quay without users has nothing.
  diff_mode:
    support: full
    description: Shows repositories and rights, and no token.
options:
  url:
    description: Address of Quay, such as C(https://quay.example.com).
    type: str
    required: true
  ca_file:
    description: File with the certificates of the authorities that Quay's certificate may be of.
    type: path
  validate_certs:
    description: Whether Quay's certificate is verified.
    type: bool
    default: true
  username:
    description: User of Quay that owns the organization.
    type: str
    required: true
  password:
    description: Password of the user.
    type: str
    required: true
  email:
    description: Mail address of the first user of an empty Quay. Without it, C(username@example.com).
    type: str
  state:
    description: Whether the organization is there. V(absent) removes it with all its images.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the organization.
    type: str
    required: true
  repositories:
    description: Repositories of the organization.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the repository.
        type: str
        required: true
      visibility:
        description: Who may pull from it. V(public) is everybody who can reach Quay.
        type: str
        choices: [private, public]
        default: private
      description:
        description: What people read about it.
        type: str
  robots:
    description: Robot accounts of the organization, which have exactly these rights in its repositories.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Short name of the robot; it signs in as C(organization+name).
        type: str
        required: true
      role:
        description: V(read) pulls, V(write) pushes as well, V(admin) also removes.
        type: str
        choices: [read, write, admin]
        default: read
      repositories:
        description: Repositories that the robot has this role in. Without the option, all of O(repositories).
        type: list
        elements: str
      description:
        description: What people read about it; of a robot that is there it stays.
        type: str
requirements:
  - requests >= 2.28
"""

EXAMPLES = r"""
- name: Facilities pull what the hub pushes
  xraylab.medical_diagnosis.quay_organization:
    url: https://quay.hub.example.com
    username: quayadmin
    password: "{{ quay_password }}"
    name: xraylab
    repositories:
      - name: risk-assessment
      - name: gallery
    robots:
      - {name: loader, role: write}
      - {name: facilities, role: read}
  register: organization
  no_log: true
"""

RETURN = r"""
robots:
  description:
    - Robot accounts of O(robots) with what they sign in by. B(Sensitive) - set C(no_log) on the task and keep the
      result out of logs.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Short name.
      type: str
      sample: facilities
    username:
      description: Name to sign in by.
      type: str
      sample: xraylab+facilities
    token:
      description: Password of the robot, empty in check mode for a robot that would be made.
      type: str
      sample: (sensitive)
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _quay_organization as organizations
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._quay import (
    MISSING,
    NotThere,
    Quay,
    QuayError,
    path_of,
)

REPOSITORY = {
    "name": {"type": "str", "required": True},
    "visibility": {"type": "str", "choices": ["private", "public"], "default": "private"},
    "description": {"type": "str"},
}
ROBOT = {
    "name": {"type": "str", "required": True},
    "role": {"type": "str", "choices": ["read", "write", "admin"], "default": "read"},
    "repositories": {"type": "list", "elements": "str"},
    "description": {"type": "str"},
}
ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "ca_file": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "email": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str", "required": True},
    "repositories": {"type": "list", "elements": "dict", "options": REPOSITORY, "default": []},
    "robots": {"type": "list", "elements": "dict", "options": ROBOT, "default": []},
}


def sign_in(module: AnsibleModule, quay: Quay) -> str:
    """As the user, who is made where there is none: "signed in", "made" or, in check mode, "nobody"."""
    name, password = module.params["username"], module.params["password"]
    if quay.sign_in(name, password):
        return "signed in"
    if module.check_mode:
        return "nobody"
    quay.initialize(name, password, module.params["email"] or f"{name}@example.com")
    if not quay.sign_in(name, password):
        raise QuayError(f"Could not sign in at {quay.url} as {name}, whom Quay has just made. Look into Quay's log.")
    return "made"


def read_repositories(quay: Quay, organization: str) -> dict:
    """All pages of Quay's listing."""
    deed, found, query = f"list the repositories of {organization}", [], {"namespace": organization}
    while True:
        page = quay.get(deed, path_of("repository"), **query)
        found += page["repositories"]
        if not page.get("next_page"):
            return organizations.read_repositories(found)
        query["next_page"] = page["next_page"]


def read_robots(quay: Quay, organization: str, names: list[str]) -> tuple[dict, dict]:
    """Of the robots with these names: their state, and their tokens."""
    states, tokens = {}, {}
    for name in names:
        where = path_of("organization", organization, "robots", name)
        try:
            robot = quay.get(f"read the robot {organization}+{name}", where)
        except NotThere:
            continue
        rights = quay.get(f"read the rights of {organization}+{name}", f"{where}/permissions")
        states[name], tokens[name] = organizations.read_robot(robot, rights["permissions"]), robot["token"]
    return states, tokens


def read(quay: Quay, organization: str, robots: list[str]) -> tuple[dict | None, dict]:
    try:
        quay.get(f"read the organization {organization}", path_of("organization", organization))
    except NotThere:
        return None, {}
    states, tokens = read_robots(quay, organization, robots)
    return {"repositories": read_repositories(quay, organization), "robots": states}, tokens


def run(module: AnsibleModule) -> dict:
    options, name = module.params, module.params["name"]
    robots = [robot["name"] for robot in options["robots"]]
    wanted = organizations.wanted_state(options) if options["state"] == "present" else None
    quay = Quay(options["url"], options["ca_file"], options["validate_certs"])
    user = sign_in(module, quay)
    before, tokens = (None, {}) if user == "nobody" else read(quay, name, robots)
    calls = organizations.plan(name, before, wanted)
    after = organizations.expect(before, wanted)
    if calls and not module.check_mode:
        for call in calls:
            quay.write(call.deed, call.method, call.path, call.body)
        after, tokens = read(quay, name, robots)
    shown = [{"name": r, "username": f"{name}+{r}", "token": tokens.get(r, "")} for r in robots if wanted]
    diff = {"before": before or {}, "after": after or {}}
    return {"changed": bool(calls) or user != "signed in", "robots": shown, "diff": diff}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib("requests", reason=f"to speak to Quay ({MISSING})"))
    try:
        result = run(module)
    except (QuayError, organizations.Unknown) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
