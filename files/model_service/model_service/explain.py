# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of what drove the score: a glow to be laid over the X-ray where it spoke for pneumonia. Pure.

What is stored holds no pixel of the X-ray: it may be shown over the de-identified copy as well.
"""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LONGEST_SIDE = 512
# A part's contribution to the logit is its heat / 49. A weaker map than this never glows fully, so that an X-ray in
# which nothing speaks for pneumonia stays dark instead of showing its noise.
FULL_GLOW = 8.0
STEPS = 64  # of glow
OPACITY = 0.6
# Vermilion to yellow of Okabe and Ito's palette: they differ in brightness too, for those who see no red and green.
WEAK, STRONG = np.array([213.0, 94.0, 0.0]), np.array([240.0, 228.0, 66.0])
LEGEND_SIZE = 200, 18
LEGEND_BAR = 60, 5, 130, 13  # left, top, right, bottom


def heat_map(heat: NDArray[np.float32], size: tuple[int, int]) -> bytes:
    """PNG for an image of this size, transparent where nothing glows. `heat` (7, 7): contributions to the logit."""
    picture = Image.fromarray(glow(heat, fitted(size)))
    picture.putpalette(colours().tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1, transparency=opacities().tobytes())
    return buffer.getvalue()


def fitted(size: tuple[int, int]) -> tuple[int, int]:
    """The same shape with no side above the longest."""
    scale = LONGEST_SIDE / max(LONGEST_SIDE, *size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def glow(heat: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """How strongly each pixel glows, 0 to STEPS - 1: not at all where the contribution is negative."""
    full = max(float(heat.max()), FULL_GLOW)
    shares = Image.fromarray((heat * ((STEPS - 1) / full)).astype(np.float32))
    return np.asarray(shares.resize(size, Image.Resampling.BICUBIC)).clip(0, STEPS - 1).astype(np.uint8)


@cache
def colours() -> NDArray[np.uint8]:
    return (WEAK + (STRONG - WEAK) * np.linspace(0, 1, STEPS)[:, None]).round().astype(np.uint8)


@cache
def opacities() -> NDArray[np.uint8]:
    return (np.linspace(0, 255 * OPACITY, STEPS)).round().astype(np.uint8)


def explained(gray: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """The X-ray under its heat map with a legend below, for people who look at one picture."""
    size = fitted(gray.size)
    picture = Image.new("RGB", (max(size[0], LEGEND_SIZE[0]), size[1] + LEGEND_SIZE[1]))
    picture.paste(gray.resize(size).convert("RGB"))
    with Image.open(io.BytesIO(heat_map(heat, gray.size))) as overlay:
        glowing = overlay.convert("RGBA")
    picture.paste(glowing, mask=glowing)
    draw_legend(picture, size[1])
    return picture


def draw_legend(picture: Image.Image, top: int) -> None:
    left, above, right, below = LEGEND_BAR
    steps = np.linspace(0, STEPS - 1, right - left).astype(np.uint8)
    bar = Image.fromarray(np.dstack([colours()[steps][None], opacities()[steps][None, :, None]]), "RGBA")
    bar = bar.resize((right - left, below - above))
    picture.paste(bar, (left, top + above), bar)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(10)
    pen.text((left - 4, top + 9), "little", fill="white", font=font, anchor="rm")
    pen.text((right + 4, top + 9), "much of the risk", fill="white", font=font, anchor="lm")
