# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of an image, found in its layers, and the bill of materials of them."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _bill_of_materials as bill
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _image_packages as contents
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._image_packages import Package

ONNX = "Metadata-Version: 2.1\nName: Onnx_Runtime\nVersion: 1.20\n\nName: not this\n"
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def layer(mode="w", **files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            data = text if isinstance(text, bytes) else text.encode()
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    stream.seek(0)
    return stream


def found(*layers):
    files = {}
    for one in layers:
        contents.add_layer(files, one)
    return contents.packages(files)


PYTHON = {"opt/site/onnx.dist-info/METADATA": ONNX}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_python_packages_are_found_under_their_normal_name(mode):
    assert found(layer(mode, **PYTHON)) == [Package("pypi", "onnx-runtime", "1.20")]


def test_debian_packages_are_found_that_are_installed():
    files = {"./var/lib/dpkg/status": STATUS, "etc/os-release": 'ID="ubuntu"\nNAME=x\n'}
    assert found(layer(**files)) == [Package("deb", "libc6", "2.36-9", "ubuntu", "amd64")]


def test_debian_packages_of_a_distroless_image_are_found():
    one = "Package: tzdata\nVersion: 2024a\nArchitecture: all\n"
    assert found(layer(**{"var/lib/dpkg/status.d/tzdata": one})) == [Package("deb", "tzdata", "2024a", "debian", "all")]


# Made by rpm 4.18 itself, of two packages, one with an epoch.
RPM_DATABASE = gzip.decompress((Path(__file__).parent / "fixtures" / "rpmdb.sqlite.gz").read_bytes())


@pytest.mark.parametrize("place", ["var/lib/rpm", "usr/lib/sysimage/rpm"])
def test_rpm_packages_are_found(place):
    files = {f"{place}/rpmdb.sqlite": RPM_DATABASE, "etc/os-release": 'ID="rhel"\n'}
    assert found(layer(**files)) == [
        Package("rpm", "libdemo", "1.2-3", "rhel", "noarch", "1"),
        Package("rpm", "tzdemo", "2024a-1", "rhel", "x86_64"),
    ]


def test_a_damaged_rpm_database_is_said():
    with pytest.raises(contents.LayerError, match=r"has var/lib/rpm/rpmdb.sqlite, but RPM's database can't be read"):
        found(layer(**{"var/lib/rpm/rpmdb.sqlite": b"no" * 5000}))


@pytest.mark.parametrize(
    "whiteout", ["opt/site/.wh.onnx.dist-info", "opt/site/onnx.dist-info/.wh.METADATA", "opt/.wh..wh..opq"]
)
def test_what_a_later_layer_removes_is_not_there(whiteout):
    assert found(layer(**PYTHON), layer(**{whiteout: ""})) == []
    assert found(layer(**PYTHON), layer(**{whiteout: ""}), layer(**PYTHON)) != []


def test_a_folder_that_is_made_anew_keeps_what_the_same_layer_brings():
    new = {"opt/site/onnx.dist-info/METADATA": ONNX.replace("1.20", "1.21"), "opt/.wh..wh..opq": ""}
    assert found(layer(**PYTHON), layer(**new)) == [Package("pypi", "onnx-runtime", "1.21")]


def test_an_unknown_compression_is_said():
    with pytest.raises(contents.LayerError, match="neither a tar file"):
        contents.add_layer({}, io.BytesIO(b"\x28\xb5\x2f\xfd" + b"x" * 1000))


def test_the_bill_lists_the_packages_and_is_the_same_each_time():
    packages = [
        Package("pypi", "onnxruntime", "1.20"),
        Package("deb", "libc6", "2.36", "debian", "amd64"),
        Package("rpm", "libc", "2-1", "rhel", "x86_64", "1"),
    ]
    text = bill.write("quay.example.com/x/function", "sha256:" + "0" * 64, packages)
    told = json.loads(text)
    assert {entry["purl"] for entry in told["components"]} == {
        "pkg:pypi/onnxruntime@1.20",
        "pkg:deb/debian/libc6@2.36?arch=amd64",
        "pkg:rpm/rhel/libc@2-1?arch=x86_64&epoch=1",
    }
    assert told["metadata"]["component"]["name"] == "quay.example.com/x/function"
    assert text == bill.write("quay.example.com/x/function", "sha256:" + "0" * 64, packages)


def test_others_read_the_bill():
    from cyclonedx.model.bom import Bom

    text = bill.write("q/x", "sha256:" + "0" * 64, [Package("pypi", "onnxruntime", "1.20")])
    assert [component.name for component in Bom.from_json(json.loads(text)).components] == ["onnxruntime"]
