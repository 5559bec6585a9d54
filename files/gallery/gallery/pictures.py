# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a study, from the object store to a browser. The only module that knows botocore and pixels.

A browser gets JPEG or PNG, told apart by their first bytes and never by a name; DICOM is shown as a picture made here,
and is itself only ever downloaded.
"""

import io
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from model_service import s3
from PIL import Image

from .settings import Settings, SettingsError

CHUNK = 256 * 1024
CONNECTIONS = 16  # to the object store
SMALL, LARGE = 320, 1600  # longest side of a preview, of a picture made from DICOM
SHOWN = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
DICOM_TYPE = "application/dicom"
EXTENSIONS = {"image/jpeg": "jpeg", "image/png": "png", DICOM_TYPE: "dcm", "application/octet-stream": "bin"}


class Missing(Exception):
    """There is no such object."""


class Unavailable(Exception):
    """The object store cannot be asked now."""


class Unshowable(Exception):
    """The object holds nothing that can be shown."""


@dataclass(frozen=True)
class Opened:
    """An object whose bytes are still to be read, in order, by `read`."""

    size: int
    etag: str
    read: Callable[[int], bytes]
    close: Callable[[], None]


class Store(Protocol):
    """Blocks; raises Missing or Unavailable."""

    def open(self, bucket: str, key: str) -> Opened: ...


@dataclass(frozen=True)
class Picture:
    """What is answered: a type that is safe to show or to save, and the bytes."""

    media_type: str
    etag: str
    size: int
    chunks: AsyncIterator[bytes]


class S3Store:
    """Reads with the page's own keys, which may read and nothing else. Made anew when the keys were replaced."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.cached: Any = None
        read_keys(settings.object_store)

    def client(self) -> Any:
        with self.lock:
            if self.cached is None:
                self.cached = connect(self.settings)
            return self.cached

    def open(self, bucket: str, key: str) -> Opened:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self.client().get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "NoSuchBucket"):
                raise Missing from None
            if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
                self.cached = None
            raise Unavailable(f"The object store answered {code}.") from None
        except (BotoCoreError, OSError) as error:
            raise Unavailable(f"{type(error).__name__} from the object store.") from None
        body = answer["Body"]
        return Opened(answer["ContentLength"], answer.get("ETag", "").strip('"'), body.read, body.close)


def read_keys(folder: Path) -> tuple[str, str]:
    """Raises SettingsError."""
    try:
        return s3.read_keys(folder)
    except OSError as error:
        raise SettingsError(f"GALLERY_OBJECT_STORE: cannot read {error.filename}: {error.strerror}.") from None


def connect(settings: Settings) -> Any:
    """Raises SettingsError."""
    folder = settings.object_store
    return s3.connect(
        read_keys(folder), folder / "ca.crt", settings.s3_endpoint, settings.s3_region, CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )  # fmt: skip


class Previews:
    """Small pictures in memory, the least lately used forgotten first; each is made once however many ask."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.kept: OrderedDict[Any, bytes] = OrderedDict()
        self.making: dict[Any, anyio.Event] = {}

    async def get(self, key: Any, make: Callable[[], Awaitable[bytes]]) -> bytes:
        while key in self.making:
            await self.making[key].wait()
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key]
        self.making[key] = anyio.Event()
        try:
            data = await make()
            self.keep(key, data)
            return data
        finally:
            self.making.pop(key).set()

    def keep(self, key: Any, data: bytes) -> None:
        self.kept[key] = data
        self.size += len(data)
        while self.size > self.limit and self.kept:
            self.size -= len(self.kept.popitem(last=False)[1])


class Pictures:
    """Transfers wait in threads of their own; pixels are worked on by one core, and the page stays quick."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.previews = Previews(settings.preview_bytes)
        self.transfers, self.cores = CapacityLimiter(12), CapacityLimiter(1)

    async def preview(self, bucket: str, key: str, version: str, side: int = SMALL) -> bytes:
        """A JPEG of at most `side` pixels. Raises Missing, Unavailable or Unshowable."""

        async def make() -> bytes:
            data = await self.whole(bucket, key)
            return await run_sync(shrink, data, side, self.settings.max_pixels, limiter=self.cores)

        return await self.previews.get((bucket, key, version, side), make)

    async def whole(self, bucket: str, key: str) -> bytes:
        opened = await run_sync(self.store.open, bucket, key, limiter=self.transfers)
        try:
            if opened.size > self.settings.max_bytes:
                raise Unshowable(f"Expected at most {self.settings.max_bytes} bytes, got {opened.size}.")
            return await run_sync(opened.read, opened.size, limiter=self.transfers)
        except OSError as error:
            raise Unavailable(type(error).__name__) from None
        finally:
            opened.close()

    async def original(self, bucket: str, key: str) -> Picture:
        """An object as it is, streamed. Its type comes from its first bytes."""
        opened = await run_sync(self.store.open, bucket, key, limiter=self.transfers)
        try:
            first = await run_sync(opened.read, CHUNK, limiter=self.transfers)
        except BaseException:
            opened.close()
            raise
        return Picture(media_type(first), opened.etag, opened.size, self.rest(opened, first))

    async def rest(self, opened: Opened, first: bytes) -> AsyncIterator[bytes]:
        try:
            chunk = first
            while chunk:
                yield chunk
                chunk = await run_sync(opened.read, CHUNK, limiter=self.transfers)
        finally:
            opened.close()


def media_type(first: bytes) -> str:
    if first[128:132] == b"DICM":
        return DICOM_TYPE
    return next((kind for magic, kind in SHOWN if first.startswith(magic)), "application/octet-stream")


def shrink(data: bytes, side: int, max_pixels: int) -> bytes:
    """A gray JPEG of whatever the function can read, by its own decoders and limits. Raises Unshowable."""
    from model_service import errors, images

    try:
        gray = images.read(data, max_pixels).gray
    except errors.Refused as error:
        raise Unshowable(str(error)) from None
    gray.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    gray.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
