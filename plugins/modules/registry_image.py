#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Loads an image out of an OCI archive into a registry, with a signature and a bill of materials."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image
short_description: Load an image out of an OCI archive into a registry, signed and with its bill of materials
version_added: 0.1.0
description:
  - Sends an image of an OCI archive to a repository, byte by byte, so that it keeps its digest. What the registry has
    is not sent again. Neither skopeo nor a container runtime is needed.
  - With O(signing_key) the image gets a signature as cosign makes and verifies it, C(cosign verify --key).
  - With O(sbom) the image gets a bill of materials of its Python, Debian and RPM packages, in CycloneDX's format, where
    C(cosign download sbom) finds it. RPM's database is read where it is SQLite, as from RHEL 9 on.
author:
  - XRay Lab contributors (@xraylab)
attributes:
  check_mode:
    support: full
    description: Reads and predicts, and makes no key.
  diff_mode:
    support: full
    description: Shows digest, tag, and whether there are a signature and a bill of materials.
options:
  archive:
    description: OCI archive with one image, such as C(skopeo copy docker://IMAGE oci-archive:FILE) writes.
    type: path
    required: true
  repository:
    description: Where the image goes, such as C(quay.example.com/xraylab/gallery). In Quay it has to be there.
    type: str
    required: true
  tag:
    description: Tag that the image gets as well. Without it, the image has its digest alone.
    type: str
  username:
    description: Who may push there, such as a robot account.
    type: str
  password:
    description: Password or token of O(username).
    type: str
  ca_file:
    description: File with the certificates of the authorities that the registry's certificate may be of.
    type: path
  validate_certs:
    description: Whether the registry's certificate is verified.
    type: bool
    default: true
  signing_key:
    description:
      - File with a private key, ECDSA P-256 as PEM without a passphrase. The image is signed with it.
      - Cosign reads the public key beside it, whose name ends in C(.pub).
    type: path
  make_signing_key:
    description: Whether a O(signing_key) that is not there is made, with its public key.
    type: bool
    default: false
  sbom:
    description: Whether the image gets a bill of materials.
    type: bool
    default: true
requirements:
  - requests >= 2.28
  - cryptography >= 42
  - cyclonedx-python-lib >= 8
"""

EXAMPLES = r"""
- name: The function's image comes from a disk
  xraylab.medical_diagnosis.registry_image:
    archive: /mnt/images/risk-assessment.tar
    repository: quay.hub.example.com/xraylab/risk-assessment
    tag: "1.0"
    username: xraylab+loader
    password: "{{ loader_token }}"
    signing_key: ~/.xraylab/cosign.key
  register: loaded
"""

RETURN = r"""
image:
  description: Reference of the image by its digest.
  returned: success
  type: str
  sample: quay.example.com/xraylab/gallery@sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
digest:
  description: Digest of the image.
  returned: success
  type: str
  sample: sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _bill_of_materials as bill
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _image_packages as contents
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _image_signature as signature
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _oci_registry as registry
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._oci_archive import (
    Archive,
    ArchiveError,
    Manifest,
)

ARGUMENTS = {
    "archive": {"type": "path", "required": True},
    "repository": {"type": "str", "required": True},
    "tag": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "signing_key": {"type": "path", "no_log": False},
    "make_signing_key": {"type": "bool", "default": False, "no_log": False},
    "sbom": {"type": "bool", "default": True},
}
ERRORS = (ArchiveError, registry.RegistryError, contents.LayerError, signature.SigningKeyError)


class Loading:
    """What there is of the image in the registry, what is wanted, and how to get there."""

    def __init__(self, module: AnsibleModule, archive: Archive) -> None:
        self.options, self.archive, self.check_mode = module.params, archive, module.check_mode
        credentials = (module.params["username"], module.params["password"]) if module.params["username"] else None
        self.repository = registry.Repository(
            module.params["repository"], credentials, module.params["ca_file"], module.params["validate_certs"]
        )
        self.manifest = archive.manifest()
        self.digest = self.manifest.digest
        self.payload = signature.payload(self.repository.name, self.digest)
        self.key = self.signing_key()

    def signing_key(self) -> Any:
        """None without one, or while it would only be made."""
        if not self.options["signing_key"]:
            return None
        path = Path(self.options["signing_key"])
        if not path.exists() and self.options["make_signing_key"]:
            if self.check_mode:
                return None
            signature.write_key(path, signature.make_key())
        try:
            return signature.read_key(path.read_bytes(), str(path))
        except OSError as error:
            raise signature.SigningKeyError(f"Could not read the signing key {path}: {error.strerror}.") from None

    def before(self) -> dict:
        tagged = self.repository.manifest(self.options["tag"]) if self.options["tag"] else None
        return {
            "image": self.digest if self.repository.manifest(self.digest) else "",
            "tag": tagged.digest if tagged else "",
            "signed": bool(self.key) and signature.is_signed(self.found("sig"), self.payload, self.key.public_key()),
            "sbom": bool(self.options["sbom"] and self.found("sbom")),
        }

    def wanted(self) -> dict:
        return {
            "image": self.digest,
            "tag": self.digest if self.options["tag"] else "",
            "signed": bool(self.options["signing_key"]),
            "sbom": self.options["sbom"],
        }

    def found(self, kind: str) -> Manifest | None:
        return self.repository.manifest(signature.tag_of(self.digest, kind))

    def bring(self, before: dict) -> None:
        """The image comes last of its parts, and what speaks of it after it."""
        if not before["image"]:
            self.send_image()
        if self.options["sbom"] and not before["sbom"]:
            self.put_artifact("sbom", self.bill_of_materials(), signature.SBOM_TYPE)
        if self.key and not before["signed"]:
            signed = {signature.SIGNATURE: signature.sign(self.key, self.payload)}
            self.put_artifact("sig", self.payload, signature.PAYLOAD_TYPE, signed)
        if self.options["tag"] and before["tag"] != self.digest:
            self.repository.put_manifest(self.options["tag"], self.manifest)

    def send_image(self) -> None:
        for blob in self.manifest.blobs:
            if not self.repository.has_blob(blob.digest):
                self.archive.check(blob)
                self.repository.put_blob(blob.digest, self.archive.open(blob))
        self.repository.put_manifest(self.digest, self.manifest)

    def bill_of_materials(self) -> bytes:
        files: contents.Files = {}
        for layer in self.manifest.layers:
            contents.add_layer(files, self.archive.open(layer))
        return bill.write(self.repository.name, self.digest, contents.packages(files))

    def put_artifact(self, kind: str, data: bytes, media_type: str, annotations: dict | None = None) -> None:
        made = signature.artifact(media_type, data, annotations)
        if kind == "sig":
            made = signature.with_signature(self.found(kind), made)
        for part in (data, signature.config_of(data)):
            digest = signature.digest_of(part)
            if not self.repository.has_blob(digest):
                self.repository.put_blob(digest, part)
        self.repository.put_manifest(signature.tag_of(self.digest, kind), made)


def check_libraries(module: AnsibleModule) -> None:
    needed = {"requests": registry.MISSING}
    if module.params["signing_key"]:
        needed["cryptography"] = signature.MISSING
    if module.params["sbom"]:
        needed["cyclonedx-python-lib"] = bill.MISSING
    for library, missing in needed.items():
        if missing:
            module.fail_json(msg=missing_required_lib(library, reason=f"to load images ({missing})"))


def run(module: AnsibleModule) -> dict:
    archive = Archive(module.params["archive"])
    try:
        loading = Loading(module, archive)
        before, wanted = loading.before(), loading.wanted()
        if before != wanted and not module.check_mode:
            loading.bring(before)
    finally:
        archive.close()
    image = f"{loading.repository.name}@{loading.digest}"
    diff = {"before": before, "after": wanted}
    return {"changed": before != wanted, "image": image, "digest": loading.digest, "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, required_together=[("username", "password")], supports_check_mode=True
    )
    check_libraries(module)
    try:
        result = run(module)
    except ERRORS as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
