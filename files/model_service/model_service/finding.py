# SPDX-License-Identifier: GPL-3.0-or-later
"""From a gray image to a finding: quality gate, score, label. The service and the two commands share it."""

from dataclasses import dataclass

from . import images
from .model import Model, Scores, Thresholds
from .quality import reasons_of_modality, reasons_of_pixels, reasons_of_views
from .remote import RemoteModel
from .settings import FindingSettings


@dataclass(frozen=True)
class Finding:
    """`label` is None for what is rejected; `reasons` says why. Without scores, less sufficed for that."""

    label: str | None
    scores: Scores | None
    reasons: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        return "rejected" if self.reasons else "assessed"

    @property
    def risk(self) -> float | None:
        return self.scores.risk if self.scores and not self.reasons else None


@dataclass(frozen=True)
class Finder:
    """May be called from several threads at once."""

    model: Model | RemoteModel
    thresholds: Thresholds
    own_view_threshold: float | None = None  # None: as the model says

    @property
    def view_threshold(self) -> float:
        return self.model.view_threshold if self.own_view_threshold is None else self.own_view_threshold

    def find(self, xray: images.Xray) -> Finding:
        modality = () if xray.dataset is None else reasons_of_modality(str(xray.dataset.get("Modality", "")))
        pixels = images.model_input(xray.gray)
        if reasons := modality or reasons_of_pixels(pixels):
            return Finding(None, None, reasons)
        scores = self.model.scores(pixels)
        if reasons := reasons_of_views(scores.views, self.view_threshold):
            return Finding(None, scores, reasons)
        return Finding(self.thresholds.label(scores.risk), scores)


def build_finder(settings: FindingSettings) -> Finder:
    """Raises ModelError."""
    model = RemoteModel(settings.server) if settings.server else Model(settings.model, settings.model_threads)
    thresholds = Thresholds(settings.threshold_pneumonia, settings.threshold_normal)
    return Finder(model, thresholds, settings.view_threshold)
