# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels: from a file's bytes to 8-bit gray, to what the model sees, to the picture with the finding on it.

The trainer prepares its images with these same functions, so that training and serving cannot drift apart.
"""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .codestreams import MAX_SCANS, jpeg_scans, stacked
from .errors import Refused

SIDE = 224
MIN_SIDE, MAX_SIDE = 64, 30_000  # a JPEG ends at 65,500
MAX_STRIP = 200
FORMATS = ("JPEG", "PNG", "TIFF")
EXPECTED = "Expected a JPEG, PNG, TIFF or DICOM image"
KINDS = (
    (b"\xff\xd8\xff", "a JPEG damaged in its header"),
    (b"\x89PNG\r\n\x1a\n", "a PNG damaged in its header"),
    (b"II*\0", "a TIFF damaged in its header"),
    (b"MM\0*", "a TIFF damaged in its header"),
    (b"GIF8", "a GIF"),
    (b"%PDF", "a PDF"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
)
TIFF_WHITE_IS_ZERO = (262, 0)
TIFF_TILE_WIDTH, TIFF_TILE_LENGTH = 322, 323
PNG_BEGIN, PNG_UP = b"\x89PNG\r\n\x1a\n", 2

# Our own check in decode() is stricter than Pillow's and names the limit.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Xray:
    """An upright 8-bit gray image (mode L) and the kind of file it came in; of DICOM its elements and stored values."""

    gray: Image.Image
    kind: str
    dataset: Any = None
    stored: NDArray[Any] | None = None

    @cached_property
    def jpeg(self) -> bytes:
        """Of the gray image; encoded once, for the picture with the finding and for the copy without a patient."""
        return jpeg(self.gray)


def read(data: bytes, max_pixels: int) -> Xray:
    """What a file holds, by its content whatever its name says. Raises Refused; too many pixels are never decoded."""
    if not data:
        raise Refused(f"{EXPECTED}, got an empty object (0 bytes).")
    if data[128:132] == b"DICM":
        from . import dicom

        dataset = dicom.read(data)
        gray, stored = dicom.gray(dataset, max_pixels)
        check_sides(gray.size)
        return Xray(gray, "DICOM", dataset, stored)
    image = open_image(data, max_pixels)
    kind = str(image.format)
    try:
        image.draft("L", image.size)  # lets libjpeg skip the colours; does nothing for a PNG
        image.load()
        gray = to_gray(ImageOps.exif_transpose(image), white_is_zero(image))
        gray.info = {}  # comments and profiles, which Pillow would write again with the pixels
        return Xray(gray, kind)
    except MemoryError:
        raise
    except Exception as error:
        raise Refused(f"The {kind} is truncated or damaged: {str(error)[:120]}.") from None


def decode(data: bytes, max_pixels: int) -> Image.Image:
    return read(data, max_pixels).gray


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """A JPEG, PNG or TIFF within the limits, its pixels not decoded yet. Raises Refused."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except Exception:  # Pillow raises a dozen types on hostile bytes; all of them mean the same here
        raise Refused(f"{EXPECTED}, got {kind_of(data)} ({len(data)} bytes).") from None
    width, height = image.size
    if width * height > max_pixels:
        raise Refused(f"Expected at most {max_pixels} pixels, got {width} x {height} = {width * height}.")
    check_sides(image.size)
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise Refused("Expected a single image, got an animated PNG.")
    if image.format == "JPEG" and jpeg_scans(data) > MAX_SCANS:
        raise Refused(f"Expected at most {MAX_SCANS} scans in a JPEG, got {jpeg_scans(data)}.")
    if image.format == "TIFF":
        check_tiff(image, max_pixels)
    return image


def kind_of(data: bytes) -> str:
    return next((name for magic, name in KINDS if data.startswith(magic)), "something else")


def check_sides(size: tuple[int, int]) -> None:
    if min(size) < MIN_SIDE:
        raise Refused(f"Expected an image of at least {MIN_SIDE} x {MIN_SIDE} pixels, got {size[0]} x {size[1]}.")
    if max(size) > MAX_SIDE:
        raise Refused(f"Expected an image of at most {MAX_SIDE} pixels a side, got {size[0]} x {size[1]}.")


def check_tiff(image: Any, max_pixels: int) -> None:
    """One page, and tiles no larger than an image may be: libtiff makes room for a whole one. Raises Refused."""
    tile = image.tag_v2.get(TIFF_TILE_WIDTH, 1), image.tag_v2.get(TIFF_TILE_LENGTH, 1)
    if not all(isinstance(side, int) for side in tile) or tile[0] * tile[1] > max_pixels:
        raise Refused(f"Expected a TIFF with tiles of at most {max_pixels} pixels.")
    try:
        image.seek(1)
    except EOFError:
        image.seek(0)
        return
    except Exception:
        raise Refused("The TIFF is damaged after its first page.") from None
    raise Refused("Expected a single image, got a TIFF of several pages.")


