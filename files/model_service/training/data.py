# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images are trained on and which patients belong together. Reads the manifest, not a single pixel."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TRAINED_ON = ("kermany224", "kermany_full")
LABELS = ("NORMAL", "PNEUMONIA")


class DataError(Exception):
    """The data folder is not what the trainer expects."""


@dataclass(frozen=True)
class Sample:
    """One image: `pneumonia` 0 or 1; `patient` groups the images that must stay on one side of a split."""

    file: Path
    sha256: str
    pneumonia: int
    patient: str
    dataset: str
    subtype: str = ""

    @property
    def family(self) -> str:
        """The start of a normal patient's name (IM, NORMAL2), a stand-in for the batch that a picture came from."""
        return self.patient.partition("-")[0]

    @property
    def adult(self) -> bool:
        return self.dataset not in TRAINED_ON

    @property
    def held_out(self) -> bool:
        """True for about one patient in seven: never trained on, so that figures and calibration are of the unseen."""
        return hashlib.sha256(f"held out {self.patient}".encode()).digest()[0] < 38

    @property
    def in_a_half(self) -> bool:
        """True for one in two patients, always the same ones."""
        return hashlib.sha256(self.patient.encode()).digest()[0] % 2 == 0


def read_samples(folder: Path) -> list[Sample]:
    """Every image of the manifest once: exact copies of an earlier one are left out. Raises DataError."""
    manifest = folder / "manifest.csv"
    if not manifest.exists():
        raise DataError(f"Expected a manifest at {manifest} with columns file, sha256, label, patient, dataset.")
    with manifest.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in LABELS]
    unique = {row["sha256"]: row for row in reversed(rows)}
    return [
        Sample(
            file=folder / row["file"],
            sha256=row["sha256"],
            pneumonia=LABELS.index(row["label"]),
            patient=row["patient"] or row["sha256"],
            dataset=row["dataset"],
            subtype=row.get("subtype", ""),
        )
        for row in reversed(unique.values())
    ]


def data_hash(samples: Sequence[Sample]) -> str:
    """Names the training data in the model's metadata: changes with any image, label or patient."""
    lines = sorted(f"{sample.sha256} {sample.pneumonia} {sample.patient}" for sample in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
