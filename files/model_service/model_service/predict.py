# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model_service predict`: the model alone, served by the Open Inference Protocol (version 2), for KServe.

Knows no X-rays: prepared pixels in, the model's outputs out. `remote.py` is the other end.
"""

import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .images import SIDE
from .logs import set_up_logs
from .model import OUTPUTS, Model, ModelError
from .settings import FindingSettings, SettingsError, read_settings

MAX_PIXELS = 16 * SIDE * SIDE  # of one request
MAX_BYTES = 24 * MAX_PIXELS  # a number in JSON, at its longest


@dataclass(frozen=True, kw_only=True)
class PredictSettings(FindingSettings):
    """Besides what decides a finding, of which the model's settings count."""

    model_name: str = "pneumonia"
    port: int = 8080
    shutdown_seconds: int = 25


class BadRequest(Exception):
    """What the protocol answers 400 with."""


def main(_arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    set_up_logs()
    try:
        settings = read_settings(os.environ, PredictSettings)
        model = Model(settings.model, settings.model_threads)
    except (SettingsError, ModelError) as error:
        logging.getLogger("risk_assessment").error(str(error))
        return 2
    model.warm()
    from .listen import listen

    listen(create_app(model, settings), settings.port, settings.shutdown_seconds)
    return 0


def create_app(model: Model, settings: PredictSettings) -> Starlette:
    """The model is warm before the socket opens: what can connect is ready."""
    cores = CapacityLimiter(settings.workers)
    name = settings.model_name

    def well(request: Request) -> Response:
        return JSONResponse({"name": name, "ready": True, "live": True})

    def server(request: Request) -> Response:
        return JSONResponse({"name": "model_service", "version": model.version, "extensions": []})

    def metadata(request: Request) -> Response:
        return JSONResponse(describe(model, name))

    async def infer(request: Request) -> Response:
        try:
            pixels = read_pixels(await read_body(request))
        except BadRequest as error:
            return JSONResponse({"error": str(error)}, 400)
        outputs = await run_sync(model.session.run, OUTPUTS, {"gray": pixels}, limiter=cores)
        return JSONResponse(answer(model, name, outputs))

    one = f"/v2/models/{name}"
    return Starlette(
        routes=[
            Route("/v2", server),
            Route("/v2/health/live", well),
            Route("/v2/health/ready", well),
            Route(one, metadata),
            Route(f"{one}/ready", well),
            Route(f"{one}/infer", infer, methods=["POST"]),
        ],
    )


def describe(model: Model, name: str) -> dict[str, Any]:
    """The protocol's metadata; `parameters`, which it has elsewhere, tell what an ONNX file's own metadata does."""
    told = [(one.name, one.shape) for one in model.session.get_outputs() if one.name in OUTPUTS]
    tensors = [{"name": title, "datatype": "FP32", "shape": [-1, *shape[1:]]} for title, shape in told]
    return {
        "name": name,
        "versions": [model.version],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "gray", "datatype": "FP32", "shape": [-1, 1, SIDE, SIDE]}],
        "outputs": tensors,
        "parameters": {"views": ",".join(model.views), "view_threshold": model.view_threshold},
    }


async def read_body(request: Request) -> Any:
    """Raises BadRequest."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise BadRequest(f"expected a request of at most {MAX_BYTES} bytes")
    try:
        return json.loads(bytes(body))
    except ValueError:
        raise BadRequest("expected JSON") from None


def read_pixels(body: Any) -> NDArray[np.float32]:
    """The one input, gray levels. Raises BadRequest."""
    try:
        (tensor,) = body["inputs"]
        shape = [int(side) for side in tensor["shape"]]
        if tensor["name"] != "gray" or tensor["datatype"] != "FP32" or shape[1:] != [1, SIDE, SIDE]:
            raise ValueError
        if not 0 < shape[0] * SIDE * SIDE <= MAX_PIXELS:
            raise ValueError
        return np.asarray(tensor["data"], np.float32).reshape(shape)
    except (KeyError, TypeError, ValueError, OverflowError):
        shape_text = f"[n, 1, {SIDE}, {SIDE}], n at most {MAX_PIXELS // SIDE**2}"
        raise BadRequest(f"expected one input `gray` of datatype FP32 and shape {shape_text}") from None


def answer(model: Model, name: str, outputs: Sequence[NDArray[np.float32]]) -> dict[str, Any]:
    """Doubles hold a float32 exactly, and JSON a double: nothing is lost on the way."""
    tensors = [
        {"name": title, "datatype": "FP32", "shape": list(one.shape), "data": one.ravel().tolist()}
        for title, one in zip(OUTPUTS, outputs, strict=True)
    ]
    return {"model_name": name, "model_version": model.version, "outputs": tensors}
