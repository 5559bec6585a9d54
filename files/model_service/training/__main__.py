# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m training --data <folder> --out <model.onnx>`: train, print how good it is, write one ONNX file."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import fit
from .checkpoint import CheckpointError, read_checkpoint, weights_file
from .data import LABELS, TRAINED_ON, DataError, Sample, data_hash, read_samples
from .features import Extractor, disturbed, unchanged
from .figures import Numbers, describe
from .graph import feature_model, pneumonia_model

TRAINER = "frozen-lite0-logistic/1"
THRESHOLD = 0.60  # from here on a study is Unsure or Pneumonia
FAMILIES = ("IM", "NORMAL2")  # of file names of normal images
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "xraylab-training"


def main() -> int:
    arguments = read_arguments()
    try:
        report = train(arguments.data, arguments.out, arguments.cache, arguments.cores)
    except (DataError, CheckpointError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.report:
        arguments.report.write_text(text + "\n")
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train the pneumonia model.")
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the images it names")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--report", type=Path, help="also write the figures to this JSON file")
    parser.add_argument("--cache", type=Path, default=CACHE, help="keeps extracted features (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="default: all")
    return parser.parse_args()


def train(folder: Path, out: Path, cache: Path, cores: int) -> dict[str, object]:
    """Figures by population. Every split and every disturbance has a fixed seed."""
    samples = read_samples(folder)
    trained = [sample for sample in samples if sample.dataset in TRAINED_ON]
    parameters = read_checkpoint(weights_file())
    extractor = Extractor(feature_model(parameters).SerializeToString(), cache, cores)
    plain, changed = (extractor.extract(trained, change, seed=0) for change in (unchanged, disturbed))
    truth = np.array([sample.pneumonia for sample in trained])
    logits = fit.unseen_logits(plain, changed, truth, [sample.patient for sample in trained])
    head = fit.fit_head(plain, changed, truth, logits)

    report = {
        "unseen patients": judge(head, trained, logits[0]),
        "unseen patients, disturbed": judge(head, trained, logits[1]),
    }
    for family in FAMILIES:
        held = np.array([sample.in_a_third if sample.pneumonia else sample.family == family for sample in trained])
        part = [sample for sample, out_of_fit in zip(trained, held, strict=True) if out_of_fit]
        report[f"unseen family {family}"] = judge(head, part, fit.logits_without(plain, changed, truth, held))
    adults = [sample for sample in samples if sample.dataset == "nih_talo"]
    report["adults (NIH)"] = judge(head, adults, extractor.extract(adults, unchanged, 0) @ head.weights + head.bias)

    metadata = {"labels": ",".join(LABELS), "data": data_hash(trained), "trainer": TRAINER, "input": "gray 0..255"}
    out.write_bytes(pneumonia_model(parameters, head, metadata).SerializeToString())
    return report


def judge(head: fit.Head, samples: Sequence[Sample], logits: Numbers) -> dict[str, object]:
    truth = np.array([sample.pneumonia for sample in samples])
    return describe(truth, fit.risks_of(head, logits), [sample.patient for sample in samples], THRESHOLD)


if __name__ == "__main__":
    sys.exit(main())
