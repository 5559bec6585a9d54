# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m training --data <folder> --out <model.onnx>`: train, print how good it is, write one ONNX file."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from model_service.figures import Numbers
from model_service.measures import rejected_rate
from numpy.typing import NDArray
from PIL import Image

from . import fit, foreign, judge, views
from .changes import mixed, shifted, varied
from .checkpoint import CheckpointError, read_checkpoint, weights_file
from .data import LABELS, DataError, Sample, data_hash, read_samples
from .features import Extractor
from .graph import Head, ViewHead, feature_model, folded, pneumonia_model
from .judge import AS_IS, Candidate
from .pictures import Pictures, read_pictures
from .recipe import Recipe

TRAINER = "tuned-lite0/1"
FROZEN, MOSTLY, TUNED = "frozen", "mostly tuned", "tuned"
SHARE = 0.7  # of the way from frozen to tuned
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "xraylab-training"
FOREIGN_EACH = 200  # pictures of each foreign kind
TURNED = 1000  # chest X-rays of which inverted and turned ones are made


def main() -> int:
    arguments = read_arguments()
    try:
        report = train(arguments, Recipe())
    except (DataError, CheckpointError, ModuleNotFoundError) as error:
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
    parser.add_argument("--plots", type=Path, help="folder for the curves, as PNG")
    parser.add_argument("--foreign", type=Path, help="folder of pictures that are no X-rays, to judge the gate by")
    parser.add_argument("--cache", type=Path, default=CACHE, help="keeps decoded images and checkpoints: %(default)s")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="default: all")
    return parser.parse_args()


def train(arguments: argparse.Namespace, recipe: Recipe) -> dict[str, Any]:
    """Every figure. Each split, picture and step has a fixed seed."""
    from .tune import Batches, tune  # here: PyTorch takes seconds to import, which `--help` need not wait for

    cores, cache = arguments.cores, arguments.cache
    samples = read_samples(arguments.data)
    pictures = read_pictures(samples, cache, cores)
    seen = [row for row, sample in enumerate(samples) if not sample.held_out]
    say(f"{len(samples)} images, {len(seen)} of them to train on")

    frozen = fit_frozen(samples, pictures, [row for row in seen if not samples[row].adult], cores)
    batches = Batches([samples[row] for row in seen], [pictures.larger[row] for row in seen], recipe)
    tuned = tune(frozen.parameters, frozen.weights, frozen.bias, batches, cache)
    final = Candidate(tuned.net.parameters_for_graph(), *tuned.net.classifier_for_graph())
    candidates = {FROZEN: frozen, MOSTLY: frozen.between(final, SHARE), TUNED: final}

    rows = [row for row in judge.distinct(samples) if samples[row].held_out and not samples[row].adult]
    children = [samples[row] for row in rows]
    truth = np.array([sample.pneumonia for sample in children])
    logits = judge.compare(candidates, judge.test_sets(pictures, rows), truth, cores)
    chosen = judge.choose(logits, truth)
    say(f"chosen: {chosen}")
    candidate = candidates[chosen]
    head = judge.calibrate(candidate, logits[chosen], truth)

    view, threshold, gate = fit_gate(samples, pictures, candidate, cores, arguments.foreign)
    metadata = {
        "labels": ",".join(LABELS), "data": data_hash([samples[row] for row in seen]), "trainer": TRAINER,
        "input": "gray 0..255", "views": ",".join(view.names), "view_threshold": f"{threshold:.4f}",
    }  # fmt: skip
    model = pneumonia_model(candidate.parameters, head, view, metadata)
    arguments.out.write_bytes(model.SerializeToString())
    report = {
        "trainer": TRAINER,
        "chosen": chosen,
        "candidates": judge.comparison(logits, truth),
        "held out": held_out_figures(head, children, logits[chosen]),
        "adults held out": adult_figures(head, samples, pictures, candidate, cores),
        "gate": gate,
    }
    if arguments.plots:
        from .plots import draw

        draw(arguments.plots, tuned.curve, logits, truth, judge.cross_fitted(head, children, logits[chosen]))
    return report


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fit_frozen(samples: Sequence[Sample], pictures: Pictures, rows: Sequence[int], cores: int) -> Candidate:
    """The ImageNet weights with a linear classifier, fitted on each picture as it is and once varied."""
    parameters = folded(read_checkpoint(weights_file()))
    extractor = Extractor(feature_model(parameters).SerializeToString(), cores)
    changed = np.stack([judge.one_varied(pictures.larger[row], row) for row in rows])
    features = np.concatenate([extractor.extract(pictures.served[list(rows)]), extractor.extract(changed)])
    truth = np.array([samples[row].pneumonia for row in rows])
    return Candidate(parameters, *fit.fit_linear(features, np.concatenate([truth, truth])))


