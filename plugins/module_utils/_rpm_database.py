# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the names of packages out of RPM's database in SQLite, as RHEL 9 and later have it.

Each row of its table holds a header: how many entries, how many bytes of data; then entries of tag, type, place and
count, four big-endian numbers each; then the data.
"""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NAME, VERSION, RELEASE, EPOCH, ARCHITECTURE = 1000, 1001, 1002, 1003, 1022
NUMBER, STRING = 4, 6
KEY = "gpg-pubkey"  # a key that packages are signed with, which RPM keeps as a package


@dataclass(frozen=True)
class Installed:
    """A package; `version` is version-release, `epoch` empty where there is none."""

    name: str
    version: str
    epoch: str
    architecture: str


def read(database: bytes) -> list[Installed]:
    """Raises ValueError for what is no such database."""
    return [package for blob in headers(database) if (package := read_header(blob)).name != KEY]


def headers(database: bytes) -> Iterator[bytes]:
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        file.write(database)
        file.flush()
        connection = sqlite3.connect(f"file:{file.name}?mode=ro&immutable=1", uri=True)
        try:
            yield from (row[0] for row in connection.execute("select blob from Packages"))
        except sqlite3.Error as error:
            raise ValueError(f"RPM's database can't be read: {error}") from None
        finally:
            connection.close()


def read_header(blob: bytes) -> Installed:
    try:
        tags = read_tags(blob)
        version = f"{tags[VERSION]}-{tags[RELEASE]}"
        return Installed(tags[NAME], version, str(tags.get(EPOCH, "")), tags.get(ARCHITECTURE, ""))
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"a header in RPM's database can't be read: {error!r}") from None


def read_tags(blob: bytes) -> dict[int, Any]:
    """The tags with a single text or number in them."""
    entries, _size = struct.unpack_from(">II", blob)
    data, found = 8 + 16 * entries, {}
    for index in range(entries):
        tag, kind, place, _count = struct.unpack_from(">IIiI", blob, 8 + 16 * index)
        if kind == STRING:
            found[tag] = blob[data + place : blob.index(b"\0", data + place)].decode()
        elif kind == NUMBER:
            found[tag] = struct.unpack_from(">I", blob, data + place)[0]
    return found
