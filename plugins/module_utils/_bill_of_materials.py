# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes a bill of materials as CycloneDX JSON. The same image always gets the same document."""

from __future__ import annotations

import json
import uuid

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._image_packages import Package

try:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion
    from packageurl import PackageURL

    MISSING = None
except ImportError as error:
    MISSING = error


def write(reference: str, digest: str, packages: list[Package]) -> bytes:
    """The document for the image `reference`@`digest`."""
    image = Component(
        name=reference, version=digest, type=ComponentType.CONTAINER, bom_ref=digest,
        purl=PackageURL("oci", None, reference.rpartition("/")[2], digest, {"repository_url": reference}),
    )  # fmt: skip
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{reference}@{digest}"),
        metadata=BomMetaData(component=image),
        components=[component(package) for package in packages],
    )
    bom.register_dependency(image, bom.components)
    told = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_5).output_as_string())
    told["metadata"].pop("timestamp", None)
    return json.dumps(told, sort_keys=True).encode()


def component(package: Package) -> Component:
    told = {"arch": package.architecture, "epoch": package.epoch}
    qualifiers = {name: value for name, value in told.items() if value}
    purl = PackageURL(package.kind, package.namespace or None, package.name, package.version, qualifiers)
    return Component(
        name=package.name, version=package.version, type=ComponentType.LIBRARY, bom_ref=purl.to_string(), purl=purl
    )
