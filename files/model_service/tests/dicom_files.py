# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM files made from nothing: a CR image of a patient who does not exist, in any transfer syntax."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from service_fakes import encoded, picture

CR = "1.2.840.10008.5.1.4.1.1.1"
JPEG_8_BIT, JPEG_2000, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
PATIENT = "Campbell^Barbara"


def radiograph(width: int = 320, height: int = 240, bits: int = 12, **elements: Any) -> Dataset:
    """A picture of `bits` bits as an uncompressed CR image; `elements` replace or add, None removes."""
    smooth = np.asarray(picture(width, height), np.float64) / 255
    stored = (smooth * ((1 << bits) - 1)).round().astype(np.uint8 if bits == 8 else np.uint16)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CR, "1.2.3.4.5", "CR"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    dataset.PatientName, dataset.PatientID = PATIENT, "5798"
    dataset.PatientBirthDate, dataset.StudyDate = "19620716", "20161107"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = height, width, 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * stored.itemsize, bits, bits - 1
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    for name, value in elements.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def compressed(dataset: Dataset, syntax: str, stream: bytes) -> Dataset:
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def in_syntax(name: str, bits: int = 12) -> Dataset:
    """radiograph() in one of: implicit, explicit, rle, jpeg (8 bits), jpeg2000."""
    dataset = radiograph(bits=8 if name == "jpeg" else bits)
    if name == "implicit":
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    if name == "rle":
        dataset.compress(RLE, encoding_plugin="pydicom", generate_instance_uid=False)
    if name == "jpeg":
        return compressed(dataset, JPEG_8_BIT, encoded(picture(), quality=95))
    if name == "jpeg2000":
        pixels = Image.fromarray(dataset.pixel_array.astype(np.uint16))
        return compressed(dataset, JPEG_2000, encoded(pixels, "JPEG2000", no_jp2=True, irreversible=False))
    return dataset


def saved(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CR)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2")
    syntax = dataset.file_meta.TransferSyntaxUID
    pydicom.dcmwrite(
        buffer, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True, enforce_file_format=True
    )
    return buffer.getvalue()


def example(name: str, **elements: Any) -> bytes:
    """One of pydicom's own files, made a CR image."""
    dataset = pydicom.dcmread(PYDICOM_FILES / name)
    dataset.Modality = "CR"
    for key, value in elements.items():
        setattr(dataset, key, value)
    return saved(dataset)
