# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's process: `python3 -m quay.app`. Quay's sign-in, some of its API, its registry."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

from aiohttp import web

from . import api, proxy, sessions
from .accounts import Accounts
from .tokens import LIFETIME, Client, Signer, WrongCredentials, granted, identify

STACK, DATABASE = Path("/conf/stack"), Path("/datastorage/quay.db")


async def health(_request: web.Request) -> web.Response:
    return web.json_response({"data": {"services": {"database": True, "registry_gunicorn": True}}, "status_code": 200})


async def registry_token(request: web.Request) -> web.Response:
    """The registry's token service: a token for what the client may do of what it asks for, which can be nothing."""
    try:
        client = identify(request.app["accounts"], request.headers.get("Authorization", ""))
    except WrongCredentials as error:
        return web.json_response({"errors": [{"code": "UNAUTHORIZED", "message": str(error)}]}, status=401)
    access = granted(request.app["accounts"], client, request.query.getall("scope", []))
    token = request.app["signer"].token(request.query.get("service", ""), client, access)
    return web.json_response({"token": token, "access_token": token, "expires_in": LIFETIME})


async def tags(request: web.Request) -> web.Response:
    """Tags of a repository, as the registry lists them."""
    organization, name = request.match_info["organization"], request.match_info["repository"]
    api.repository_or_404(request)
    access = [{"type": "repository", "name": f"{organization}/{name}", "actions": ["pull"]}]
    token = request.app["signer"].token(request.app["settings"]["hostname"], Client("quay"), access)
    url, headers = f"{proxy.REGISTRY}/v2/{organization}/{name}/tags/list", {"Authorization": f"Bearer {token}"}
    async with request.app["registry"].get(url, headers=headers) as answer:
        found = (await answer.json())["tags"] or [] if answer.status == 200 else []
    return web.json_response({"tags": [{"name": tag} for tag in sorted(found)], "page": 1, "has_additional": False})


def application(settings: dict, accounts: Accounts, signer: Signer) -> web.Application:
    app = web.Application(client_max_size=1 << 20, middlewares=[sessions.errors, sessions.require])
    app["settings"], app["accounts"], app["signer"], app["sessions"] = settings, accounts, signer, {}
    app.cleanup_ctx.append(proxy.registry_session)
    app.router.add_get("/health/instance", health)
    app.router.add_get("/v2/auth", registry_token)
    app.router.add_route("*", "/v2/{path:.*}", proxy.forward)
    app.router.add_get("/api/v1/repository/{organization}/{repository}/tag/", tags)
    sessions.add_routes(app)
    api.add_routes(app)
    return app


def main() -> None:
    signer = Signer((STACK / "token.crt").read_text(), (STACK / "token.key").read_text())
    settings = json.loads((STACK / "settings.json").read_text())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(STACK / "ssl.cert", STACK / "ssl.key")
    app = application(settings, Accounts(DATABASE), signer)
    web.run_app(app, port=8443, ssl_context=context, access_log=None)


if __name__ == "__main__":
    main()
