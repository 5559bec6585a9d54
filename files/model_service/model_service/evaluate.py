# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model_service evaluate`: how good the model is on a labelled folder, decoded and scored as in service."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import images
from .errors import Refused
from .figures import Numbers, Truth
from .finding import Finder
from .local_files import load_finder, read_xray
from .manifest import LABELS, Labelled, ManifestError, read_manifest
from .measures import Figures, measure, rejected_rate
from .settings import FindingSettings, SettingsError, read_settings

EPILOG = "Thresholds and limits are those of the service: RISK_ASSESSMENT_THRESHOLD_NORMAL and so on."


@dataclass(frozen=True)
class Scored:
    """`risk` is told of what was rejected as well; None of what cannot be read, and then `reasons` says why."""

    image: Labelled
    risk: float | None
    assigned: str | None
    outcome: str
    reasons: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        return {
            "file": self.image.file,
            "label": self.image.label,
            "patient": self.image.patient or None,
            "risk": None if self.risk is None else round(self.risk, 6),
            "assigned": self.assigned,
            "outcome": self.outcome,
            "reasons": self.reasons,
        }


def main(arguments: Sequence[str]) -> int:
    asked = read_arguments(arguments)
    try:
        settings = read_settings(os.environ, FindingSettings)
        manifest = read_manifest(asked.manifest)
        check_folders(asked)
        finder = load_finder(settings)
    except (SettingsError, ManifestError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(settings.workers) as pool:
        scored = list(pool.map(lambda image: score(image, asked.images, finder, settings), manifest))
    report = make_report(scored, finder)
    print(table(report))
    if asked.report:
        asked.report.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return draw(scored, finder, asked.plots) if asked.plots else 0


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model_service evaluate", description="Measure the model on a labelled folder.", epilog=EPILOG
    )
    parser.add_argument(
        "--manifest", type=Path, required=True, metavar="CSV",
        help=f"columns file (relative to --images), label ({' or '.join(LABELS)}) and, optionally, patient",
    )  # fmt: skip
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="where the files are")
    parser.add_argument("--report", type=Path, metavar="JSON", help="write every figure and every file's score there")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw curves there (requirements-evaluate.txt)")
    return parser.parse_args(arguments)


def check_folders(asked: argparse.Namespace) -> None:
    """Before an hour of work. Raises ManifestError."""
    if not asked.images.is_dir():
        raise ManifestError(f"--images: expected a folder, but {asked.images} is none.")
    try:
        if asked.report:
            asked.report.parent.mkdir(parents=True, exist_ok=True)
            asked.report.touch()
        if asked.plots:
            asked.plots.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ManifestError(f"Cannot write {error.filename}: {error.strerror}.") from None


def score(image: Labelled, folder: Path, finder: Finder, settings: FindingSettings) -> Scored:
    try:
        xray = read_xray(folder / image.file, settings)
    except Refused as error:
        return Scored(image, None, None, "unreadable", (str(error),))
    finding = finder.find(xray)
    scores = finding.scores or finder.model.scores(images.model_input(xray.gray))
    return Scored(image, scores.risk, finding.label, finding.outcome, finding.reasons)


def make_report(scored: Sequence[Scored], finder: Finder) -> dict[str, Any]:
    readable = [one for one in scored if one.risk is not None]
    assessed = [one for one in readable if one.outcome == "assessed"]
    return {
        "model_version": finder.model.version,
        "thresholds": {"pneumonia": finder.thresholds.pneumonia, "normal": finder.thresholds.normal},
        "view_threshold": finder.view_threshold,
        "counts": {
            "files": len(scored),
            "unreadable": len(scored) - len(readable),
            "rejected": len(readable) - len(assessed),
            "assessed": len(assessed),
            "pneumonia": sum(one.image.pneumonia for one in assessed),
            "patients": len(set(patients(assessed))),
        },
        "rejected_rate": rejected_rate([one.outcome == "rejected" for one in readable], patients(readable)),
        "figures": figures_of(assessed, finder),
        "figures_with_rejected": figures_of(readable, finder),
        "unreadable": [one.told() for one in scored if one.risk is None],
        "files": [one.told() for one in scored],
    }


def patients(scored: Sequence[Scored]) -> list[str]:
    return [f"p:{one.image.patient}" if one.image.patient else f"f:{one.image.file}" for one in scored]


def arrays(scored: Sequence[Scored]) -> tuple[Truth, Numbers]:
    return np.array([int(one.image.pneumonia) for one in scored]), np.array([one.risk for one in scored], float)


def figures_of(scored: Sequence[Scored], finder: Finder) -> Figures:
    return measure(*arrays(scored), patients(scored), finder.thresholds)


def table(report: dict[str, Any]) -> str:
    counts = report["counts"]
    lines = [
        f"model {report['model_version']}, {counts['files']} files: {counts['assessed']} assessed "
        f"({counts['pneumonia']} PNEUMONIA, {counts['patients']} patients), {counts['rejected']} rejected, "
        f"{counts['unreadable']} unreadable",
        "",
        f"{'figure':<24}  {'rejected left out':<26}  every readable file",
    ]
    for name in report["figures"]:
        both = (shown(report[part][name]) for part in ("figures", "figures_with_rejected"))
        lines.append("{:<24}  {:<26}  {}".format(name, *both))
    lines.append(f"{'rejected_rate':<24}  {'':<26}  {shown(report['rejected_rate'])}")
    lines += [f"unreadable: {one['file']}: {' '.join(one['reasons'])}" for one in report["unreadable"]]
    return "\n".join([*lines, "", "Intervals: 95 %, patients drawn with replacement. Not a medical device."])


def shown(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    low, high = figure["interval"] or (None, None)
    return f"{figure['value']:.4f}" + ("" if low is None else f" [{low:.4f}-{high:.4f}]")


def draw(scored: Sequence[Scored], finder: Finder, folder: Path) -> int:
    try:
        from .plots import draw_all
    except ImportError as error:
        print(
            f"evaluate: --plots needs matplotlib, which cannot be imported here ({error}): "
            "pip install -r requirements-evaluate.txt. All figures are told above.",
            file=sys.stderr,
        )
        return 1
    truth, risks = arrays([one for one in scored if one.outcome == "assessed"])
    if not 0 < truth.sum() < len(truth):
        print("evaluate: no plots, they need assessed images of both labels.", file=sys.stderr)
        return 1
    for path in draw_all(truth, risks, finder.thresholds, finder.model.version, folder):
        print(f"drawn: {path}")
    return 0
