# SPDX-License-Identifier: GPL-3.0-or-later
"""A RADOS Gateway and its Admin Ops API. Knows nothing of Kubernetes."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

User = dict[str, Any]
Answer = tuple[int, str]


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


class Gateway:
    """Signed requests to a gateway in the name of one user; `ca` is the text of certificates to trust."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: str, keys: tuple[str, str], ca: str = "") -> None:
        self._session, self.endpoint, self._credentials = session, endpoint, Credentials(*keys)
        try:
            self._ssl = ssl.create_default_context(cadata=ca or None)
        except (ssl.SSLError, ValueError) as error:
            raise RgwError(f"the certificates to trust for {endpoint} can't be read: {error}") from error

    async def request(self, what: str, method: str, target: str, body: bytes = b"", form: bool = False) -> Answer:
        """`target` is path and query, escaped; a `form` goes to the SNS side of the gateway."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"} if form else {}
        if body and not form:
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        request = AWSRequest(method, self.endpoint + target, data=body, headers=headers)
        signer, service = (SigV4Auth, "sns") if form else (S3SigV4Auth, "s3")
        signer(self._credentials, service, "default").add_auth(request)
        # What is signed has to go as it is.
        url, headers = URL(self.endpoint + target, encoded=True), dict(request.headers)
        try:
            async with self._session.request(method, url, data=body or None, headers=headers, ssl=self._ssl) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RgwError(f"{what}: {error or type(error).__name__}") from error


class AdminOps(Gateway):
    """A gateway, asked in the name of one of its administrators."""

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

    async def bucket_owner(self, name: str) -> str | None:
        """None when there is no such bucket."""
        try:
            return (await self._send("GET", "bucket", {"bucket": name}))["owner"]
        except RgwError as error:
            if error.code in ("NoSuchBucket", "NoSuchKey"):
                return None
            raise

    async def remove_bucket(self, name: str) -> None:
        """With all objects."""
        if await self.bucket_owner(name):
            await self._send("DELETE", "bucket", {"bucket": name, "purge-objects": "true"})

    async def change(self, call: Call) -> None:
        await self._send(call.method, "user", call.params, call.sub)

    async def _send(self, method: str, resource: str, params: dict[str, str], sub: str = "") -> Any:
        query = urlencode({**params, "format": "json"}, quote_via=quote, safe="-_.~")
        what = f"{method} of {sub or resource} at {self.endpoint}"
        return read(what, *await self.request(what, method, f"/admin/{resource}?{sub}{'&' if sub else ''}{query}"))


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
