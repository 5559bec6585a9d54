# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels: from a file's bytes to 8-bit gray, to what the model sees, to the picture with the finding on it.

The trainer prepares its images with these same functions, so that training and serving cannot drift apart.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .errors import Refused

SIDE = 224
MIN_SIDE = 64
FORMATS = ("JPEG", "PNG")
KINDS = (
    (0, b"\xff\xd8\xff", "a JPEG damaged in its header"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG damaged in its header"),
    (128, b"DICM", "a DICOM file"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"GIF8", "a GIF"),
    (0, b"%PDF", "a PDF"),
)

# Our own check in decode() is stricter than Pillow's and names the limit.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """A JPEG or PNG as one upright 8-bit gray image (mode L). Raises Refused; too many pixels are never decoded."""
    if not data:
        raise Refused("Expected a JPEG or PNG image, got an empty object (0 bytes).")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except Exception:  # Pillow raises a dozen types on hostile bytes; all of them mean the same here
        raise Refused(f"Expected a JPEG or PNG image, got {kind_of(data)} ({len(data)} bytes).") from None
    check_size(image, max_pixels)
    try:
        image.draft("L", image.size)  # lets libjpeg skip the colours; does nothing for a PNG
        image.load()
        return to_gray(ImageOps.exif_transpose(image))
    except MemoryError:
        raise
    except Exception as error:
        raise Refused(f"The {image.format} is truncated or damaged: {str(error)[:120]}.") from None


def kind_of(data: bytes) -> str:
    return next((name for at, magic, name in KINDS if data[at : at + len(magic)] == magic), "something else")


def check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise Refused(f"Expected at most {max_pixels} pixels, got {width} x {height} = {width * height}.")
    if min(width, height) < MIN_SIDE:
        raise Refused(f"Expected an image of at least {MIN_SIDE} x {MIN_SIDE} pixels, got {width} x {height}.")
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise Refused("Expected a single image, got an animated PNG.")


def to_gray(image: Image.Image) -> Image.Image:
    """Any mode to mode L. More than 8 bits are stretched from darkest to brightest: Pillow alone clips them at 255."""
    if image.mode in ("L", "1", "RGB", "CMYK", "YCbCr", "LA"):
        return image.convert("L")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, dtype=np.float32)
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(((values - low) * (255.0 / max(high - low, 1.0))).round().astype(np.uint8))
    return image.convert("RGB").convert("L")


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


def encode(picture: Image.Image, key: str) -> tuple[bytes, str]:
    """(bytes, content type): PNG where the key says so, else JPEG."""
    buffer = io.BytesIO()
    if key.lower().endswith(".png"):
        picture.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue(), "image/png"
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue(), "image/jpeg"