def to_gray(image: Image.Image, inverted: bool = False) -> Image.Image:
    """Any mode to mode L. More than 8 bits are stretched from darkest to brightest: Pillow alone clips them at 255.

    `inverted`: their zero is white.
    """
    if image.mode == "L":
        return image
    if image.mode in ("1", "RGB", "CMYK", "YCbCr", "LA"):
        return image.convert("L")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return stretch(np.asarray(image), inverted)
    return image.convert("RGB").convert("L")


def white_is_zero(image: Any) -> bool:
    """Pillow turns an 8-bit TIFF of this kind over, but not one of 16 bits."""
    return image.format == "TIFF" and image.tag_v2.get(TIFF_WHITE_IS_ZERO[0]) == TIFF_WHITE_IS_ZERO[1]


def stretch(values: NDArray[Any], inverted: bool) -> Image.Image:
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise Refused("The image holds pixels that are no numbers.")
    if values.dtype.itemsize == 2:  # 65,536 levels are computed faster, and in less memory, than 40 million pixels
        levels = stretched(np.arange(65536), low, high, inverted)
        return Image.fromarray(levels[values])
    return Image.fromarray(stretched(values, low, high, inverted))


def stretched(values: NDArray[Any], low: float, high: float, inverted: bool) -> NDArray[np.uint8]:
    level = (values.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    return (255 - level if inverted else level).round().clip(0, 255).astype(np.uint8)


def model_input(gray: Image.Image) -> NDArray[np.float32]:
    """(1, 1, 224, 224), gray levels 0..255.

    The image is squeezed to a square: neither its size nor its aspect ratio reaches the model, because in the training
    data both tell the diagnosis (AUROC 0.9 from width and height alone).
    """
    small = gray.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(small, dtype=np.float32)[None, None]


def picture_of(xray: Xray, finding: str, key: str) -> tuple[bytes, str]:
    """(bytes, content type) of the X-ray with the finding, in the format for this key."""
    if not is_jpeg(key, xray.kind):
        return encode(draw_finding(xray.gray, finding), key, xray.kind)
    width, height = xray.gray.size
    rows = height // 8
    below = draw_finding(xray.gray.crop((0, 8 * rows, width, height)), finding)
    return stacked(xray.jpeg, jpeg(below), rows), "image/jpeg"


def draw_finding(gray: Image.Image, finding: str) -> Image.Image:
    """The image with the finding in a strip below it, so that no pixel of the X-ray is covered."""
    strip = max(20, min(gray.width // 22, MAX_STRIP))
    picture = Image.new("L", (gray.width, gray.height + strip))
    picture.paste(gray)
    font = ImageFont.load_default(strip * 0.66)
    ImageDraw.Draw(picture).text((strip // 3, gray.height + strip // 2), finding, fill=255, font=font, anchor="lm")
    return picture


def is_jpeg(key: str, kind: str) -> bool:
    """Whether what came as this kind is stored as a JPEG: as the key says; else PNG unless it was a JPEG."""
    name = key.lower()
    return name.endswith((".jpg", ".jpeg")) or (kind == "JPEG" and not name.endswith(".png"))


def encode(picture: Image.Image, key: str, kind: str = "JPEG") -> tuple[bytes, str]:
    """(bytes, content type) of an image of mode L."""
    if is_jpeg(key, kind):
        return jpeg(picture), "image/jpeg"
    return png(np.asarray(picture)), "image/png"


def jpeg(picture: Image.Image) -> bytes:
    """By way of a file in memory: Pillow keeps the interpreter's lock while it encodes, unless it is into a file."""
    with os.fdopen(os.memfd_create("picture"), "w+b") as file:
        picture.save(file, "JPEG", quality=90, restart_marker_rows=1)
        file.seek(0)
        return file.read()


def png(levels: NDArray[np.uint8]) -> bytes:
    """A gray PNG in a third of Pillow's time, and smaller than its fastest.

    Each row is stored as its difference to the one above, which suits X-rays; Pillow tries five filters on every row.
    Run lengths and Huffman codes only: noise has no repetitions worth a search.
    """
    height, width = levels.shape
    rows = np.empty((height, 1 + width), np.uint8)
    rows[:, 0] = PNG_UP
    rows[0, 1:] = levels[0]
    np.subtract(levels[1:], levels[:-1], out=rows[1:, 1:])
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = packer.compress(rows) + packer.flush()
    return PNG_BEGIN + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
