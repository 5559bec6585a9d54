# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands everything under /v2/ to the registry beside it, both ways as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

REGISTRY = "http://127.0.0.1:5000"
OURS_ALONE = {"connection", "keep-alive", "transfer-encoding", "upgrade"}


def passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Each as often as it came: skopeo names what it accepts in many headers."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in OURS_ALONE)


async def forward(request: web.Request) -> web.StreamResponse:
    """The registry itself says no to who has no token for it."""
    session: aiohttp.ClientSession = request.app["registry"]
    headers = passed_on(request.headers)
    headers["X-Forwarded-Proto"] = "https"
    data = request.content if request.body_exists else None
    async with session.request(
        request.method, REGISTRY + request.raw_path, headers=headers, data=data, allow_redirects=False
    ) as answer:
        response = web.StreamResponse(status=answer.status, headers=passed_on(answer.headers))
        await response.prepare(request)
        async for chunk in answer.content.iter_chunked(1 << 18):
            await response.write(chunk)
        await response.write_eof()
        return response


async def registry_session(app: web.Application) -> AsyncIterator[None]:
    # An image's layer takes as long as it takes; and what is compressed stays so.
    app["registry"] = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_read=120), auto_decompress=False
    )
    yield
    await app["registry"].close()
