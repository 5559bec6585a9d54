# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the data folder as arrays, decoded once and kept on disk: as the service sees them, and larger."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from model_service import images
from numpy.typing import NDArray
from PIL import Image

from .data import Sample

MAX_PIXELS = 100_000_000
LARGEST = 512

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """`served`: (n, 224, 224), exactly the service's input; `larger`: up to 512 pixels a side, to be varied."""

    served: Pixels
    larger: list[Pixels]

    def __len__(self) -> int:
        return len(self.larger)


def read_pictures(samples: Sequence[Sample], cache: Path, cores: int) -> Pictures:
    code = Path(images.__file__).read_bytes() + Path(__file__).read_bytes()
    names = " ".join(sample.sha256 for sample in samples).encode()
    kept = cache / f"pictures-{hashlib.sha256(code + names).hexdigest()[:24]}.npz"
    if not kept.exists():
        with ThreadPoolExecutor(cores) as pool:
            served, larger = zip(*pool.map(lambda sample: both(sample.file), samples), strict=True)
        sizes = np.array([picture.shape for picture in larger])
        cache.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        np.savez(part, served=np.stack(served), larger=np.concatenate([p.ravel() for p in larger]), sizes=sizes)
        part.rename(kept)
    with np.load(kept) as arrays:
        sizes, flat = arrays["sizes"], arrays["larger"]
        ends = np.cumsum(sizes.prod(1))
        larger = [part.reshape(size) for part, size in zip(np.split(flat, ends[:-1]), sizes, strict=True)]
        return Pictures(arrays["served"], larger)


def both(file: Path) -> tuple[Pixels, Pixels]:
    gray = images.decode(file.read_bytes(), MAX_PIXELS)
    served = images.model_input(gray)[0, 0].astype(np.uint8)
    gray.thumbnail((LARGEST, LARGEST), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return served, np.asarray(gray)
