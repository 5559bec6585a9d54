# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not sway the diagnosis: a picture as another machine, export or hand might have left it.

`varied` is what training sees. SHIFTS are what models are judged and calibrated on: fixed, each one thing.
"""

import io
import string
from collections.abc import Callable, Mapping

import numpy as np
from model_service.images import SIDE
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from .pictures import Pixels

Dice = np.random.Generator
Change = Callable[[Image.Image, Dice], Image.Image]
KERNELS = (
    Image.Resampling.NEAREST, Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC, Image.Resampling.LANCZOS,
)  # fmt: skip


def to_input(gray: Image.Image, kernel: Image.Resampling = Image.Resampling.BILINEAR) -> Pixels:
    return np.asarray(gray.resize((SIDE, SIDE), kernel))


def varied(gray: Image.Image, dice: Dice) -> Image.Image:
    """One training example: each change by chance, in the order in which the world makes them."""
    gray = placed(gray, dice)
    for chance, change in (
        (0.8, toned), (0.2, equalised), (0.15, sharpened), (0.2, blurred), (0.25, bordered), (0.3, marked),
        (0.2, grained), (0.25, resampled), (0.3, compressed), (0.2, covered),
    ):  # fmt: skip
        if dice.random() < chance:
            gray = change(gray, dice)
    return gray


def placed(gray: Image.Image, dice: Dice) -> Image.Image:
    """A crop of two thirds or more, stretched, turned by a few degrees, half of them mirrored; 224 x 224."""
    width, height = gray.size
    stretch = np.exp(dice.uniform(-0.12, 0.12))
    scale = np.sqrt(dice.uniform(0.66, 1.12))
    half = np.array([width * scale * stretch, height * scale / stretch]) / 2
    slack = np.maximum(np.array([width, height]) / 2 - half, 0.03 * np.array([width, height]))
    centre = np.array([width, height]) / 2 + slack * dice.uniform(-1, 1, 2)
    angle = np.deg2rad(np.clip(dice.normal(0, 4), -10, 10))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * half @ turn.T + centre
    if dice.random() < 0.5:
        corners = corners[[3, 2, 1, 0]]
    side = 2 * SIDE if max(half) > 1.4 * SIDE else SIDE  # a quad transform alone would skip pixels
    placed = gray.transform((side, side), Image.Transform.QUAD, corners.ravel().tolist(), Image.Resampling.BILINEAR)
    return placed.resize((SIDE, SIDE), Image.Resampling(int(dice.choice([2, 3, 4]))))


def toned(gray: Image.Image, dice: Dice) -> Image.Image:
    gamma, contrast, brightness = np.exp(dice.normal(0, 0.3)), np.exp(dice.normal(0, 0.2)), dice.normal(0, 18)
    return curve(gray, (255 * (np.arange(256) / 255) ** gamma - 128) * contrast + 128 + brightness)


def curve(gray: Image.Image, levels: np.ndarray) -> Image.Image:
    return gray.point(np.clip(levels, 0, 255).round().astype(int).tolist())


def equalised(gray: Image.Image, dice: Dice) -> Image.Image:
    """Partly equalised histogram, or stretched between two percentiles."""
    if dice.random() < 0.5:
        return Image.blend(gray, ImageOps.equalize(gray), dice.uniform(0.2, 1))
    return ImageOps.autocontrast(gray, cutoff=(dice.uniform(0, 5), dice.uniform(0, 5)))


def sharpened(gray: Image.Image, dice: Dice) -> Image.Image:
    """Local contrast raised, as detectors' own processing and CLAHE do."""
    return gray.filter(ImageFilter.UnsharpMask(dice.uniform(1, 24), int(dice.integers(30, 110)), 0))


def blurred(gray: Image.Image, dice: Dice) -> Image.Image:
    return gray.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 1.6)))


def bordered(gray: Image.Image, dice: Dice) -> Image.Image:
    """Collimation or padding: bars of one shade on some sides, over the picture or around it."""
    shade = int(dice.choice([0, 0, 0, 255, dice.integers(0, 256)]))
    bars = [int(bar) for bar in dice.uniform(0, 0.13, 4) * SIDE * (dice.random(4) < 0.6)]
    if dice.random() < 0.5:
        return ImageOps.expand(gray, tuple(bars), shade).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    left, top, right, bottom = bars
    inside = gray.crop((left, top, SIDE - right, SIDE - bottom))
    return ImageOps.expand(inside, (left, top, right, bottom), shade)


