# SPDX-License-Identifier: GPL-3.0-or-later
"""One study, from its object to its record: fetch -> decode -> score -> draw -> store -> record."""

from dataclasses import dataclass

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from . import images
from .errors import Refused
from .events import Study
from .metrics import Progress
from .model import Model, Thresholds
from .results import Result, processed_key, utc_text
from .store import Store


@dataclass(frozen=True)
class Pipeline:
    """Pixels are worked on by as many threads as there are cores, transfers wait in threads of their own."""

    store: Store
    model: Model
    thresholds: Thresholds
    max_pixels: int
    processed_suffix: str
    cores: CapacityLimiter
    transfers: CapacityLimiter

    async def assess(self, study: Study, received_at: str, progress: Progress) -> Result:
        """Every write overwrites: the same study again leaves the same objects. Raises Refused or TryLater."""
        if study.bucket.endswith(self.processed_suffix):
            raise Refused("This bucket holds the function's own results: they must not be announced to it.")
        with progress.stage("fetch"):
            fetched = await run_sync(self.store.fetch, study, limiter=self.transfers)
        progress.fetched_bytes = len(fetched.data)
        key, bucket = processed_key(study), study.bucket + self.processed_suffix
        risk, picture = await run_sync(self.examine, fetched.data, key, progress, limiter=self.cores)
        with progress.stage("store"):
            await run_sync(self.store.put, bucket, key, *picture, limiter=self.transfers)
        result = Result(
            study=Study(study.bucket, study.key, fetched.etag, study.version_id).name,
            bucket=study.bucket, key=study.key, etag=fetched.etag, processed_key=key,
            label=self.thresholds.label(risk), risk=round(risk, 4), model_version=self.model.version,
            received_at=received_at, recorded_at=utc_text(), seconds=progress.seconds, stages=dict(progress.stages),
        )  # fmt: skip
        with progress.stage("record"):
            record = bucket, f"{key}.json", result.to_json(), "application/json"
            await run_sync(self.store.put, *record, limiter=self.transfers)
        return result

    def examine(self, data: bytes, key: str, progress: Progress) -> tuple[float, tuple[bytes, str]]:
        with progress.stage("decode"):
            xray = images.read(data, self.max_pixels)
        with progress.stage("score"):
            risk = self.model.risk(images.model_input(xray.gray))
        with progress.stage("draw"):
            finding = f"{self.thresholds.label(risk)}   risk {risk:.2f}   model {self.model.version}"
            return risk, images.encode(images.draw_finding(xray.gray, finding), key, xray.kind)
