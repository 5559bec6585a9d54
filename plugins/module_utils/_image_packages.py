# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds the Python, Debian and RPM packages of an image in its layers. Knows no registry and no format of documents.

RPM's database is read where it is SQLite: RHEL 8 and older have another.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import IO

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rpm_database as rpm

PYTHON = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO)")
DEBIAN = re.compile(r"var/lib/dpkg/(?:status|status\.d/[^/]+)")
RPM = ("var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite")
DISTRIBUTION = ("etc/os-release", "usr/lib/os-release")
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
Files = dict[str, bytes]


class LayerError(Exception):
    """A sentence on a layer that can't be read."""


@dataclass(frozen=True, order=True)
class Package:
    """`kind` is pypi, deb or rpm, as package URLs name them; `namespace` is the distribution of the last two."""

    kind: str
    name: str
    version: str
    namespace: str = ""
    architecture: str = ""
    epoch: str = ""


def add_layer(files: Files, layer: IO[bytes]) -> None:
    """Brings `files`, the files that tell of packages, to what they are with one more layer on top."""
    added: Files = {}
    try:
        with tarfile.open(fileobj=layer, mode="r|*") as tar:
            for member in tar:
                name = posixpath.normpath(member.name).lstrip("/")
                if posixpath.basename(name).startswith(WHITEOUT):
                    take_away(files, name)
                elif member.isfile() and tells(name):
                    file = tar.extractfile(member)
                    added[name] = file.read() if file else b""
    except tarfile.TarError as error:
        words = str(error).splitlines()[0]
        raise LayerError(f"A layer is neither a tar file nor one compressed with gzip: {words}.") from None
    files.update(added)


def tells(name: str) -> bool:
    return name in (*DISTRIBUTION, *RPM) or bool(DEBIAN.fullmatch(name) or PYTHON.fullmatch(name))


def take_away(below: Files, whiteout: str) -> None:
    """A file of this name stands for the removal of another, or of all that layers below have in its folder."""
    folder, name = posixpath.split(whiteout)
    gone = folder if name == OPAQUE else posixpath.join(folder, name.removeprefix(WHITEOUT))
    for file in [file for file in below if file == gone or file.startswith(f"{gone}/")]:
        del below[file]


def packages(files: Files) -> list[Package]:
    return sorted({*python_packages(files), *debian_packages(files), *rpm_packages(files)})


def python_packages(files: Files) -> Iterable[Package]:
    for name, data in files.items():
        if PYTHON.fullmatch(name):
            told = HeaderParser().parsestr(text(data))
            if told["Name"] and told["Version"]:
                # As package URLs want it, which takes PyPI's names for equal.
                yield Package("pypi", re.sub(r"[-_.]+", "-", told["Name"]).lower(), told["Version"])


def debian_packages(files: Files) -> Iterable[Package]:
    distribution = os_release(files).get("ID", "debian")
    for name, data in files.items():
        if DEBIAN.fullmatch(name) and not name.endswith(".md5sums"):
            for paragraph in re.split(r"\n\s*\n", text(data)):
                told = HeaderParser().parsestr(paragraph.strip() + "\n\n")
                installed = "installed" in (told["Status"] or "install ok installed").split()
                if told["Package"] and told["Version"] and installed:
                    yield Package("deb", told["Package"], told["Version"], distribution, told["Architecture"] or "")


def rpm_packages(files: Files) -> Iterable[Package]:
    distribution = os_release(files).get("ID", "redhat")
    for name in RPM:
        try:
            found = rpm.read(files[name]) if name in files else []
        except ValueError as error:
            raise LayerError(f"The image has {name}, but {error}.") from None
        for one in found:
            yield Package("rpm", one.name, one.version, distribution, one.architecture, one.epoch)


def text(data: bytes) -> str:
    return data.decode(errors="replace")


def os_release(files: Files) -> dict[str, str]:
    told = text(next((files[name] for name in DISTRIBUTION if name in files), b""))
    pairs = (line.split("=", 1) for line in told.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}
