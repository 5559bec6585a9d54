# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what makes an organisation of Quay as it is wanted. Pure: what Quay has in, calls out.

State is {"repositories": {name: {visibility, description}}, "robots": {name: {description, repositories}}}, a robot's
repositories being {name: role}; or None where there is no organisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._quay import path_of

State = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request; no body of these holds a secret."""

    deed: str
    method: str
    path: str
    body: dict[str, Any] | None = None


class Unknown(Exception):
    """The options name what they don't list."""


def wanted_state(options: dict[str, Any]) -> State:
    """What the options ask for. A robot without a list of repositories has its role in all of them."""
    repositories = {
        entry["name"]: {"visibility": entry["visibility"], "description": entry["description"] or ""}
        for entry in options["repositories"]
    }
    robots = {}
    for entry in options["robots"]:
        names = list(repositories) if entry["repositories"] is None else entry["repositories"]
        if unknown := sorted(set(names) - set(repositories)):
            raise Unknown(
                f"Robot {entry['name']} is to have rights in {', '.join(unknown)}, but repositories lists only "
                f"{', '.join(repositories) or 'nothing'}. Add the missing ones there, or correct the robot's list."
            )
        robots[entry["name"]] = {
            "description": entry["description"] or "",
            "repositories": dict.fromkeys(names, entry["role"]),
        }
    return {"repositories": repositories, "robots": robots}


def expect(before: State | None, wanted: State | None) -> State | None:
    """What there will be: what nobody asked about stays, but for the rights of the robots that are listed."""
    if wanted is None:
        return None
    before = before or {"repositories": {}, "robots": {}}
    robots = dict(before["robots"])
    for name, robot in wanted["robots"].items():
        # A description is given to a robot when it is made, and Quay can't change it.
        description = before["robots"].get(name, robot)["description"]
        robots[name] = {"description": description, "repositories": robot["repositories"]}
    return {"repositories": {**before["repositories"], **wanted["repositories"]}, "robots": robots}


def plan(organization: str, before: State | None, wanted: State | None) -> list[Call]:
    """The calls from `before` to `wanted` (None: no organisation), each after what it needs."""
    if wanted is None:
        where = path_of("organization", organization)
        return [Call(f"remove the organization {organization}", "DELETE", where)] if before is not None else []
    calls = []
    if before is None:
        deed = f"make the organization {organization}"
        calls.append(Call(deed, "POST", path_of("organization", ""), {"name": organization}))
        before = {"repositories": {}, "robots": {}}
    for name, repository in wanted["repositories"].items():
        calls += plan_repository(organization, name, before["repositories"].get(name), repository)
    for name, robot in wanted["robots"].items():
        calls += plan_robot(organization, name, before["robots"].get(name), robot)
    return calls


def plan_repository(organization: str, name: str, before: State | None, wanted: State) -> list[Call]:
    full, where = f"{organization}/{name}", path_of("repository", organization, name)
    if before is None:
        body = {"namespace": organization, "repository": name, "repo_kind": "image", **wanted}
        return [Call(f"make the repository {full}", "POST", path_of("repository"), body)]
    calls = []
    if before["visibility"] != wanted["visibility"]:
        visibility = wanted["visibility"]
        body = {"visibility": visibility}
        calls.append(Call(f"make the repository {full} {visibility}", "POST", f"{where}/changevisibility", body))
    if before["description"] != wanted["description"]:
        calls.append(Call(f"describe the repository {full}", "PUT", where, {"description": wanted["description"]}))
    return calls


def plan_robot(organization: str, name: str, before: State | None, wanted: State) -> list[Call]:
    full, calls = f"{organization}+{name}", []
    if before is None:
        body = {"description": wanted["description"]}
        calls.append(Call(f"make the robot {full}", "PUT", path_of("organization", organization, "robots", name), body))
    had, has = (before or {}).get("repositories", {}), wanted["repositories"]
    for repository, role in sorted(has.items()):
        if had.get(repository) != role:
            deed = f"give {full} the role {role} in {repository}"
            calls.append(Call(deed, "PUT", permission(organization, repository, full), {"role": role}))
    for repository in sorted(set(had) - set(has)):
        deed = f"take {full} its rights in {repository}"
        calls.append(Call(deed, "DELETE", permission(organization, repository, full)))
    return calls


def permission(organization: str, repository: str, robot: str) -> str:
    return path_of("repository", organization, repository, "permissions", "user", robot)


def read_repositories(entries: list[dict[str, Any]]) -> State:
    """Quay's listing of repositories, as State has it."""
    return {
        entry["name"]: {
            "visibility": "public" if entry["is_public"] else "private",
            "description": entry.get("description") or "",
        }
        for entry in entries
    }


def read_robot(robot: dict[str, Any], permissions: list[dict[str, Any]]) -> State:
    return {
        "description": robot.get("description") or "",
        "repositories": {entry["repository"]["name"]: entry["role"] for entry in permissions},
    }
