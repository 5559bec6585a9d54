# SPDX-License-Identifier: GPL-3.0-or-later
"""One study, from object to record: look -> fetch -> decode -> score -> draw -> anonymize -> store -> record."""

from dataclasses import dataclass, field

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from . import images
from .deidentify import Anonymized, Deidentifier
from .errors import Refused, TryLater
from .events import Study
from .metrics import Progress
from .model import Model, Thresholds
from .results import Result, processed_key, recorded_study, utc_text
from .store import Fetched, Store
from .turns import Turns

Examined = tuple[float, tuple[bytes, str], Anonymized | None]


@dataclass(frozen=True)
class Pipeline:
    """Pixels are worked on by as many threads as there are cores, transfers wait in threads of their own."""

    store: Store
    model: Model
    thresholds: Thresholds
    max_pixels: int
    processed_suffix: str
    anonymized_suffix: str
    deidentifier: Deidentifier
    cores: CapacityLimiter
    transfers: CapacityLimiter
    turns: Turns = field(default_factory=Turns)

    async def assess(self, study: Study, received_at: str, progress: Progress) -> Result | None:
        """None for a study that is recorded already: nothing of it changes then. Raises Refused or TryLater."""
        if study.bucket.endswith((self.processed_suffix, self.anonymized_suffix)):
            raise Refused("This bucket holds the function's own results: they must not be announced to it.")
        key, bucket = processed_key(study), study.bucket + self.processed_suffix
        async with self.turns.turn((bucket, key)):
            with progress.stage("look"):
                earlier = await run_sync(self.store.recorded, bucket, f"{key}.json", limiter=self.transfers)
            if recorded_study(earlier and earlier.data) == study.name:
                return None
            with progress.stage("fetch"):
                fetched = await run_sync(self.store.fetch, study, limiter=self.transfers)
            progress.fetched_bytes = len(fetched.data)
            study = Study(study.bucket, study.key, fetched.etag, study.version_id)
            if recorded_study(earlier and earlier.data) == study.name:  # where the event does not tell the eTag
                return None
            result = await self.work(study, fetched.data, received_at, progress)
            return result if await self.record(result, bucket, earlier, progress) else None

    async def work(self, study: Study, data: bytes, received_at: str, progress: Progress) -> Result:
        key, bucket = processed_key(study), study.bucket + self.processed_suffix
        risk, picture, copy = await run_sync(self.examine, study, data, progress, limiter=self.cores)
        with progress.stage("store"):
            await run_sync(self.store.put, bucket, key, *picture, limiter=self.transfers)
            if copy:
                target = study.bucket + self.anonymized_suffix, copy.key, copy.data, copy.content_type
                await run_sync(self.store.put, *target, limiter=self.transfers)
        return Result(
            study=study.name, bucket=study.bucket, key=study.key, etag=study.etag, processed_key=key,
            anonymized_key=copy.key if copy else None,
            label=self.thresholds.label(risk), risk=round(risk, 4), model_version=self.model.version,
            received_at=received_at, recorded_at=utc_text(), seconds=progress.seconds, stages=dict(progress.stages),
        )  # fmt: skip

    async def record(self, result: Result, bucket: str, earlier: Fetched | None, progress: Progress) -> bool:
        """Whether this result is the one that stays; not if another process recorded the same study meanwhile."""
        key, data = f"{result.processed_key}.json", result.to_json()
        with progress.stage("record"):
            replaced = earlier.etag if earlier else None
            if await run_sync(self.store.record, bucket, key, data, replaced, limiter=self.transfers):
                return True
            there = await run_sync(self.store.recorded, bucket, key, limiter=self.transfers)
        if recorded_study(there and there.data) != result.study:
            raise TryLater("Another version of this object was recorded at the same time.")
        return there is not None and there.data == data  # ours, when the answer to a first try was lost

    def examine(self, study: Study, data: bytes, progress: Progress) -> Examined:
        with progress.stage("decode"):
            xray = images.read(data, self.max_pixels)
        with progress.stage("score"):
            risk = self.model.risk(images.model_input(xray.gray))
        label = self.thresholds.label(risk)
        with progress.stage("draw"):
            finding = f"{label}   risk {risk:.2f}   model {self.model.version}"
            picture = images.encode(images.draw_finding(xray.gray, finding), processed_key(study), xray.kind)
        if not self.deidentifier.wants(label):
            return risk, picture, None
        with progress.stage("anonymize"):
            return risk, picture, self.deidentifier.anonymize(study, xray)
