# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in as Quay's page does: a session by cookie, and a CSRF token with each write."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

COOKIE = "session"
OPEN = ("/csrf_token", "/api/v1/signin", "/api/v1/user/initialize")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """An answer other than success, in Quay's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as error:
        told = {"detail": str(error), "error_message": str(error), "status": error.status, "message": str(error)}
        return web.json_response(told, status=error.status)


@web.middleware
async def require(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The API is for users who signed in."""
    if request.path.startswith("/api/") and request.path not in OPEN:
        session = _session(request)
        if not session.get("user"):
            raise Refused(401, "Requires authentication")
        if request.method != "GET":
            _check_csrf(request, session)
        request["user"] = session["user"]
    return await handler(request)


def _session(request: web.Request) -> dict[str, str]:
    return request.app["sessions"].get(request.cookies.get(COOKIE, ""), {})


def _check_csrf(request: web.Request, session: dict[str, str]) -> None:
    if not session.get("csrf") or not hmac.compare_digest(session["csrf"], request.headers.get("X-CSRF-Token", "")):
        raise Refused(403, "CSRF token was invalid or missing.")


async def csrf_token(request: web.Request) -> web.Response:
    """A new session when there is none."""
    sid = request.cookies.get(COOKIE, "")
    sessions = request.app["sessions"]
    if sid not in sessions:
        sid = secrets.token_urlsafe(24)
        sessions[sid] = {"csrf": secrets.token_urlsafe(24)}
    answer = web.json_response({"csrf_token": sessions[sid]["csrf"]})
    answer.set_cookie(COOKIE, sid, httponly=True, secure=True, samesite="Lax")
    return answer


async def sign_in(request: web.Request) -> web.Response:
    session, asked = _session(request), await request.json()
    _check_csrf(request, session)
    name = str(asked.get("username", ""))
    if not request.app["accounts"].user_signs_in(name, str(asked.get("password", ""))):
        return web.json_response({"message": "Invalid Username or Password", "invalidCredentials": True}, status=403)
    session["user"] = name
    return web.json_response({"success": True})


async def initialize(request: web.Request) -> web.Response:
    """The first user of an empty database."""
    if not request.app["settings"].get("FEATURE_USER_INITIALIZE"):
        raise Refused(404, "Not Found")
    accounts, asked = request.app["accounts"], await request.json()
    if accounts.has_users():
        raise Refused(400, "Cannot initialize user in a non-empty database")
    password = str(asked.get("password", ""))
    if len(password) < 8 or any(c.isspace() for c in password):
        raise Refused(400, "Invalid password, password must be at least 8 characters and contain no whitespace.")
    accounts.add_user(str(asked["username"]), password, str(asked.get("email", "")))
    return web.json_response({"username": asked["username"], "email": asked.get("email"), "encrypted_password": ""})


def add_routes(app: web.Application) -> None:
    app.router.add_get("/csrf_token", csrf_token)
    app.router.add_post("/api/v1/signin", sign_in)
    app.router.add_post("/api/v1/user/initialize", initialize)
