# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM files (PS3.3, PS3.5, PS3.10): the header, read within limits, and the pixels as 8-bit gray.

Imported when the first DICOM file comes: pydicom alone takes 0.3 s. Texts of errors never hold values of a file.
"""

import io
import logging
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels import apply_modality_lut, apply_voi, get_decoder

from .codestreams import MAX_SCANS, Declared, jpeg2000_size, jpeg_scans, jpeg_size
from .errors import Refused

MAX_HEADER = 4 * 1024**2
MAX_ELEMENTS = 5000
PIXEL_DATA = 0x7FE00010
IMPLICIT, UNDEFINED = "1.2.840.10008.1.2", 0xFFFFFFFF
NATIVE, RLE = (IMPLICIT, "1.2.840.10008.1.2.1"), "1.2.840.10008.1.2.5"
JPEG_8_BIT = "1.2.840.10008.1.2.4.50"
JPEGS = (JPEG_8_BIT, *(f"1.2.840.10008.1.2.4.{n}" for n in (51, 57, 70, 80, 81)))  # extended, lossless, JPEG-LS
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
# Programs, archives and pictures that hide in the 128 free bytes. TIFF is not among them: PS3.10 foresees it there.
PREAMBLES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"%PDF", b"MZ", b"\x7fELF", b"PK\3\4", b"#!", b"<")

# pydicom's complaints quote values, which may be a patient's.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module=r"pydicom(\..*)?")
config.settings.reading_validation_mode = config.IGNORE
config.settings.writing_validation_mode = config.IGNORE


def read(data: bytes) -> Dataset:
    """A file's elements up to and with its Pixel Data; what follows is left behind. Raises Refused."""
    if data.startswith(PREAMBLES):
        raise Refused("The file is a DICOM file and another kind of file at once.")
    try:
        return read_elements(data)
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise damaged(error) from None


def damaged(error: Exception) -> Refused:
    return Refused(f"The DICOM file is truncated or damaged ({type(error).__name__}).")


