# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's own X-rays on top of a model that is there: a new last layer and a new calibration. Needs no PyTorch.

The backbone stays, and with it the quality gate. What is kept is chosen as the trainer chooses, by patients that were
not trained on: the last layer that was there wins unless another is better.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from model_service.figures import Numbers
from numpy.typing import NDArray
from onnx import numpy_helper

from . import fit, judge
from .data import LABELS, DataError, Sample, data_hash
from .features import Extractor
from .graph import LAST, STEM, Head, ViewHead, blocks, feature_model, pneumonia_model
from .judge import AS_IS, Candidate
from .pictures import Pictures

TRAINER = "last-layer/1"
AS_IT_WAS, HALFWAY, REFITTED = "as it was", "halfway", "refitted"
LEAST = 50  # held-out patients of each label: with fewer, an interval of 95 % is wider than what it is to tell apart


@dataclass(frozen=True)
class Present:
    """A model that graph.py wrote, in its parts."""

    candidate: Candidate
    head: Head
    view: ViewHead
    metadata: dict[str, str]


@dataclass(frozen=True)
class Retrained:
    """An ONNX file and what is known of it."""

    model: bytes
    report: dict[str, Any]


def read_model(path: Path) -> Present:
    """Raises DataError for a file of another make."""
    model = onnx.load(path)
    nodes = model.graph.node
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    layers = [STEM, *(layer for block in blocks() for layer in block.layers), LAST]
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    linear = [[constants[name] for name in node.input[1:]] for node in nodes if node.op_type == "Gemm"]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if len(convolutions) != len(layers) + 1 or len(linear) != 2 or "views" not in metadata:
        raise DataError(f"{path} was not written by this trainer: expected {len(layers) + 1} convolutions, two heads.")
    parameters = {
        f"{layer.name}.{part}": constants[name]
        for layer, node in zip(layers, convolutions, strict=False)
        for part, name in zip(("weight", "bias"), node.input[1:], strict=True)
    }
    (weights, bias), (kinds, kinds_bias) = linear
    slope = next(node for node in nodes if node.input[0] == "logit")
    offset = next(node for node in nodes if node.input[0] == slope.output[0])
    platt = (float(constants[node.input[1]]) for node in (slope, offset))
    head = Head(weights[:, 0].astype(np.float64), float(bias[0]), *platt)
    view = ViewHead(tuple(metadata["views"].split(",")), kinds, kinds_bias)
    return Present(Candidate(parameters, head.weights, head.bias), head, view, metadata)


def read_labels(table: Path, images: Path) -> list[Sample]:
    """Of a CSV with columns file and label and, optionally, patient. Each picture once. Raises DataError.

    A de-identified copy's name begins with its patient's pseudonym, which keeps a patient on one side of the split.
    """
    found: dict[str, Sample] = {}
    with table.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            if row.get("label") not in LABELS or not row.get("file"):
                raise DataError(f"{table}, line {number}: expected file and label ({' or '.join(LABELS)}), got {row}.")
            path = images / row["file"]
            if not path.is_file():
                raise DataError(f"{table}, line {number}: there is no {path}.")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            patient = row.get("patient") or path.stem.partition("-")[0]
            found.setdefault(digest, Sample(path, digest, LABELS.index(row["label"]), patient, "site"))
    return list(found.values())


def check(samples: Sequence[Sample], least: int) -> None:
    """Raises DataError where figures would tell nothing."""
    for held, side in ((True, "held out"), (False, "to train on")):
        for label, word in enumerate(LABELS):
            patients = {s.patient for s in samples if s.held_out == held and s.pneumonia == label}
            if len(patients) < least:
                raise DataError(f"Expected at least {least} patients with {word} {side}, got {len(patients)}.")


def retrain(
    present: Present, samples: Sequence[Sample], pictures: Pictures, cores: int, least: int = LEAST
) -> Retrained:
    """Raises DataError."""
    check(samples, least)
    extractor = Extractor(feature_model(present.candidate.parameters).SerializeToString(), cores)
    candidates = candidates_of(present.candidate, extractor, samples, pictures)
    rows = [row for row in judge.distinct(samples) if samples[row].held_out]
    held = [samples[row] for row in rows]
    truth = np.array([sample.pneumonia for sample in held])
    sets = {name: extractor.extract(pixels) for name, pixels in judge.test_sets(pictures, rows).items()}
    logits = {name: {title: logits_of(one, features) for title, features in sets.items()}
              for name, one in candidates.items()}  # fmt: skip
    chosen = judge.choose(logits, truth)
    head = judge.calibrate(candidates[chosen], logits[chosen], truth)
    seen = [sample for sample in samples if not sample.held_out]
    metadata = present.metadata | {"trainer": TRAINER, "data": data_hash(seen), "chosen": chosen}
    model = pneumonia_model(present.candidate.parameters, head, present.view, metadata)
    report = {
        "trainer": TRAINER,
        "chosen": chosen,
        "images": {"trained on": len(seen), "held out": len(held)},
        "candidates": judge.comparison(logits, truth),
        "held out": judge.figures_by_set(held, judge.cross_fitted(head, held, logits[chosen])),
        "before": judge.figures_of(held, truth, fit.risks_of(present.head, logits[AS_IT_WAS][AS_IS])),
    }
    return Retrained(model.SerializeToString(), report)


def candidates_of(
    there: Candidate, extractor: Extractor, samples: Sequence[Sample], pictures: Pictures
) -> dict[str, Candidate]:
    """What may become the last layer, the least changed one first. Fitted on each picture as it is and once varied."""
    rows = [row for row, sample in enumerate(samples) if not sample.held_out]
    truth = np.array([samples[row].pneumonia for row in rows])
    changed = np.stack([judge.one_varied(pictures.larger[row], row) for row in rows])
    features = np.concatenate([extractor.extract(pictures.served[rows]), extractor.extract(changed)])
    refitted = Candidate(there.parameters, *fit.fit_linear(features, np.concatenate([truth, truth])))
    return {AS_IT_WAS: there, HALFWAY: there.between(refitted, 0.5), REFITTED: refitted}


def logits_of(candidate: Candidate, features: NDArray[np.float32]) -> Numbers:
    return features.astype(np.float64) @ candidate.weights + candidate.bias
