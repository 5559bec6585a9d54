# SPDX-License-Identifier: GPL-3.0-or-later
"""The S3 object store: fetch an X-ray, put what was made of it. Only this and s3.py know botocore.

Sorts every failure into what trying again can fix (TryLater) and what it cannot (Refused).
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from anyio import CapacityLimiter, create_task_group
from anyio.to_thread import run_sync

from . import s3
from .errors import Refused, TryLater
from .events import Study
from .settings import Settings, SettingsError

if TYPE_CHECKING:
    from botocore.client import BaseClient

Object = tuple[str, str, bytes, str]  # bucket, key, data, content type

GONE = {
    "NoSuchKey": "The object no longer exists.",
    "NoSuchVersion": "This version of the object no longer exists.",
    "NoSuchBucket": "The bucket no longer exists.",
    "PreconditionFailed": "The object was overwritten after this event: its eTag is another one now.",
    "412": "The object was overwritten after this event: its eTag is another one now.",
}
STALE_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
RETRYABLE_STATUS = (401, 403, 408, 409, 429)  # an operator's or another writer's doing, not the object's


@dataclass(frozen=True)
class Fetched:
    """An object's bytes and its eTag without quotes."""

    data: bytes
    etag: str | None


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it; the eTag without quotes."""

    key: str
    etag: str
    size: int
    modified: datetime


class Store(Protocol):
    """Its methods block, may be called from several threads, and raise Refused or TryLater."""

    def fetch(self, study: Study) -> Fetched: ...

    def recorded(self, bucket: str, key: str) -> Fetched | None:
        """The record that is there already."""

    def put(self, bucket: str, key: str, data: bytes, content_type: str) -> None: ...

    def record(self, bucket: str, key: str, data: bytes, replaced: str | None) -> bool:
        """Stores a record if the one there still has the eTag `replaced`, or, without it, if there is none."""


async def put_all(store: Store, objects: Iterable[Object], limiter: CapacityLimiter) -> None:
    """Stores them at the same time. Raises the first error."""
    try:
        async with create_task_group() as tasks:
            for one in objects:
                tasks.start_soon(partial(run_sync, store.put, *one, limiter=limiter))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


class S3Store:
    """The client is made at first use, and made anew when its credentials turn out to be replaced."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.cached: BaseClient | None = None
        read_credentials(settings.s3_credentials)

    def client(self) -> "BaseClient":
        with self.lock:
            if self.cached is None:
                self.cached = connect(self.settings)
            return self.cached

    def fetch(self, study: Study) -> Fetched:
        """One request: the size is known from the answer's headers, before its body is read."""
        asked: dict[str, Any] = {"Bucket": study.bucket, "Key": study.key}
        if study.version_id:
            asked["VersionId"] = study.version_id
        elif study.etag:
            asked["IfMatch"] = f'"{study.etag}"'
        return self.call("fetch the X-ray", lambda client: self.read(client.get_object(**asked)), GONE)

    def read(self, answer: dict[str, Any]) -> Fetched:
        size, limit = answer["ContentLength"], self.settings.max_bytes
        with closing(answer["Body"]) as body:  # entering the body itself gives urllib3's, whose errors are others
            if size > limit:
                raise Refused(f"Expected an object of at most {limit} bytes, got {size}.")
            return Fetched(body.read(), answer.get("ETag", "").strip('"') or None)

    def download(self, bucket: str, key: str, file: Path) -> None:
        """An object of any size, into a file."""

        def ask(client: "BaseClient") -> None:
            with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body, file.open("wb") as out:
                for chunk in body.iter_chunks(1024**2):
                    out.write(chunk)

        self.call("fetch a backup", ask, GONE)

    def put(self, bucket: str, key: str, data: bytes | BinaryIO, content_type: str) -> None:
        asked = {"Bucket": bucket, "Key": key, "Body": data, "ContentType": content_type}
        self.call("store a result", lambda client: client.put_object(**asked), {})

    def remove(self, bucket: str, key: str) -> None:
        """Also of what is gone already."""
        self.call("remove an object", lambda client: client.delete_object(Bucket=bucket, Key=key), {})

    def recorded(self, bucket: str, key: str) -> Fetched | None:
        def ask(client: "BaseClient") -> Fetched | None:
            try:
                return self.read(client.get_object(Bucket=bucket, Key=key))
            except client.exceptions.NoSuchKey:
                return None

        return self.call("look for an earlier result", ask, {})

    def record(self, bucket: str, key: str, data: bytes, replaced: str | None) -> bool:
        # RGW compares what it is sent as it is: with the quotes that the standard asks for, no eTag ever matches.
        condition = {"IfMatch": replaced} if replaced else {"IfNoneMatch": "*"}
        asked = {"Bucket": bucket, "Key": key, "Body": data, "ContentType": "application/json"} | condition

        def ask(client: "BaseClient") -> bool:
            from botocore.exceptions import ClientError

            try:
                client.put_object(**asked)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
                    return False
                raise
            return True

        return self.call("record a result", ask, {})

    def pages(self, bucket: str, prefix: str = "") -> Iterator[list[Listed]]:
        """Everything a bucket holds, a thousand objects at a time, by key."""
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        while True:
            answer = self.call("list a bucket", lambda client, asked=dict(asked): client.list_objects_v2(**asked), {})
            yield [
                Listed(entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"])
                for entry in answer.get("Contents", [])
            ]
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def call(self, deed: str, request: Any, gone: dict[str, str]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            return request(self.client())
        except ClientError as error:
            if error_code(error.response) in STALE_CREDENTIALS:
                self.cached = None
            raise sort_answer(deed, error.response, gone) from None
        except ParamValidationError:
            raise Refused(f"Could not {deed}: S3 allows no such bucket or key.") from None
        except (BotoCoreError, OSError) as error:
            raise TryLater(f"Could not {deed}: {type(error).__name__} from {self.settings.s3_endpoint}.") from None


def error_code(answer: dict[str, Any]) -> str:
    return str(answer.get("Error", {}).get("Code", ""))


def sort_answer(deed: str, answer: dict[str, Any], gone: dict[str, str]) -> Refused | TryLater:
    """The error that an S3 answer of status 300 or more means."""
    status, code = answer["ResponseMetadata"]["HTTPStatusCode"], error_code(answer)
    if code in gone:
        return Refused(gone[code])
    seen = f"Could not {deed}: the object store answered {status} {code}."
    missing_bucket = code == "NoSuchBucket"
    return TryLater(seen) if status >= 500 or status in RETRYABLE_STATUS or missing_bucket else Refused(seen)


def read_credentials(folder: Path) -> tuple[str, str]:
    """(access key, secret key). Raises SettingsError."""
    try:
        return s3.read_keys(folder)
    except OSError as error:
        raise SettingsError(
            f"RISK_ASSESSMENT_S3_CREDENTIALS: cannot read {error.filename}: {error.strerror}."
        ) from None


def connect(settings: Settings) -> "BaseClient":
    """Raises SettingsError."""
    from botocore.handlers import add_expect_header

    folder = settings.s3_credentials
    client = s3.connect(
        read_credentials(folder), folder / "ca.crt", settings.s3_endpoint, settings.s3_region, settings.transfers,
        # Knative delivers again with a back-off; one quick second try here saves most of these round trips.
        retries={"mode": "standard", "total_max_attempts": 2},
    )  # fmt: skip
    # `Expect: 100-continue` costs a second for each object where a store or a proxy does not answer it.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client