def read_elements(data: bytes) -> Dataset:
    head = io.BytesIO(data[:MAX_HEADER])
    head.seek(132)
    meta = read_dataset(head, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    syntax = str(meta.get("TransferSyntaxUID", "")).strip("\0 ")
    if syntax not in (*NATIVE, RLE, *JPEGS, *JPEG_2000):
        seen = syntax if re.fullmatch(r"[0-9.]{1,64}", syntax) else "none"
        raise Refused(f"Expected uncompressed little-endian, RLE, JPEG, JPEG-LS or JPEG 2000 pixels, got {seen}.")
    elements = 0

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        nonlocal elements
        elements += 1
        if elements > MAX_ELEMENTS:
            raise Refused(f"Expected at most {MAX_ELEMENTS} elements in the DICOM file, got more.")
        return tag >= PIXEL_DATA

    dataset = read_dataset(head, syntax == IMPLICIT, True, stop_when=at_pixels)
    dataset.file_meta = FileMetaDataset(meta)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = pixel_data(data, head.tell(), syntax)
    dataset["PixelData"].VR = "OW" if dataset.get("BitsAllocated") == 16 and syntax in NATIVE else "OB"
    return dataset


def pixel_data(data: bytes, at: int, syntax: str) -> bytes:
    """The value of the Pixel Data element that begins at byte `at`. Raises Refused."""
    if data[at : at + 4] != b"\xe0\x7f\x10\0":
        raise Refused(f"Expected Pixel Data in the first {MAX_HEADER} bytes of the DICOM file, found none.")
    at += 4 if syntax == IMPLICIT else 8
    length = int.from_bytes(data[at : at + 4], "little")
    if (length == UNDEFINED) == (syntax in NATIVE):
        raise Refused("The Pixel Data of the DICOM file is not in the form that its transfer syntax says.")
    value = data[at + 4 :] if length == UNDEFINED else data[at + 4 : at + 4 + length]
    if length not in (UNDEFINED, len(value)):
        raise Refused(f"The DICOM file is truncated: expected {length} bytes of Pixel Data, got {len(value)}.")
    return value


def check(dataset: Dataset, max_pixels: int) -> None:
    """Everything that decoding relies on. Raises Refused, or any other error where an element is damaged."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise Refused(f"Expected a single image, got a DICOM file of {frames} frames.")
    width, height = int(dataset.Columns), int(dataset.Rows)
    if width * height > max_pixels:
        raise Refused(f"Expected at most {max_pixels} pixels, got {width} x {height} = {width * height}.")
    colours, samples = str(dataset.PhotometricInterpretation), int(dataset.SamplesPerPixel)
    if samples not in (1, 3) or (samples == 1) != colours.startswith("MONOCHROME"):
        seen = colours if re.fullmatch(r"[A-Z0-9_ ]{1,16}", colours) else "something else"
        raise Refused(f"Expected MONOCHROME1, MONOCHROME2 or RGB pixels, got {seen}.")
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if allocated not in (8, 16) or not 1 <= stored <= allocated or int(dataset.HighBit) != stored - 1:
        raise Refused(f"Expected pixels of 8 or 16 bits, low bits used, got {stored} bits in {allocated}.")
    check_stream(dataset, Declared(width, height, samples), allocated // 8)


def check_stream(dataset: Dataset, expected: Declared, sample_bytes: int) -> None:
    """The compressed image is as large as the header says: decoders believe the former."""
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    raw = expected.width * expected.height * expected.components * sample_bytes
    if syntax in NATIVE:
        if len(dataset.PixelData) < raw:
            raise Refused(f"The DICOM file is truncated: expected {raw} bytes of pixels, got {len(dataset.PixelData)}.")
        return
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if syntax == RLE:
        if len(frame) > raw + raw // 64 + 1024:  # PackBits adds one byte to 128 at most
            raise Refused("The RLE data of the DICOM file are larger than their image.")
        return
    found = jpeg2000_size(frame) if syntax in JPEG_2000 else jpeg_size(frame)
    if found != expected:
        raise Refused(
            f"The DICOM header says {expected.width} x {expected.height} x {expected.components}, "
            f"its compressed image {found.width} x {found.height} x {found.components}."
        )
    if syntax in JPEGS and jpeg_scans(frame) > MAX_SCANS:
        raise Refused(f"Expected at most {MAX_SCANS} scans in a JPEG.")


def gray(dataset: Dataset, max_pixels: int) -> tuple[Image.Image, NDArray[Any]]:
    """The image as a viewer shows it, mode L, and its stored values; takes the Pixel Data away. Raises Refused."""
    try:
        check(dataset, max_pixels)
        stored = stored_values(dataset)
        del dataset.PixelData
        if stored.ndim == 3:
            levels = (stored >> (int(dataset.BitsStored) - 8)).astype(np.uint8)
            return Image.fromarray(levels).convert("L"), stored
        return Image.fromarray(gray_levels(dataset, stored)[stored]), stored
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise damaged(error) from None


def put_pixels(dataset: Dataset, stored: NDArray[Any], boxes: list[tuple[int, int, int, int]]) -> None:
    """Gives a dataset uncompressed Pixel Data again, black within `boxes`, with nothing hidden in unused bits."""
    bits, signed = int(dataset.BitsStored), dataset.PixelRepresentation == 1
    stored = stored & ((1 << bits) - 1)
    if signed:
        stored = stored | (stored >> (bits - 1)) * ((1 << 8 * stored.itemsize) - (1 << bits))
    lowest, highest = (1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    black = highest if dataset.PhotometricInterpretation.strip() == "MONOCHROME1" else lowest
    if signed and black == lowest:
        black = (1 << 8 * stored.itemsize) - (1 << bits - 1)
    for left, top, right, bottom in boxes:
        stored[top:bottom, left:right] = black
    if stored.ndim == 3:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    content = stored.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OW" if stored.itemsize == 2 else "OB"


def stored_values(dataset: Dataset) -> NDArray[Any]:
    """(rows, columns) or, for colours, (rows, columns, 3) of uint8 or uint16; signed values as their bit patterns."""
    syntax = dataset.file_meta.TransferSyntaxUID
    # Pillow's decoders are the hardened ones; libjpeg is there for what Pillow cannot read.
    plugins = {RLE: "pydicom", JPEG_8_BIT: "pillow"} | dict.fromkeys(JPEG_2000, "pillow") | dict.fromkeys(NATIVE, "")
    values, _ = get_decoder(syntax).as_array(dataset, decoding_plugin=plugins.get(syntax, "pylibjpeg"))
    return values.view(np.dtype(f"u{values.itemsize}"))


def gray_levels(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    """The 8-bit gray level of each bit pattern that a pixel can have: 65,536 values are faster than 10 million."""
    patterns = np.arange(1 << (8 * stored.itemsize))
    bits, present = int(dataset.BitsStored), np.bincount(stored.ravel(), minlength=patterns.size) > 0
    values = patterns & ((1 << bits) - 1)
    if dataset.PixelRepresentation == 1:
        values = np.where(values >> (bits - 1), values - (1 << bits), values)
    shown = present & ~padding(dataset, values)
    shown = shown if shown.any() else present
    with np.errstate(all="ignore"):
        real = np.asarray(apply_modality_lut(values, dataset), dtype=np.float64)
        level = view(dataset, real, shown)
    if not np.isfinite(level[shown]).all():
        raise Refused("The rescale or window of the DICOM file holds no usable numbers.")
    level = np.nan_to_num(level).clip(0, 1)
    level = 1 - level if dataset.PhotometricInterpretation.strip() == "MONOCHROME1" else level
    return np.where(padding(dataset, values), 0, level * 255).round().astype(np.uint8)


def padding(dataset: Dataset, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values stand for no X-ray at all, outside of the detector (PS3.3, C.7.5.1.1.2)."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(values.shape, bool)
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(first), int(first if last is None else last)))
    return (values >= low) & (values <= high)


def view(dataset: Dataset, real: NDArray[np.float64], shown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`real` values mapped to 0..1 by the first VOI LUT or window, or by their range where these show nothing."""
    if "VOILUTSequence" in dataset:
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        level = np.asarray(apply_voi(real.round().astype(np.int64), dataset), np.float64) / ((1 << bits) - 1)
    else:
        level = window(dataset, real)
    low, high = real[shown].min(), real[shown].max()
    if level is None or (high > low and np.ptp(level[shown].clip(0, 1)) == 0):
        return (real - low) / max(high - low, 1e-9)
    return level


def window(dataset: Dataset, real: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """PS3.3, C.11.2.1.2 and C.11.2.1.3, not yet clipped; None without a window."""
    centre, width = (first_number(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip()
    if centre is None or width is None or width <= 0 or (function == "LINEAR" and width <= 1):
        return None
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (real - centre) / width))
    if function == "LINEAR_EXACT":
        return (real - centre) / width + 0.5
    return (real - (centre - 0.5)) / (width - 1) + 0.5


def first_number(value: Any) -> float | None:
    """Of an element that may be absent, empty, single or multiple."""
    values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return float(values[0]) if len(values) and values[0] not in (None, "") else None
