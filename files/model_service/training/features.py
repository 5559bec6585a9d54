# SPDX-License-Identifier: GPL-3.0-or-later
"""The backbone's 1280 numbers for each picture, on every core."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .pictures import Pixels

Features = NDArray[np.float32]  # (pictures, 1280)
BATCH = 16


class Extractor:
    def __init__(self, backbone: bytes, cores: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(backbone, options, providers=["CPUExecutionProvider"])
        self.cores = cores

    def extract(self, pixels: Pixels) -> Features:
        """(n, 1280) of (n, 224, 224)."""
        batches = np.array_split(pixels, max(1, -(-len(pixels) // BATCH)))
        with ThreadPoolExecutor(self.cores) as pool:
            return np.concatenate(list(pool.map(self.rows, batches)))

    def rows(self, pixels: Pixels) -> Features:
        return self.session.run(["features"], {"gray": pixels[:, None].astype(np.float32)})[0]
