# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is made of one X-ray by computing: finding, picture, heat map, de-identified copy. Asks nobody."""

from dataclasses import dataclass

from . import images
from .deidentify import Deidentifier
from .events import Study
from .explain import heat_map
from .finding import Finder, Finding
from .metrics import Progress
from .names import Names, Place
from .results import Result, utc_text
from .store import Object


@dataclass(frozen=True)
class Examined:
    """`objects` are to be stored; keys are None for what is not made of this study."""

    finding: Finding
    model_version: str
    objects: tuple[Object, ...]
    heatmap_key: str | None = None
    anonymized_key: str | None = None

    def result(self, study: Study, place: Place, received_at: str, progress: Progress) -> Result:
        risk = self.finding.risk
        return Result(
            study=study.name, image=place.image, bucket=study.bucket, key=study.key, etag=study.etag,
            outcome=self.finding.outcome, label=self.finding.label, risk=None if risk is None else round(risk, 4),
            reasons=self.finding.reasons, model_version=self.model_version,
            processed_key=place.processed, heatmap_key=self.heatmap_key, anonymized_key=self.anonymized_key,
            received_at=received_at, assessed_at=progress.ends["score"],
            deidentified_at=progress.ends.get("anonymize"), recorded_at=utc_text(),
            seconds=progress.seconds, stages=dict(progress.stages),
        )  # fmt: skip


@dataclass(frozen=True)
class Examiner:
    """May be called from several threads at once."""

    finder: Finder
    names: Names
    deidentifier: Deidentifier
    max_pixels: int

    def check(self) -> None:
        """Raises TryLater where no study could be examined, as there is no key or no model."""
        self.names.pseudonyms.key()
        self.finder.model.check()

    def examine(self, study: Study, place: Place, data: bytes, progress: Progress) -> Examined:
        """Raises Refused or TryLater. What is rejected gets a picture that says so, and nothing else."""
        with progress.stage("decode"):
            xray = images.read(data, self.max_pixels)
        with progress.stage("score"):
            finding = self.finder.find(xray)
        version = (finding.scores and finding.scores.version) or self.finder.model.version
        with progress.stage("draw"):
            strip = f"{describe(finding)}   model {version}"
            picture = images.picture_of(xray, strip, place.processed)
        drawn = place.bucket, place.processed, *picture
        if finding.label is None or finding.scores is None:
            return Examined(finding, version, (drawn,))
        with progress.stage("explain"):
            heat = place.bucket, place.heatmap, heat_map(finding.scores.heat, xray.gray.size), "image/png"
        if not self.deidentifier.wants(finding.label):
            return Examined(finding, version, (drawn, heat), place.heatmap)
        with progress.stage("anonymize"):
            copy = self.deidentifier.anonymize(study, xray)
        copy_key = self.names.copy_key(study, copy.key)
        copied = place.copies, copy_key, copy.data, copy.content_type
        return Examined(finding, version, (drawn, heat, copied), place.heatmap, copy_key)


def describe(finding: Finding) -> str:
    return "Rejected" if finding.risk is None else f"{finding.label}   risk {finding.risk:.2f}"
