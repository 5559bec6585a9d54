# SPDX-License-Identifier: GPL-3.0-or-later
"""X-rays with a patient's text burned into them, and a reader that is not the detector: Tesseract."""

import io
import random
import shutil
import subprocess
from dataclasses import dataclass
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = {"font_roboto": "Roboto-Regular.ttf", "font_source_serif_pro": "SourceSerifPro-Regular.ttf"}
NAMES = ("CAMPBELL", "Barbara", "Kowalczyk", "MUELLER", "Hernandez", "O'Sullivan", "NAKAMURA", "Johansson", "Okonkwo")
HOSPITALS = ("CENTRAL HOSPITAL", "St. Mary's Clinic", "Radiology West")
READ_HEIGHT = 48  # Tesseract reads letters of this height best
TESSERACT = shutil.which("tesseract")


@dataclass(frozen=True)
class Burned:
    """A text, where it stands (left, top, right, bottom), how large and whether its lines run upwards."""

    text: str
    box: tuple[int, int, int, int]
    size: int
    upwards: bool
    contrast: int


def chest(rng: random.Random, width: int, height: int) -> Image.Image:
    """No real chest, but two dark lungs with ribs between bright tissue, grain, and black borders."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    body = 150 * np.exp(-((x / 0.9) ** 8))
    for side in (-0.42, 0.42):
        lung = 1 / (1 + np.exp(12 * (((x - side) / 0.36) ** 2 + ((y + 0.05) / 0.7) ** 2 - 1)))
        ribs = 18 * np.sin(22 * y + 6 * np.abs(x - side)) ** 4
        body += lung * (ribs - 90)
    body += 60 * np.exp(-((x / 0.1) ** 2))
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, 4, body.shape)
    return Image.fromarray((body + grain).clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


def patient_text(rng: random.Random) -> str:
    date = f"{rng.randint(1930, 2020)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    last, first = rng.sample(NAMES, 2)
    return rng.choice(
        (f"{last} {first}", f"{last}^{first}", f"ID {rng.randint(10**5, 10**8)}", f"DOB {date}", date.replace("-", "."),
         f"{last}, {first}  {date}", f"Acc: A{rng.randint(10**6, 10**7)}", rng.choice(HOSPITALS))
    )  # fmt: skip


def font(rng: random.Random, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    package = rng.choice(["", *FONTS])
    if not package:
        return ImageFont.load_default(size)
    (folder,) = find_spec(package).submodule_search_locations
    return ImageFont.truetype(next(Path(folder).rglob(FONTS[package])), size)


def drawn(rng: random.Random, text: str, size: int) -> Image.Image:
    """The text's letters as a mask; old devices' letters are made of square dots."""
    if size >= 20 and rng.random() < 0.2:
        dots = ImageFont.load_default_imagefont()
        letters = Image.new("L", [int(side) for side in dots.getbbox(text)[2:]])
        ImageDraw.Draw(letters).text((0, 0), text, fill=255, font=dots)
        return letters.resize([side * max(1, round(size / 11)) for side in letters.size], Image.Resampling.NEAREST)
    face = font(rng, size)
    left, top, right, bottom = face.getbbox(text)
    letters = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(letters).text((1 - left, 1 - top), text, fill=255, font=face)
    return letters


def burn(rng: random.Random, image: Image.Image, count: int = 6, sizes: tuple[int, int] = (10, 80)) -> list[Burned]:
    """Draws up to `count` texts into the image, nowhere two at one place, each to be told from its ground."""
    burned: list[Burned] = []
    for _ in range(count * 5):
        size = round(np.exp(rng.uniform(*np.log(sizes))))
        text, upwards = patient_text(rng), rng.random() < 0.2
        letters = drawn(rng, text, size)
        letters = letters.transpose(Image.Transpose.ROTATE_90) if upwards else letters
        room = image.width - letters.width - 8, image.height - letters.height - 8
        if min(room) < 8 or len(burned) == count:
            continue
        at = tuple(rng.choice((8, side, rng.randint(8, side))) for side in room)
        box = (*at, at[0] + letters.width, at[1] + letters.height)
        if any(box[0] < o[2] + 24 and o[0] < box[2] + 24 and box[1] < o[3] + 24 and o[1] < box[3] + 24
               for o in (other.box for other in burned)):  # fmt: skip
            continue
        ground = float(np.median(np.asarray(image.crop(box))))
        contrast = rng.choice((255, 120, 80, 50, 35))
        if rng.random() < 0.2:  # on a label of its own
            level = rng.choice((0, 40, 255))
            image.paste(level, (box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4))
            ground = level
        level = round(max(0, ground - contrast) if ground > 127 else min(255, ground + contrast))
        image.paste(level, box, letters)
        burned.append(Burned(text, box, size, upwards, int(abs(level - ground))))
    return burned


def close_up(image: Image.Image, burned: Burned) -> Image.Image:
    """The place of a text, upright and as large as Tesseract likes it, whatever is there."""
    left, top, right, bottom = burned.box
    margin = max(6, burned.size // 3)
    crop = image.crop((left - margin, top - margin, right + margin, bottom + margin))
    crop = crop.transpose(Image.Transpose.ROTATE_270) if burned.upwards else crop
    scale = READ_HEIGHT / max(8, crop.height - 2 * margin)
    return crop.resize([max(16, round(side * scale)) for side in crop.size], Image.Resampling.BICUBIC)


def read(pictures: list[Image.Image], folder: Path) -> list[str]:
    """What Tesseract reads in each, as it is and with black and white exchanged."""
    both = [picture if sign else picture.point(lambda level: 255 - level) for picture in pictures for sign in (1, 0)]
    for number, picture in enumerate(both):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=0, dpi=(300, 300))
        (folder / f"{number}.png").write_bytes(buffer.getvalue())
    (folder / "list.txt").write_text("".join(f"{folder}/{number}.png\n" for number in range(len(both))))
    command = [TESSERACT, folder / "list.txt", "stdout", "--psm", "7", "-c", "page_separator=\f"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"OMP_THREAD_LIMIT": "1"})
    pages = done.stdout.split("\f")[: len(both)]
    assert len(pages) == len(both), f"Tesseract read {len(pages)} of {len(both)} pictures: {done.stderr[-500:]}"
    return [" ".join(pages[at : at + 2]) for at in range(0, len(pages), 2)]


def is_readable(text: str, seen: str) -> bool:
    """Whether any word of a text, or four letters of it in a row, can be found in what was read."""
    seen = seen.casefold()
    for word in text.casefold().replace("^", " ").split():
        if len(word) < 4:
            continue
        same = SequenceMatcher(None, word, seen, autojunk=False)
        if same.find_longest_match().size >= max(4, len(word) // 2):
            return True
    return False