def marked(gray: Image.Image, dice: Dice) -> Image.Image:
    """Side markers, names, boxes: in any corner of any class."""
    gray, ink = gray.copy(), int(dice.choice([255, 230, 0]))
    draw = ImageDraw.Draw(gray)
    for _ in range(int(dice.integers(1, 4))):
        x, y = dice.uniform(0, 0.85, 2) * SIDE
        if dice.random() < 0.3:
            width, height = dice.uniform(5, 40, 2)
            draw.rectangle((x, y, x + width, y + height), fill=int(dice.integers(0, 256)))
        else:
            letters = dice.choice(list(string.ascii_uppercase + string.digits), int(dice.choice([1, 1, 6, 14])))
            draw.text((x, y), "".join(letters), fill=ink, font=FONTS[int(dice.integers(len(FONTS)))])
    return gray


FONTS = [ImageFont.load_default(size) for size in (7, 10, 14, 20)]


def grained(gray: Image.Image, dice: Dice) -> Image.Image:
    noise = dice.standard_normal((SIDE, SIDE), np.float32) * dice.uniform(2, 12)
    return Image.fromarray(np.clip(np.asarray(gray, np.float32) + noise, 0, 255).astype(np.uint8))


def resampled(gray: Image.Image, dice: Dice) -> Image.Image:
    side = int(dice.uniform(90, 224))
    smaller = gray.resize((side, side), KERNELS[int(dice.integers(len(KERNELS)))])
    return smaller.resize((SIDE, SIDE), KERNELS[int(dice.integers(1, len(KERNELS)))])


def compressed(gray: Image.Image, dice: Dice) -> Image.Image:
    gray.save(buffer := io.BytesIO(), "JPEG", quality=int(dice.integers(30, 95)))
    return Image.open(buffer)


def covered(gray: Image.Image, dice: Dice) -> Image.Image:
    """A patch without information, so that no single spot decides."""
    width, height = (int(side) for side in dice.uniform(20, 80, 2))
    x, y = int(dice.uniform(0, SIDE - width)), int(dice.uniform(0, SIDE - height))
    gray = gray.copy()
    gray.paste(int(dice.integers(0, 256)), (x, y, x + width, y + height))
    return gray


def cropped(gray: Image.Image, dice: Dice) -> Image.Image:
    left, top, right, bottom = dice.uniform(0.02, 0.12, 4) * np.tile(gray.size, 2)
    return gray.crop((int(left), int(top), int(gray.width - right), int(gray.height - bottom)))


def through(side: int, kernel: Image.Resampling) -> Change:
    return lambda gray, dice: gray.resize((side, side), kernel)


def on_input(change: Change) -> Change:
    return lambda gray, dice: change(gray.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dice)


def mixed(gray: Image.Image, dice: Dice) -> Image.Image:
    """Several at once, milder than in training."""
    gray = on_input(toned)(cropped(gray, dice), dice)
    return compressed(bordered(gray, dice) if dice.random() < 0.3 else gray, dice)


SHIFTS: Mapping[str, Change] = {
    "darker": lambda gray, dice: curve(gray, 255 * (np.arange(256) / 255) ** 1.6),
    "brighter": lambda gray, dice: curve(gray, 255 * (np.arange(256) / 255) ** 0.65),
    "flatter": lambda gray, dice: curve(gray, (np.arange(256) - 128) * 0.65 + 128),
    "equalised": lambda gray, dice: ImageOps.equalize(gray),
    "sharper": on_input(lambda gray, dice: gray.filter(ImageFilter.UnsharpMask(12, 90, 0))),
    "coarse": through(112, Image.Resampling.BOX),
    "jagged": through(SIDE, Image.Resampling.NEAREST),
    "cropped": cropped,
    "bordered": on_input(bordered),
    "mixed": mixed,
}


def shifted(larger: Pixels, change: Change, seed: int) -> Pixels:
    """The service's input for a changed picture; the same seed gives the same."""
    return to_input(change(Image.fromarray(larger), np.random.default_rng(seed)))
