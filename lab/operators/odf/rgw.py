# SPDX-License-Identifier: GPL-3.0-or-later
"""The Admin Ops API of a RADOS Gateway. Knows nothing of Kubernetes."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

User = dict[str, Any]


class RgwError(Exception):
    """What was asked and what came back; `code` is RGW's, "" without an answer."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Call:
    """A request on a user; `sub` is a subresource such as caps."""

    method: str
    params: dict[str, str] = field(repr=False)
    sub: str = ""


class AdminOps:
    """A gateway, asked in the name of one of its administrators; `ca` is the text of certificates to trust."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: str, keys: tuple[str, str], ca: str = "") -> None:
        self._session, self._endpoint, self._credentials = session, endpoint, Credentials(*keys)
        try:
            self._ssl = ssl.create_default_context(cadata=ca or None)
        except (ssl.SSLError, ValueError) as error:
            raise RgwError(f"the certificates to trust for {endpoint} can't be read: {error}") from error

    async def user(self, uid: str) -> User | None:
        try:
            return await self._send("GET", "user", {"uid": uid})
        except RgwError as error:
            if error.code == "NoSuchUser":
                return None
            raise

    async def buckets(self, uid: str) -> list[str]:
        """Names of the buckets that a user owns."""
        return await self._send("GET", "bucket", {"uid": uid})

    async def change(self, call: Call) -> None:
        await self._send(call.method, "user", call.params, call.sub)

    async def _send(self, method: str, resource: str, params: dict[str, str], sub: str = "") -> Any:
        query = urlencode({**params, "format": "json"}, quote_via=quote, safe="-_.~")
        url = f"{self._endpoint}/admin/{resource}?{sub}{'&' if sub else ''}{query}"
        request = AWSRequest(method, url)
        S3SigV4Auth(self._credentials, "s3", "default").add_auth(request)
        what = f"{method} of {sub or resource} at {self._endpoint}"
        try:
            # What is signed has to go as it is.
            async with self._session.request(
                method, URL(url, encoded=True), headers=dict(request.headers), ssl=self._ssl
            ) as answer:
                return read(what, answer.status, await answer.text())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RgwError(f"{what}: {error or type(error).__name__}") from error


def read(what: str, status: int, text: str) -> Any:
    """The parsed body of a good answer, None when it has none; any other is an RgwError."""
    try:
        body = json.loads(text) if text else None
    except ValueError:
        raise RgwError(f"{what}: {status}, expected JSON, saw {text[:60]!r}") from None
    if status >= 300:
        code = body.get("Code", "") if isinstance(body, dict) else ""
        raise RgwError(f"{what}: {status} {code}", code)
    return body
