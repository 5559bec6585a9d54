# SPDX-License-Identifier: GPL-3.0-or-later
"""The ONNX model, loaded once, and the label that its score means. Knows nothing of events or stores."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .images import SIDE

OUTPUTS = ("prob", "heat", "view")


class ModelError(Exception):
    """The file is no model of ours; the text says what is expected of it."""


@dataclass(frozen=True)
class Thresholds:
    """The original demo's rule: above `pneumonia` Pneumonia, below `normal` Normal, else Unsure."""

    pneumonia: float = 0.80
    normal: float = 0.60

    def label(self, risk: float) -> str:
        if risk > self.pneumonia:
            return "Pneumonia"
        return "Normal" if risk < self.normal else "Unsure"


@dataclass(frozen=True)
class Scores:
    """What the model says of an image.

    `risk` is the calibrated probability of pneumonia, `heat` (7, 7) what each part of the image adds to its logit,
    `views` the probability of each kind of picture; the first kind is an upright frontal chest X-ray.
    """

    risk: float
    heat: NDArray[np.float32]
    views: dict[str, float]
    version: str = ""  # of the model that said it


class Model:
    """Scores one prepared image at a time; may be called from several threads at once."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Raises ModelError."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads burn the CPU quota of a container while they wait.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            content = path.read_bytes()
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from None
        except Exception as error:  # onnxruntime's exceptions have no common base but this
            raise ModelError(f"{path} is no ONNX model that onnxruntime loads: {str(error)[:200]}") from None
        self.version = self.known_version = hashlib.sha256(content).hexdigest()[:12]
        self.views, self.view_threshold = self.read_metadata(path)

    def read_metadata(self, path: Path) -> tuple[tuple[str, ...], float]:
        """(kinds of picture, least probability of the first that is scored). Raises ModelError."""
        outputs = {output.name: output.shape for output in self.session.get_outputs()}
        told = self.session.get_modelmeta().custom_metadata_map
        if missing := [name for name in OUTPUTS if name not in outputs]:
            raise ModelError(f"{path} has no output {', '.join(missing)}: expected {', '.join(OUTPUTS)}")
        views = tuple(told.get("views", "").split(","))
        if len(views) != outputs["view"][-1]:
            raise ModelError(f"{path}: expected {outputs['view'][-1]} names in its metadata `views`, got {views}")
        try:
            return views, float(told["view_threshold"])
        except (KeyError, ValueError):
            raise ModelError(f"{path}: expected a number in its metadata `view_threshold`") from None

    def check(self) -> None:
        """Nothing can be missing: it is loaded."""

    def warm(self) -> None:
        self.scores(np.zeros((1, 1, SIDE, SIDE), np.float32))

    def scores(self, pixels: NDArray[np.float32]) -> Scores:
        """For an input of shape (1, 1, 224, 224), gray levels 0..255."""
        risk, heat, views = self.session.run(OUTPUTS, {"gray": pixels})
        kinds = dict(zip(self.views, views[0].tolist(), strict=True))
        return Scores(float(risk.item()), heat[0], kinds, self.version)
