# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a folder have which label: a CSV file with columns file, label and, optionally, patient."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

LABELS = ("NORMAL", "PNEUMONIA")
SHOWN_MISTAKES = 10


class ManifestError(Exception):
    """The text says which lines are wrong, and what was expected there."""


@dataclass(frozen=True)
class Labelled:
    """`patient` groups the images that depend on each other; without one every image counts by itself."""

    file: str
    label: str
    patient: str

    @property
    def pneumonia(self) -> bool:
        return self.label == "PNEUMONIA"


def read_manifest(path: Path) -> list[Labelled]:
    """Raises ManifestError with the first wrong lines, once it has read all of them."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(read_lines(path, csv.DictReader(file)))
    except OSError as error:
        raise ManifestError(f"Cannot read the manifest {path}: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"Expected the manifest {path} to be CSV in UTF-8, but: {error}.") from None


def read_lines(path: Path, reader: "csv.DictReader[str]") -> Iterator[Labelled]:
    columns = reader.fieldnames or []
    if missing := [name for name in ("file", "label") if name not in columns]:
        seen = ", ".join(columns) or "nothing"
        raise ManifestError(
            f"{path}, line 1: expected a header with the columns file, label and, optionally, patient; "
            f"{' and '.join(missing)} missing, got {seen[:200]}."
        )
    mistakes, lines = [], {}
    for row in reader:
        one = Labelled(*((row.get(name) or "").strip() for name in ("file", "label", "patient")))
        mistake = mistake_of(one, lines)
        if mistake:
            mistakes.append(f"line {reader.line_num}: {mistake}")
        lines.setdefault(one.file, reader.line_num)
        yield one
    if not lines:
        raise ManifestError(f"{path} lists no file: expected a line for each image below its header.")
    if mistakes:
        more = f"\n... and {len(mistakes) - SHOWN_MISTAKES} more" if len(mistakes) > SHOWN_MISTAKES else ""
        raise ManifestError(f"{path} has {len(mistakes)} wrong lines:\n" + "\n".join(mistakes[:SHOWN_MISTAKES]) + more)


def mistake_of(one: Labelled, lines: dict[str, int]) -> str:
    if not one.file:
        return "expected a file's name in column file, got nothing"
    if PurePath(one.file).is_absolute():
        return f"expected a path relative to the folder of images, got {one.file!r}"
    if one.label not in LABELS:
        return f"expected label {' or '.join(LABELS)}, got {one.label!r} for {one.file!r}"
    return f"{one.file!r} was in line {lines[one.file]} already: expected each file once" if one.file in lines else ""
