# SPDX-License-Identifier: GPL-3.0-or-later
"""The ONNX model, loaded once, and the label that its score means. Knows nothing of events or stores."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .images import SIDE


@dataclass(frozen=True)
class Thresholds:
    """The original demo's rule: above `pneumonia` Pneumonia, below `normal` Normal, else Unsure."""

    pneumonia: float = 0.80
    normal: float = 0.60

    def label(self, risk: float) -> str:
        if risk > self.pneumonia:
            return "Pneumonia"
        return "Normal" if risk < self.normal else "Unsure"


class Model:
    """Scores one prepared image at a time; may be called from several threads at once."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        content = path.read_bytes()
        self.version = hashlib.sha256(content).hexdigest()[:12]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads burn the CPU quota of a container while they wait.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def warm(self) -> None:
        self.risk(np.zeros((1, 1, SIDE, SIDE), np.float32))

    def risk(self, pixels: NDArray[np.float32]) -> float:
        """Calibrated probability of pneumonia for an input of shape (1, 1, 224, 224), gray levels 0..255."""
        return float(self.session.run(["prob"], {"gray": pixels})[0].item())
