# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: one CloudEvent in, 204, 422 or 503 out, after every record of it was handled.

204: all recorded. 422: at least one can never be (Knative moves the event to the dead letters at once).
503: at least one may be recorded by a retry.
"""

import logging
from dataclasses import dataclass
from typing import Any

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .database import Database
from .deidentify import Deidentifier
from .errors import Refused, TryLater
from .events import Study, read_event, read_records, read_study
from .examine import Examiner
from .finding import Finder, build_finder
from .metrics import Metrics, Progress
from .model import ModelError
from .names import Names
from .pipeline import Pipeline
from .policy import PolicyError, read_policy
from .pseudonyms import Pseudonyms
from .results import Result, utc_text
from .settings import Settings, SettingsError
from .store import Store
from .text import TextDetector, TextDetectorError

MAX_EVENT_BYTES = 4 * 1024**2  # Kafka's own default limit is 1 MiB
log = logging.getLogger("risk_assessment")


@dataclass(frozen=True)
class Handled:
    """How one record ended: assessed, rejected, repeated, ignored, refused or retry; why, of the last two."""

    outcome: str
    error: str = ""


def build_pipeline(settings: Settings, store: Store) -> Pipeline:
    """Raises SettingsError."""
    pseudonyms = Pseudonyms(settings.pseudonym_key)
    names = Names(pseudonyms, settings.names, settings.processed_suffix, settings.anonymized_suffix)
    examiner = Examiner(warm_finder(settings), names, build_deidentifier(settings, pseudonyms), settings.max_pixels)
    cores, transfers = CapacityLimiter(settings.workers), CapacityLimiter(settings.transfers)
    return Pipeline(store, examiner, cores, transfers, Database(settings.database) if settings.database else None)


def warm_finder(settings: Settings) -> Finder:
    try:
        finder = build_finder(settings)
    except ModelError as error:
        raise SettingsError(f"RISK_ASSESSMENT_MODEL: {error}.") from None
    finder.model.warm()
    return finder


def build_deidentifier(settings: Settings, pseudonyms: Pseudonyms) -> Deidentifier:
    """Raises SettingsError for a policy that cannot be used; a key that is missing may still come."""
    try:
        policy = read_policy(settings.policy)
        wanted = settings.anonymize != "none" and policy.options["clean_pixel_data"]
        text_boxes = TextDetector().boxes if wanted else None
    except PolicyError as error:
        raise SettingsError(f"RISK_ASSESSMENT_POLICY: {error}.") from None
    except TextDetectorError as error:
        raise SettingsError(f"Clean Pixel Data cannot look for text: {error}.") from None
    return Deidentifier(policy, pseudonyms, settings.anonymize, text_boxes)


def create_app(pipeline: Pipeline) -> Starlette:
    """The pipeline's model is warm before the socket opens: what can connect is ready, once there is a key."""
    metrics, model = Metrics(), pipeline.examiner.finder.model

    async def receive_event(request: Request) -> Response:
        return await receive(request, pipeline, metrics)

    def healthy(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def ready(request: Request) -> Response:
        try:
            pipeline.examiner.check()
        except TryLater as error:
            return JSONResponse({"error": str(error)}, 503)
        return JSONResponse({"model_version": model.version})

    def show_metrics(request: Request) -> Response:
        metrics.tell_model(model.known_version)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/", receive_event, methods=["POST"]),
            Route("/healthz", healthy),
            Route("/readyz", ready),
            Route("/metrics", show_metrics),
        ],
    )


async def receive(request: Request, pipeline: Pipeline, metrics: Metrics) -> Response:
    received_at = utc_text()
    try:
        records = read_records(read_event(request.headers, await read_body(request)))
    except Refused as error:
        log.warning("refused event", extra={"fields": {"error": str(error)}})
        response: Response = JSONResponse({"error": str(error), "records": []}, 422)
    else:
        response = answer([await handle(record, pipeline, metrics, received_at) for record in records])
    metrics.events.labels(str(response.status_code)).inc()
    return response


async def read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_EVENT_BYTES:
            raise Refused(f"Expected an event of at most {MAX_EVENT_BYTES} bytes.")
    return bytes(body)


async def handle(record: Any, pipeline: Pipeline, metrics: Metrics, received_at: str) -> Handled:
    study, result, progress = None, None, Progress()
    with metrics.in_flight.track_inprogress():
        try:
            study = read_study(record)
            result = await pipeline.assess(study, received_at, progress) if study else None
            handled = Handled((result.outcome if result else "repeated") if study else "ignored")
        except Refused as error:
            handled = Handled("refused", str(error))
        except TryLater as error:
            handled = Handled("retry", str(error))
        except Exception as error:  # a fault of ours: a later version may handle it, so the event must not be lost
            log.exception("unexpected error")
            handled = Handled("retry", f"Unexpected {type(error).__name__}; see this function's log.")
    note(metrics, study, result, progress, handled)
    return handled


def note(metrics: Metrics, study: Study | None, result: Result | None, progress: Progress, handled: Handled) -> None:
    """Counts a record and writes its one log line, which holds nothing that tells whose X-ray it is."""
    metrics.studies.labels(handled.outcome, (result.label if result else None) or "").inc()
    metrics.fetched.inc(progress.fetched_bytes)
    for stage, seconds in progress.stages.items():
        metrics.stages.labels(stage).observe(seconds)
    fields: dict[str, Any] = {
        "study": study.log_id if study else None,
        "seconds": progress.seconds,
        "stages": progress.stages,
    }
    if result:
        fields |= {"label": result.label, "risk": result.risk, "reasons": result.reasons}
    if handled.error:
        fields["error"] = handled.error
    log.log(logging.WARNING if handled.error else logging.INFO, handled.outcome, extra={"fields": fields})


def answer(handled: list[Handled]) -> Response:
    """Knative keeps only the first kilobyte of a 422's body, hence the reason comes first."""
    for outcome, status in (("retry", 503), ("refused", 422)):
        errors = [record.error for record in handled if record.outcome == outcome]
        if errors:
            outcomes = [{"outcome": record.outcome, "error": record.error} for record in handled]
            return JSONResponse({"error": errors[0], "records": outcomes}, status)
    return Response(status_code=204)
