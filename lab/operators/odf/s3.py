# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway's buckets and topics. Knows nothing of Kubernetes."""

from __future__ import annotations

from urllib.parse import quote, urlencode
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .documents import Document, Notification, lifecycle, notification, read_notifications
from .rgw import Gateway, RgwError

NONE_YET = ("NoSuchBucketPolicy", "NoSuchLifecycleConfiguration")


class S3(Gateway):
    """A gateway, asked in the name of a user that owns buckets."""

    async def create_bucket(self, name: str) -> None:
        await self._bucket("PUT", name)

    async def settle(self, bucket: str, sub: str, wanted: str | None) -> None:
        """Brings a bucket's policy or lifecycle, a JSON text, to what is wanted; None for none."""
        if wanted is None:
            if await self._there(bucket, sub):
                await self._bucket("DELETE", bucket, sub)
        elif sub == "lifecycle":
            await self._bucket("PUT", bucket, sub, lifecycle(wanted))
        elif await self._there(bucket, sub) != wanted:
            await self._bucket("PUT", bucket, sub, wanted.encode())

    async def _there(self, bucket: str, sub: str) -> str | None:
        try:
            return await self._bucket("GET", bucket, sub)
        except RgwError as error:
            if error.code in NONE_YET:
                return None
            raise

    async def notifications(self, bucket: str) -> list[Notification]:
        return read_notifications(parsed(await self._bucket("GET", bucket, "notification")))

    async def put_notification(self, bucket: str, wanted: Notification) -> None:
        """The gateway adds it to those that are there."""
        await self._bucket("PUT", bucket, "notification", notification(wanted))

    async def delete_notification(self, bucket: str, name: str) -> None:
        """Ceph's extension: S3 itself can only replace all notifications of a bucket."""
        await self._bucket("DELETE", bucket, f"notification={quote(name, safe='')}")

    async def create_topic(self, name: str, attributes: dict[str, str]) -> str:
        """The topic's ARN. One that is there gets these attributes and no others."""
        entries = {"Name": name}
        for number, (key, value) in enumerate(attributes.items(), 1):
            entries |= {f"Attributes.entry.{number}.key": key, f"Attributes.entry.{number}.value": value}
        arn = parsed(await self._sns("CreateTopic", entries)).findtext(".//{*}TopicArn")
        if not arn:
            raise RgwError(f"CreateTopic {name} at {self.endpoint}: expected a TopicArn")
        return arn

    async def delete_topic(self, arn: str) -> None:
        await self._sns("DeleteTopic", {"TopicArn": arn})

    async def _sns(self, action: str, params: Document) -> str:
        what = f"{action} at {self.endpoint}"
        form = urlencode({"Action": action, **params}, quote_via=quote, safe="-_.~").encode()
        return good(what, *await self.request(what, "POST", "/", form, form=True))

    async def _bucket(self, method: str, bucket: str, sub: str = "", body: bytes = b"") -> str:
        what = f"{method} of bucket {bucket}{' ' if sub else ''}{sub} at {self.endpoint}"
        return good(what, *await self.request(what, method, f"/{quote(bucket)}{'?' if sub else ''}{sub}", body))


def parsed(text: str) -> Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314 (the gateway is trusted)
    except ElementTree.ParseError:
        raise RgwError(f"expected XML, saw {text[:60]!r}") from None


def good(what: str, status: int, text: str) -> str:
    """The body of a good answer; any other is an RgwError."""
    if status < 300:
        return text
    try:
        code = ElementTree.fromstring(text).findtext("Code", "")  # noqa: S314
    except ElementTree.ParseError:
        code = ""
    raise RgwError(f"{what}: {status} {code}".rstrip(), code)
