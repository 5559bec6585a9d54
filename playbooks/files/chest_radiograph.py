# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the chest radiograph of the package pydicom-data as a PNG: chest_radiograph.py FOLDER.

The function reads JPEG and PNG until DICOM is read natively.
"""

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


def main(folder: Path) -> None:
    import numpy
    from PIL import Image
    from pydicom import dcmread
    from pydicom.pixels import apply_voi_lut

    dataset = dcmread(source())
    pixels = apply_voi_lut(dataset.pixel_array, dataset).astype(float)
    low, high = numpy.percentile(pixels, (0.5, 99.5))
    gray = numpy.clip((pixels - low) / (high - low), 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        gray = 1 - gray
    Image.fromarray((gray * 255).astype("uint8")).save(folder / f"{Path(FILE).stem}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
