# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the results of a study are stored. Outside the source bucket no name tells whose X-ray it is, by default.

The playbooks' study_upload computes the same names: plugins/module_utils/_studies.py.
"""

import re
from dataclasses import dataclass

from .errors import Refused
from .events import Study
from .pseudonyms import Pseudonyms

SHOWN = ("jpg", "jpeg", "png")  # by every browser
MADE_PNG = ("dcm", "dicom", "ima", "tif", "tiff")
# demo_Barbara Campbell_5798_1962-07-16_2016-11-07.jpeg: what, name, number, date of birth, date of the X-ray.
FIVE_FIELDS = re.compile(r"[^_/]+_[^_/]+_[^_/]+_\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d\.[^_./]+")
NO_DATE = "1900-01-01"


@dataclass(frozen=True)
class Place:
    """Keys in the bucket of results, and the bucket of de-identified copies. `image` is the study's public name."""

    image: str
    bucket: str
    processed: str
    heatmap: str
    copies: str

    @property
    def record(self) -> str:
        return f"{self.processed}.json"


@dataclass(frozen=True)
class Names:
    """`grammar` is pseudonymous, or original: the source's own name, as the original demo has it."""

    pseudonyms: Pseudonyms
    grammar: str
    processed_suffix: str
    anonymized_suffix: str

    def place(self, study: Study) -> Place:
        """Raises Refused for what is no source, TryLater without a key for pseudonyms."""
        if study.bucket.endswith((self.processed_suffix, self.anonymized_suffix)):
            raise Refused("This bucket holds the function's own results: they must not be announced to it.")
        image = self.pseudonyms.name("image", study.bucket, study.key)
        original = self.grammar == "original"
        return Place(
            image=image,
            bucket=study.bucket + self.processed_suffix,
            processed=original_key(study.key) if original else f"{image}-processed.{shown_extension(study.key)}",
            heatmap=f"{study.key if original else image}-heatmap.png",
            copies=study.bucket + self.anonymized_suffix,
        )

    def copy_key(self, study: Study, key: str) -> str:
        """Where the copy `<patient>-<image>.<ext>` goes: for an X-ray named in the original's grammar, that again.

        Programs that read the five fields find pseudonyms for name and number, and no date that is the patient's.
        """
        if self.grammar != "original" or not FIVE_FIELDS.fullmatch(study.key.rpartition("/")[2]):
            return key
        stem, _, extension = key.rpartition(".")
        patient, _, image = stem.rpartition("-")
        return f"demo_{patient or image}_{image}_{NO_DATE}_{NO_DATE}.{extension}"


def shown_extension(key: str) -> str:
    """The key's own if browsers show it, else png. Any other ending could be a part of somebody's name."""
    extension = key.rpartition(".")[2].lower()
    return extension if extension in SHOWN else "png"


def original_key(key: str) -> str:
    """`<stem>-processed.<ext>` in the same folder: `ward 3/a.b.jpeg` becomes `ward 3/a.b-processed.jpeg`.

    What browsers cannot show is stored as PNG, and says so behind its own extension, so that `a.dcm` and `a.png`
    do not meet: `a-processed.dcm.png`.
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    shown = ".png" if extension.lower() in MADE_PNG else ""
    return f"{folder}{slash}{stem}-processed{dot}{extension}{shown}"
