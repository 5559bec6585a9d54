# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model_service assess FILES`: what the service would say of X-rays on disk. Stores heat maps at most."""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .errors import Refused
from .explain import explained
from .finding import Finder
from .local_files import load_finder, read_xray
from .settings import FindingSettings, SettingsError, read_settings

EPILOG = "Thresholds and limits are those of the service: RISK_ASSESSMENT_THRESHOLD_NORMAL and so on."


@dataclass(frozen=True)
class Row:
    """A line of the table; `outcome` is assessed, rejected or unreadable."""

    file: Path
    label: str
    risk: str
    outcome: str
    reason: str = ""


def main(arguments: Sequence[str]) -> int:
    asked = read_arguments(arguments)
    try:
        settings = read_settings(os.environ, FindingSettings)
        finder = load_finder(settings)
        if asked.heatmaps:
            asked.heatmaps.mkdir(parents=True, exist_ok=True)
    except SettingsError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"--heatmaps: cannot make the folder {asked.heatmaps}: {error.strerror}.")
    targets = heat_map_files(asked.files, asked.heatmaps)
    with ThreadPoolExecutor(settings.workers) as pool:
        rows = list(pool.map(lambda file: assess(file, targets.get(file), finder, settings), asked.files))
    print(table(rows, finder.model.version))
    return 1 if any(row.outcome == "unreadable" for row in rows) else 0


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model_service assess", description="Score X-rays on disk: a table.", epilog=EPILOG
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JPEG, PNG, TIFF or DICOM")
    parser.add_argument("--heatmaps", type=Path, metavar="FOLDER", help="also draw there what drove each score")
    return parser.parse_args(arguments)


def fail(text: str) -> int:
    print(f"assess: {text}", file=sys.stderr)
    return 2


def heat_map_files(files: Sequence[Path], folder: Path | None) -> dict[Path, Path]:
    """Where each file's heat map goes; a number tells apart what has the same name in different folders."""
    targets: dict[Path, Path] = {}
    for file in files if folder else []:
        number, taken = 1, set(targets.values())
        target = folder / f"{file.name}-heatmap.png"
        while target in taken:
            number += 1
            target = folder / f"{file.name}-{number}-heatmap.png"
        targets.setdefault(file, target)
    return targets


def assess(file: Path, target: Path | None, finder: Finder, settings: FindingSettings) -> Row:
    try:
        xray = read_xray(file, settings)
        finding = finder.find(xray)
        if target and finding.scores and finding.label:
            explained(xray.gray, finding.scores.heat).save(target)
    except Refused as error:
        return Row(file, "-", "-", "unreadable", str(error))
    except OSError as error:
        return Row(file, "-", "-", "unreadable", f"Cannot write the heat map {target}: {error.strerror}.")
    risk = "-" if finding.risk is None else f"{finding.risk:.3f}"
    return Row(file, finding.label or "-", risk, finding.outcome, " ".join(finding.reasons))


def table(rows: Sequence[Row], version: str) -> str:
    width = max(4, *(len(str(row.file)) for row in rows))
    lines = [f"{'file':<{width}}  {'label':<9}  {'risk':>5}  outcome"]
    for row in rows:
        outcome = f"{row.outcome}: {row.reason}" if row.reason else row.outcome
        lines.append(f"{row.file!s:<{width}}  {row.label:<9}  {row.risk:>5}  {outcome}")
    return "\n".join([*lines, f"model {version}. Not a medical device."])
