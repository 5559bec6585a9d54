# SPDX-License-Identifier: GPL-3.0-or-later
"""What this project uses of Quay's API: organisations, repositories, robots, permissions. All for owners alone."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web

from .accounts import ROLES, Row, Taken
from .sessions import Refused

ORGANIZATION = "/api/v1/organization/{organization}"
ROBOT = ORGANIZATION + "/robots/{robot}"
REPOSITORY = "/api/v1/repository/{organization}/{repository}"
PERMISSION = REPOSITORY + "/permissions/user/{robot}"
NAMES = re.compile(r"[a-z0-9][a-z0-9._-]{1,254}")


async def _asked(request: web.Request) -> dict[str, Any]:
    """The body, which some calls may do without."""
    text = await request.text()
    try:
        return json.loads(text) if text else {}
    except ValueError:
        raise Refused(400, "Invalid request body") from None


def _checked(name: Any, what: str) -> str:
    if not isinstance(name, str) or not NAMES.fullmatch(name):
        raise Refused(400, f"Invalid {what} name: {name}")
    return name


def _own(request: web.Request, name: str) -> Row:
    found = request.app["accounts"].organization(name)
    if found is None:
        raise Refused(404, "Not Found")
    if found["owner"] != request["user"]:
        raise Refused(403, "Unauthorized")
    return found


def repository_or_404(request: web.Request) -> Row:
    where = request.match_info
    _own(request, where["organization"])
    found = request.app["accounts"].repository(where["organization"], where["repository"])
    if found is None:
        raise Refused(404, "Not Found")
    return found


async def me(request: web.Request) -> web.Response:
    return web.json_response({"username": request["user"], "anonymous": False, "super_user": True})


async def make_organization(request: web.Request) -> web.Response:
    name = _checked((await _asked(request)).get("name"), "organization")
    try:
        request.app["accounts"].add_organization(name, request["user"])
    except Taken:
        raise Refused(400, "A user or organization with this name already exists") from None
    return web.json_response("Created", status=201)


async def show_organization(request: web.Request) -> web.Response:
    found = _own(request, request.match_info["organization"])
    return web.json_response({"name": found["name"], "is_admin": True, "email": ""})


async def drop_organization(request: web.Request) -> web.Response:
    request.app["accounts"].drop_organization(_own(request, request.match_info["organization"])["name"])
    return web.Response(status=204)


async def list_repositories(request: web.Request) -> web.Response:
    namespace = request.query.get("namespace", "")
    _own(request, namespace)
    found = request.app["accounts"].repositories(namespace)
    return web.json_response({"repositories": [_shown(row) for row in found]})


def _shown(row: Row) -> dict[str, Any]:
    public = row["visibility"] == "public"
    return {
        "namespace": row["organization"],
        "name": row["name"],
        "description": row["description"],
        "is_public": public,
    }


async def make_repository(request: web.Request) -> web.Response:
    asked = await _asked(request)
    organization, name = asked.get("namespace", ""), _checked(asked.get("repository"), "repository")
    if asked.get("visibility") not in ("public", "private") or "description" not in asked:
        raise Refused(400, "visibility and description are required")
    _own(request, organization)
    try:
        request.app["accounts"].add_repository(organization, name, asked["visibility"], asked["description"])
    except Taken:
        raise Refused(400, "Repository already exists") from None
    return web.json_response({"namespace": organization, "name": name, "kind": "image"}, status=201)


async def show_repository(request: web.Request) -> web.Response:
    return web.json_response(_shown(repository_or_404(request)))


async def describe_repository(request: web.Request) -> web.Response:
    row, text = repository_or_404(request), (await _asked(request)).get("description", "")
    request.app["accounts"].describe(row["organization"], row["name"], text)
    return web.json_response({"success": True})


async def change_visibility(request: web.Request) -> web.Response:
    row, visibility = repository_or_404(request), (await _asked(request)).get("visibility")
    if visibility not in ("public", "private"):
        raise Refused(400, "visibility must be public or private")
    request.app["accounts"].change_visibility(row["organization"], row["name"], visibility)
    return web.json_response({"success": True})


async def drop_repository(request: web.Request) -> web.Response:
    row = repository_or_404(request)
    request.app["accounts"].drop_repository(row["organization"], row["name"])
    return web.Response(status=204)


def _robot(row: Row) -> dict[str, Any]:
    name = f"{row['organization']}+{row['name']}"
    return {"name": name, "token": row["token"], "description": row["description"], "unstructured_metadata": {}}


async def list_robots(request: web.Request) -> web.Response:
    organization = _own(request, request.match_info["organization"])["name"]
    return web.json_response({"robots": [_robot(row) for row in request.app["accounts"].robots(organization)]})


def _robot_or_400(request: web.Request) -> Row:
    organization = _own(request, request.match_info["organization"])["name"]
    short = request.match_info["robot"].rpartition("+")[2]
    found = request.app["accounts"].robot(organization, short)
    if found is None:
        raise Refused(400, f"Could not find robot with specified username: {organization}+{short}")
    return found


async def show_robot(request: web.Request) -> web.Response:
    return web.json_response(_robot(_robot_or_400(request)))


async def make_robot(request: web.Request) -> web.Response:
    organization, short = _own(request, request.match_info["organization"])["name"], request.match_info["robot"]
    description = (await _asked(request)).get("description", "")
    try:
        request.app["accounts"].add_robot(organization, _checked(short, "robot"), description)
    except Taken:
        raise Refused(400, f"Existing robot with name: {organization}+{short}") from None
    return web.json_response(_robot(request.app["accounts"].robot(organization, short)), status=201)


async def drop_robot(request: web.Request) -> web.Response:
    row = _robot_or_400(request)
    request.app["accounts"].drop_robot(row["organization"], row["name"])
    return web.Response(status=204)


async def robot_permissions(request: web.Request) -> web.Response:
    row = _robot_or_400(request)
    found = request.app["accounts"].permissions(row["organization"], row["name"])
    shown = [{"repository": {"name": entry["repository"]}, "role": entry["role"]} for entry in found]
    return web.json_response({"permissions": shown})


async def permit(request: web.Request) -> web.Response:
    row, robot, role = repository_or_404(request), _robot_or_400(request), (await _asked(request)).get("role")
    if role not in ROLES:
        raise Refused(400, f"Invalid role: {role}")
    request.app["accounts"].permit(row["organization"], row["name"], robot["name"], role)
    return web.json_response({"name": f"{row['organization']}+{robot['name']}", "role": role, "is_robot": True})


async def forbid(request: web.Request) -> web.Response:
    row, robot = repository_or_404(request), _robot_or_400(request)
    if not request.app["accounts"].forbid(row["organization"], row["name"], robot["name"]):
        raise Refused(400, "User does not have permission for repo.")
    return web.Response(status=204)


def add_routes(app: web.Application) -> None:
    get, post, put, delete = (getattr(app.router, f"add_{verb}") for verb in ("get", "post", "put", "delete"))
    get("/api/v1/user/", me)
    post("/api/v1/organization/", make_organization)
    get(ORGANIZATION, show_organization)
    delete(ORGANIZATION, drop_organization)
    get("/api/v1/repository", list_repositories)
    post("/api/v1/repository", make_repository)
    get(REPOSITORY, show_repository)
    put(REPOSITORY, describe_repository)
    delete(REPOSITORY, drop_repository)
    post(REPOSITORY + "/changevisibility", change_visibility)
    get(ORGANIZATION + "/robots", list_robots)
    get(ROBOT, show_robot)
    put(ROBOT, make_robot)
    delete(ROBOT, drop_robot)
    get(ROBOT + "/permissions", robot_permissions)
    put(PERMISSION, permit)
    delete(PERMISSION, forbid)
