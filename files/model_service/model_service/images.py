# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels: from a file's bytes to 8-bit gray, to what the model sees, to the picture with the finding on it.

The trainer prepares its images with these same functions, so that training and serving cannot drift apart.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .codestreams import MAX_SCANS, jpeg_scans
from .errors import Refused

SIDE = 224
MIN_SIDE = 64
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

# Our own check in decode() is stricter than Pillow's and names the limit.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Xray:
    """An upright 8-bit gray image (mode L) and the kind of file it came in; of DICOM its elements and stored values."""

    gray: Image.Image
    kind: str
    dataset: Any = None
    stored: NDArray[Any] | None = None


def read(data: bytes, max_pixels: int) -> Xray:
    """What a file holds, by its content whatever its name says. Raises Refused; too many pixels are never decoded."""
    if not data:
        raise Refused(f"{EXPECTED}, got an empty object (0 bytes).")
    if data[128:132] == b"DICM":
        from . import dicom

        dataset = dicom.read(data)
        gray, stored = dicom.gray(dataset, max_pixels)
        check_smallest(gray.size)
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
    check_smallest(image.size)
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise Refused("Expected a single image, got an animated PNG.")
    if image.format == "JPEG" and jpeg_scans(data) > MAX_SCANS:
        raise Refused(f"Expected at most {MAX_SCANS} scans in a JPEG, got {jpeg_scans(data)}.")
    if image.format == "TIFF":
        check_tiff(image, max_pixels)
    return image


def kind_of(data: bytes) -> str:
    return next((name for magic, name in KINDS if data.startswith(magic)), "something else")


def check_smallest(size: tuple[int, int]) -> None:
    if min(size) < MIN_SIDE:
        raise Refused(f"Expected an image of at least {MIN_SIDE} x {MIN_SIDE} pixels, got {size[0]} x {size[1]}.")


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
    if image.mode in ("L", "1", "RGB", "CMYK", "YCbCr", "LA"):
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


def draw_finding(gray: Image.Image, finding: str) -> Image.Image:
    """The image with the finding in a strip below it, so that no pixel of the X-ray is covered."""
    strip = max(20, gray.width // 22)
    picture = Image.new("L", (gray.width, gray.height + strip))
    picture.paste(gray)
    font = ImageFont.load_default(strip * 0.66)
    ImageDraw.Draw(picture).text((strip // 3, gray.height + strip // 2), finding, fill=255, font=font, anchor="lm")
    return picture


def encode(picture: Image.Image, key: str, kind: str = "JPEG") -> tuple[bytes, str]:
    """(bytes, content type): in the format that the key says; where it says none, PNG unless it came as a JPEG."""
    name, buffer = key.lower(), io.BytesIO()
    if name.endswith((".jpg", ".jpeg")) or (kind == "JPEG" and not name.endswith(".png")):
        picture.save(buffer, "JPEG", quality=90)
        return buffer.getvalue(), "image/jpeg"
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue(), "image/png"
