# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that are no upright frontal chest X-ray: drawn here, cut out of chest X-rays, or found in PyPI packages.

Every kind is a function from dice to a gray picture. Kinds are held out one at a time to see whether the gate knows
what it was never shown.
"""

import string
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydicom
from model_service import images
from model_service.errors import Refused
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Dice = np.random.Generator
Picture = NDArray[np.uint8]
Kind = Callable[[Dice], Image.Image]
PHOTO_FOLDERS = {"skimage": "data", "sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data"}
SCAN_PACKAGES = ("data_store", "deid_data")  # PyPI's pydicom-data and deid-data
NO_SCANS = ("RG1_", "cat", "image", "SC_rgb")  # chest X-rays of a person and a cat, photographs, test patterns
MAX_PIXELS = 60_000_000
SIDE = 320


def blank(dice: Dice) -> Image.Image:
    return Image.new("L", (SIDE, SIDE), int(dice.integers(0, 256)))


def gradient(dice: Dice) -> Image.Image:
    x, y = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    tilt, centre = dice.uniform(-1, 1, 2), dice.uniform(-0.5, 0.5, 2)
    plane = x * tilt[0] + y * tilt[1]
    return from_values(plane if dice.random() < 0.5 else np.hypot(x - centre[0], y - centre[1]), dice)


def noise(dice: Dice) -> Image.Image:
    """White noise, or clouds: noise smoothed at several scales."""
    values = dice.normal(0, 1, (SIDE, SIDE))
    if dice.random() < 0.7:
        for scale in (4, 16, 64):
            coarse = dice.normal(0, 1, (SIDE // scale, SIDE // scale)).astype(np.float32)
            smooth = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            values = values * dice.uniform(0, 0.5) + np.asarray(smooth)
    return from_values(values, dice)


def shapes(dice: Dice) -> Image.Image:
    """Ellipses and boxes over each other, like a phantom or a test pattern."""
    picture = Image.new("L", (SIDE, SIDE), int(dice.integers(0, 256)))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(dice.integers(1, 25))):
        left, top = dice.uniform(-0.2, 0.9, 2) * SIDE
        width, height = dice.uniform(0.05, 0.8, 2) * SIDE
        figure = draw.ellipse if dice.random() < 0.5 else draw.rectangle
        figure((left, top, left + width, top + height), fill=int(dice.integers(0, 256)))
    return picture.filter(ImageFilter.GaussianBlur(dice.uniform(0, 3)))


def text(dice: Dice) -> Image.Image:
    """A page or a screenshot: lines of random words, dark on light or light on dark."""
    ink, paper = (20, 235) if dice.random() < 0.6 else (235, 20)
    picture = Image.new("L", (SIDE, SIDE), paper)
    draw = ImageDraw.Draw(picture)
    size = dice.uniform(7, 24)
    font, y, margin = ImageFont.load_default(size), dice.uniform(0, 40), dice.uniform(2, 60)
    while y < SIDE * dice.uniform(0.5, 1.2):
        letters = dice.choice(list(string.ascii_letters + "    .,0123456789"), int(dice.integers(5, 80)))
        draw.text((margin, y), "".join(letters), fill=ink, font=font)
        y += size * dice.uniform(1.1, 2)
    return picture


def plot(dice: Dice) -> Image.Image:
    """Axes with curves or bars."""
    picture = Image.new("L", (SIDE, SIDE), 255)
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = 40, 20, SIDE - 20, SIDE - 40
    draw.rectangle((left, top, right, bottom), outline=0)
    for tick in np.linspace(left, right, 6):
        draw.text((tick, bottom + 6), f"{tick:.0f}", fill=0)
    x = np.linspace(left, right, int(dice.integers(5, 60)))
    for _ in range(int(dice.integers(1, 5))):
        y = np.clip(np.cumsum(dice.normal(0, 18, len(x))) + SIDE / 2, top, bottom)
        if dice.random() < 0.6:
            draw.line(list(zip(x, y, strict=True)), fill=int(dice.integers(0, 160)), width=int(dice.integers(1, 4)))
        else:
            for a, b in zip(x, y, strict=True):
                draw.rectangle((a - 2, b, a + 2, bottom), fill=int(dice.integers(0, 200)))
    return picture


DRAWN: dict[str, Kind] = {
    "blank": blank, "gradient": gradient, "noise": noise, "shapes": shapes, "text": text, "plot": plot,
}  # fmt: skip


def from_values(values: NDArray[np.floating], dice: Dice) -> Image.Image:
    low, high = np.sort(dice.uniform(0, 255, 2))
    unit = (values - values.min()) / max(float(np.ptp(values)), 1e-9)
    return Image.fromarray((low + unit * (high - low)).astype(np.uint8))


def chest_part(chests: Sequence[Picture]) -> Kind:
    """A cut of a twentieth to a tenth of a chest X-ray: a shoulder, an empty corner, a rib."""

    def cut(dice: Dice) -> Image.Image:
        chest = Image.fromarray(chests[int(dice.integers(len(chests)))])
        width, height = (side * dice.uniform(0.15, 0.35) for side in chest.size)
        left, top = (chest.width - width) * dice.random(), (chest.height - height) * dice.random()
        return chest.crop((int(left), int(top), int(left + width), int(top + height)))

    return cut


def cut_from(pictures: Sequence[Image.Image]) -> Kind:
    """Any large part of any of these, turned or mirrored at times."""

    def cut(dice: Dice) -> Image.Image:
        picture = pictures[int(dice.integers(len(pictures)))]
        width, height = (side * dice.uniform(0.4, 1) for side in picture.size)
        left, top = (picture.width - width) * dice.random(), (picture.height - height) * dice.random()
        part = picture.crop((int(left), int(top), int(left + width), int(top + height)))
        if dice.random() < 0.5:
            part = part.transpose(Image.Transpose(int(dice.integers(0, 7))))
        if dice.random() < 0.15:
            part = part.point(range(255, -1, -1))
        return part

    return cut


def photographs(folder: Path) -> list[Image.Image]:
    """Every picture under a folder that the service would read, at most 512 pixels a side."""
    found = []
    for file in sorted(folder.rglob("*")):
        try:
            found.append(images.decode(file.read_bytes(), MAX_PIXELS))
        except (Refused, IsADirectoryError):
            continue
    return [small(gray) for gray in found]


def scans(folder: Path) -> list[Image.Image]:
    """The first frame of every DICOM file under a folder, also of kinds that the service refuses by their header."""
    files = [file for file in sorted(folder.rglob("*.dcm")) if not file.name.startswith(NO_SCANS)]
    return [small(frame) for file in files if (frame := first_frame(file))]


def first_frame(file: Path) -> Image.Image | None:
    try:
        values = pydicom.dcmread(file).pixel_array.astype(np.float32)
    except Exception:  # these packages hold damaged files on purpose
        return None
    while values.ndim > 2:
        values = values.mean(-1) if values.shape[-1] == 3 else values[0]
    low, high = np.percentile(values, [0.5, 99.5])
    return Image.fromarray(np.clip((values - low) * 255 / max(high - low, 1e-6), 0, 255).astype(np.uint8))


def small(gray: Image.Image) -> Image.Image:
    gray.thumbnail((512, 512), reducing_gap=2.0)
    return gray


def package_folder(package: str, inside: str = "") -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"Expected the package {package} of requirements-training.txt.")
    return Path(spec.submodule_search_locations[0]) / inside


def kinds(chests: Sequence[Picture]) -> Mapping[str, Kind]:
    """Every kind by name. `chests`: chest X-rays to cut parts from."""
    photos = [one for name, inside in PHOTO_FOLDERS.items() for one in photographs(package_folder(name, inside))]
    slices = [one for name in SCAN_PACKAGES for one in scans(package_folder(name))]
    return {**DRAWN, "chest part": chest_part(chests), "photograph": cut_from(photos), "scan": cut_from(slices)}
