# SPDX-License-Identifier: GPL-3.0-or-later
"""One study, from object to row: look -> fetch -> examine (decode, score, draw, ...) -> store -> record -> row."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from . import records
from .database import Database
from .events import Study
from .examine import Examiner
from .metrics import Progress
from .names import Place
from .results import Result
from .store import Store, put_all
from .turns import Turns


@dataclass(frozen=True)
class Pipeline:
    """Pixels are worked on by as many threads as there are cores, transfers wait in threads of their own."""

    store: Store
    examiner: Examiner
    cores: CapacityLimiter
    transfers: CapacityLimiter
    database: Database | None = None
    turns: Turns = field(default_factory=Turns)

    async def assess(self, study: Study, received_at: str, progress: Progress) -> Result | None:
        """None for a study that is recorded already: at most its row is made then. Raises Refused or TryLater."""
        place = self.examiner.names.place(study)
        async with self.turns.turn(place):
            earlier = await self.transfer(progress, "look", records.look, self.store, place)
            if earlier.study == study.name:
                return await self.save(earlier.data, place, progress)
            fetched = await self.transfer(progress, "fetch", self.store.fetch, study)
            progress.fetched_bytes = len(fetched.data)
            study = replace(study, etag=fetched.etag)
            if earlier.study == study.name:  # where the event does not tell the eTag
                return await self.save(earlier.data, place, progress)
            examined = await run_sync(self.examiner.examine, study, place, fetched.data, progress, limiter=self.cores)
            with progress.stage("store"):
                await put_all(self.store, examined.objects, self.transfers)
            result = examined.result(study, place, received_at, progress)
            ours = await self.transfer(progress, "record", records.put, self.store, place, result, earlier)
            await self.save(result.to_json() if ours else None, place, progress)
            return result if ours else None

    async def save(self, record: bytes | None, place: Place, progress: Progress) -> None:
        """The study's row, if there is a database and this process has the study's record."""
        if self.database and record:
            await self.transfer(progress, "row", self.database.save, record, place.image)

    async def transfer(self, progress: Progress, stage: str, call: Callable[..., Any], *arguments: Any) -> Any:
        with progress.stage(stage):
            return await run_sync(call, *arguments, limiter=self.transfers)