def held_out_figures(head: Head, samples: Sequence[Sample], logits: Mapping[str, Numbers]) -> dict[str, Any]:
    """By set, and by subgroup of the pictures as they are: each subgroup against all of the other label."""
    truth = np.array([sample.pneumonia for sample in samples])
    risks = judge.cross_fitted(head, samples, logits)
    told = judge.figures_by_set(samples, risks)
    groups = np.array([sample.subtype if sample.pneumonia else sample.family for sample in samples])
    for group in sorted(set(groups)):
        mine = (groups == group) | (truth != truth[groups == group][0])
        told[f"only {group}"] = judge.figures_of([s for s, m in zip(samples, mine, strict=True) if m], truth[mine],
                                           risks[AS_IS][mine])  # fmt: skip
    return told


def adult_figures(
    head: Head, samples: Sequence[Sample], pictures: Pictures, candidate: Candidate, cores: int
) -> dict[str, Any]:
    rows = [row for row, sample in enumerate(samples) if sample.adult and sample.held_out]
    adults = [samples[row] for row in rows]
    logits = candidate.logits(pictures.served[rows], cores)
    return judge.figures_of(adults, np.array([sample.pneumonia for sample in adults]), fit.risks_of(head, logits))


def fit_gate(
    samples: Sequence[Sample], pictures: Pictures, candidate: Candidate, cores: int, folder: Path | None
) -> tuple[ViewHead, float, dict[str, Any]]:
    """(classifier, least share of `frontal`, figures): of held-out patients, and of kinds that it was not shown."""
    extractor = Extractor(feature_model(candidate.parameters).SerializeToString(), cores)
    rows = judge.distinct(samples)
    upright = [pictures.larger[row] for row in rows]
    held = np.array([samples[row].held_out for row in rows])
    changed = np.stack([np.asarray(varied(Image.fromarray(one), np.random.default_rng([9, number])))
                        for number, one in enumerate(upright)])  # fmt: skip
    shown = {AS_IS: extractor.extract(pictures.served[rows]), "varied": extractor.extract(changed)}
    shown["mixed"] = extractor.extract(np.stack([shifted(one, mixed, 9) for one in upright]))
    every = np.arange(len(rows))[:: max(1, len(rows) // TURNED)]
    turned = {name: extractor.extract(views.chest_examples([upright[n] for n in every], name, 9).pixels)
              for name in views.NAMES[1:-1]}  # fmt: skip
    kinds = foreign.kinds([upright[n] for n in every])
    strange = views.foreign_examples(kinds, FOREIGN_EACH, 9)
    examples = views.GateExamples(shown, turned, extractor.extract(strange.pixels), strange.kinds, held, held[every])

    trial = examples.fit(~held)
    threshold = views.choose_threshold(examples.frontal_of_held_out(trial))
    patients = [samples[row].patient for row, out in zip(rows, held, strict=True) if out]
    figures = {
        "threshold": threshold,
        "false rejects": {
            name: rejected_rate(list(views.frontal(trial, some[held]) < threshold), patients)
            for name, some in shown.items()
        },
        "caught": {name: caught(trial, some[held[every]], threshold) for name, some in turned.items()},
        "caught, kind never shown": examples.caught_unshown(threshold),
    }
    if folder:
        pixels = np.stack([views.to_input(gray) for gray in foreign.photographs(folder)])
        figures["caught, photographs of another source"] = caught(trial, extractor.extract(pixels), threshold)
    return examples.fit(np.full(len(held), True)), threshold, figures


def caught(head: ViewHead, features: NDArray[np.float32], threshold: float) -> list[float]:
    """[share, number]"""
    return [round(float((views.frontal(head, features) < threshold).mean()), 4), len(features)]


if __name__ == "__main__":
    sys.exit(main())
