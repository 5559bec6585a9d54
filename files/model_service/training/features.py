# SPDX-License-Identifier: GPL-3.0-or-later
"""The backbone's 1280 numbers for each image, as it is and disturbed; kept on disk, because they take minutes."""

import hashlib
import io
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from model_service import images
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .data import Sample

Features = NDArray[np.float32]  # (images, 1280)
Change = Callable[[Image.Image, np.random.Generator], Image.Image]
MAX_PIXELS = 100_000_000


def unchanged(gray: Image.Image, dice: np.random.Generator) -> Image.Image:
    return gray


def disturbed(gray: Image.Image, dice: np.random.Generator) -> Image.Image:
    """The image as another machine, resize or export might have left it: what must not sway the diagnosis."""
    width, height = gray.size
    left, top, right, bottom = dice.uniform(0, 0.08, 4) * (width, height, width, height)
    gray = gray.crop((int(left), int(top), int(width - right), int(height - bottom)))
    if dice.random() < 0.5:
        gray = gray.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = int(dice.uniform(120, 400))
    gray = gray.resize((side, side), Image.Resampling(int(dice.integers(1, 4))))
    gamma, contrast, brightness = np.exp(dice.uniform(-0.4, 0.4)), dice.uniform(0.75, 1.25), dice.uniform(-25, 25)
    levels = (255 * (np.arange(256) / 255) ** gamma - 128) * contrast + 128 + brightness
    gray = gray.point(np.clip(levels, 0, 255).astype(int).tolist())
    if dice.random() < 0.3:
        gray = gray.filter(ImageFilter.GaussianBlur(dice.uniform(0.4, 1.2)))
    buffer = io.BytesIO()
    gray.save(buffer, "JPEG", quality=int(dice.integers(40, 96)))
    return Image.open(buffer)


class Extractor:
    """Runs the backbone over files, on every core. The same file and seed give the same numbers."""

    def __init__(self, backbone: bytes, cache: Path, cores: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(backbone, options, providers=["CPUExecutionProvider"])
        code = Path(images.__file__).read_bytes() + Path(__file__).read_bytes()
        self.key = hashlib.sha256(backbone + code).hexdigest()
        self.cache = cache
        self.cores = cores

    def extract(self, samples: Sequence[Sample], change: Change, seed: int) -> Features:
        """(len(samples), 1280), from the cache where it holds exactly these."""
        parts = [self.key, change.__name__, str(seed), *(sample.sha256 for sample in samples)]
        kept = self.cache / f"{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:24]}.npy"
        if kept.exists():
            return np.load(kept)
        start, rows = time.monotonic(), []
        with ThreadPoolExecutor(self.cores) as pool:
            for row in pool.map(lambda sample: self.row(sample, change, seed), samples):
                rows.append(row)
                if len(rows) % 200 == 0 or len(rows) == len(samples):
                    rate = len(rows) / (time.monotonic() - start)
                    print(f"  {change.__name__}: {len(rows)} of {len(samples)}, {rate:.0f} images/s", file=sys.stderr)
        self.cache.mkdir(parents=True, exist_ok=True)
        np.save(kept, features := np.stack(rows))
        return features

    def row(self, sample: Sample, change: Change, seed: int) -> NDArray[np.float32]:
        dice = np.random.default_rng([seed, int(sample.sha256[:8], 16)])
        gray = change(images.decode(sample.file.read_bytes(), MAX_PIXELS), dice)
        return self.session.run(["features"], {"gray": images.model_input(gray)})[0][0]
