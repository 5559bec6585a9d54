# SPDX-License-Identifier: GPL-3.0-or-later
"""An image in an OCI archive, and what is wrong with an archive."""

import io
import json
import tarfile

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _oci_archive as archives

LAYER = b"layer"
CONFIG = b"{}"


def descriptor(data, media_type):
    return {"mediaType": media_type, "digest": archives.digest_of(data), "size": len(data)}


MANIFEST = json.dumps(
    {"config": descriptor(CONFIG, "config"), "layers": [descriptor(LAYER, "layer")]},
).encode()
ENTRY = descriptor(MANIFEST, archives.OCI_MANIFEST)


def write(path, entries, blobs=None):
    """An archive with these entries in its index; `blobs` by digest."""
    found = {archives.digest_of(data): data for data in (LAYER, CONFIG, MANIFEST)} if blobs is None else blobs
    files = {f"blobs/{digest.replace(':', '/')}": data for digest, data in found.items()}
    files["index.json"] = json.dumps({"manifests": entries}).encode()
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return str(path)


def test_an_image_keeps_its_manifest_byte_by_byte(tmp_path):
    archive = archives.Archive(write(tmp_path / "a.tar", [ENTRY]))
    manifest = archive.manifest()
    assert (manifest.digest, manifest.text) == (archives.digest_of(MANIFEST), MANIFEST)
    assert [archive.open(blob).read() for blob in manifest.blobs] == [CONFIG, LAYER]
    for blob in manifest.blobs:
        archive.check(blob)
    archive.close()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "holds 0 images"),
        ([ENTRY, ENTRY], "holds 2 images"),
        ([{**ENTRY, "mediaType": archives.OCI_INDEX}], "an image of several platforms"),
        ([{**ENTRY, "mediaType": "text/plain"}], "holds a text/plain, not an image"),
        ([{**ENTRY, "digest": archives.digest_of(LAYER)}], "its manifest is not"),
    ],
)
def test_anything_but_one_image_is_refused(tmp_path, entries, words):
    blobs = {archives.digest_of(MANIFEST): MANIFEST, archives.digest_of(LAYER): b"other"}
    with pytest.raises(archives.ArchiveError, match=words):
        archives.Archive(write(tmp_path / "a.tar", entries, blobs)).manifest()


def test_a_damaged_part_is_found(tmp_path):
    blobs = {archives.digest_of(MANIFEST): MANIFEST, archives.digest_of(LAYER): b"other"}
    archive = archives.Archive(write(tmp_path / "a.tar", [ENTRY], blobs))
    with pytest.raises(archives.ArchiveError, match="has other content"):
        archive.check(archive.manifest().layers[0])


def test_what_is_no_archive_is_said_with_the_way_to_one(tmp_path):
    (tmp_path / "a.tar").write_text("no")
    with pytest.raises(archives.ArchiveError, match=r"as an OCI archive.*skopeo copy"):
        archives.Archive(str(tmp_path / "a.tar"))
    with pytest.raises(archives.ArchiveError, match="No such file"):
        archives.Archive(str(tmp_path / "b.tar"))
