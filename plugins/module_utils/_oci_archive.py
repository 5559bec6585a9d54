# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads an image out of an OCI archive, as `skopeo copy ... oci-archive:` and `buildah push ... oci-archive:` write it.

Knows no registry.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
MANIFESTS = (OCI_MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
INDEXES = (OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
CHUNK = 1 << 20


class ArchiveError(Exception):
    """A sentence on what was expected of an archive, what was seen and where to look."""


@dataclass(frozen=True)
class Blob:
    """A part of an image, as a descriptor names it."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The description of an image, byte by byte: its digest is what the image is known by."""

    media_type: str
    digest: str
    text: bytes

    @property
    def blobs(self) -> list[Blob]:
        found = json.loads(self.text)
        return [read_blob(entry) for entry in [found["config"], *found["layers"]]]

    @property
    def layers(self) -> list[Blob]:
        return self.blobs[1:]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_blob(entry: dict[str, Any]) -> Blob:
    return Blob(entry["mediaType"], entry["digest"], entry["size"])


class Archive:
    """One image in an OCI archive. Every method raises ArchiveError."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path)  # noqa: SIM115 - close() closes it
            self._names = {name.removeprefix("./"): name for name in self._tar.getnames()}
        except (OSError, tarfile.TarError, EOFError) as error:
            words = str(error).splitlines()[0].rstrip(":")
            raise ArchiveError(f"Could not read {path} as an OCI archive: {words}. {self._advice()}") from None

    def close(self) -> None:
        self._tar.close()

    @staticmethod
    def _advice() -> str:
        return "Write one by: skopeo copy docker://REGISTRY/IMAGE oci-archive:FILE"

    def open(self, blob: Blob) -> IO[bytes]:
        """A part's bytes, as a file that can be read twice."""
        return self._file(f"blobs/{blob.digest.replace(':', '/')}")

    def _file(self, name: str) -> IO[bytes]:
        try:
            found = self._tar.extractfile(self._names[name])
        except (KeyError, tarfile.TarError):
            found = None
        if found is None:
            raise ArchiveError(f"{self.path} has no {name}, so it is no whole OCI archive. {self._advice()}")
        return found

    def manifest(self) -> Manifest:
        """The image's manifest, checked against its digest."""
        entries = json.loads(self._file("index.json").read()).get("manifests", [])
        if len(entries) != 1 or entries[0]["mediaType"] in INDEXES:
            seen = "an image of several platforms" if len(entries) == 1 else f"{len(entries)} images"
            raise ArchiveError(f"{self.path} should hold one image of one platform, but holds {seen}. {self._advice()}")
        if entries[0]["mediaType"] not in MANIFESTS:
            raise ArchiveError(f"{self.path} holds a {entries[0]['mediaType']}, not an image. {self._advice()}")
        blob = read_blob(entries[0])
        text = self.open(blob).read()
        if digest_of(text) != blob.digest:
            raise ArchiveError(f"{self.path} is damaged: its manifest is not {blob.digest}. Copy it again.")
        return Manifest(blob.media_type, blob.digest, text)

    def check(self, blob: Blob) -> None:
        """Raises when a part's bytes are not what its digest says."""
        digest = hashlib.sha256()
        for chunk in chunks(self.open(blob)):
            digest.update(chunk)
        if f"sha256:{digest.hexdigest()}" != blob.digest:
            raise ArchiveError(f"{self.path} is damaged: its part {blob.digest} has other content. Copy it again.")


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
