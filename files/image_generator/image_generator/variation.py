# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture like a sample, as if it had been taken again: a little other crop, tilt, brightness and quality."""

import io
from random import Random

from PIL import Image, ImageEnhance

MAX_CROP, MAX_TILT = 0.04, 2.5
MAX_SIDE = 1600


def vary(sample: Image.Image, chance: Random) -> bytes:
    """JPEG bytes; hardly ever the same twice."""
    picture = sample.copy()
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    picture = picture.rotate(chance.uniform(-MAX_TILT, MAX_TILT), Image.Resampling.BICUBIC)
    width, height = picture.size
    left, top, right, bottom = (chance.uniform(0, MAX_CROP) for _ in range(4))
    box = round(width * left), round(height * top), round(width * (1 - right)), round(height * (1 - bottom))
    picture = picture.crop(box)
    picture = ImageEnhance.Brightness(picture).enhance(chance.uniform(0.93, 1.07))
    picture = ImageEnhance.Contrast(picture).enhance(chance.uniform(0.93, 1.07))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=chance.randrange(82, 96))
    return buffer.getvalue()
