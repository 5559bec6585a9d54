# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the real chest radiograph of pydicom-data, a DICOM file, into a folder: chest_radiograph.py FOLDER."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

FILE = "RG1_UNCR.dcm"


def source() -> Path:
    """Looks the file up in the installed package; pydicom's get_testdata_files would download it."""
    try:
        found = [file for file in files("pydicom-data") or [] if file.name == FILE]
    except PackageNotFoundError:
        found = []
    if not found:
        sys.exit(f"Expected {FILE} of the package pydicom-data beside {sys.executable}: pip install pydicom-data")
    return Path(found[0].locate())


if __name__ == "__main__":
    shutil.copy(source(), sys.argv[1])
