# SPDX-License-Identifier: GPL-3.0-or-later
"""A model at a server of the Open Inference Protocol, such as KServe's: the same questions and answers as model.Model.

Whatever goes wrong there can pass: the server starts, is replaced or is overloaded. So each failure is a TryLater.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import urllib3  # which botocore brings
from numpy.typing import NDArray

from .errors import TryLater
from .images import SIDE
from .model import OUTPUTS, Scores

SECONDS = urllib3.Timeout(connect=3, read=20)


@dataclass(frozen=True)
class Described:
    """What the server says of its model."""

    version: str
    views: tuple[str, ...]
    view_threshold: float


class RemoteModel:
    """Asks when it is asked; may be called from several threads at once."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.pool = urllib3.PoolManager(maxsize=32, retries=False, timeout=SECONDS)
        self.described: Described | None = None

    @property
    def known_version(self) -> str:
        """Of the model that answered last, "" before any did."""
        return self.described.version if self.described else ""

    @property
    def version(self) -> str:
        """Raises TryLater, as all that follow."""
        return self.known().version

    @property
    def views(self) -> tuple[str, ...]:
        return self.known().views

    @property
    def view_threshold(self) -> float:
        return self.known().view_threshold

    def check(self) -> None:
        self.known()

    def warm(self) -> None:
        """The server is warm when it is ready, and may come after this process."""

    def known(self) -> Described:
        if self.described is None:
            self.described = read_metadata(self.url, self.ask("GET", self.url))
        return self.described

    def scores(self, pixels: NDArray[np.float32]) -> Scores:
        """For an input of shape (1, 1, 224, 224), gray levels 0..255."""
        tensor = {"name": "gray", "datatype": "FP32", "shape": [1, 1, SIDE, SIDE], "data": numbers(pixels)}
        outputs = [{"name": name} for name in OUTPUTS]
        told = self.ask("POST", f"{self.url}/infer", {"inputs": [tensor], "outputs": outputs})
        try:
            found = {one["name"]: np.asarray(one["data"], np.float32).reshape(one["shape"]) for one in told["outputs"]}
            risk, heat, views = (found[name] for name in OUTPUTS)
            version = told.get("model_version") or self.version
            if version != self.known_version:  # another model since it was described
                self.described = None
            kinds = dict(zip(self.views, views[0].tolist(), strict=True))
            return Scores(float(risk.item()), heat[0], kinds, version)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise TryLater(f"The model's server at {self.url} answered what cannot be read: {error!r}.") from None

    def ask(self, method: str, url: str, body: Any = None) -> Any:
        try:
            answer = self.pool.request(method, url, **({} if body is None else {"json": body}))
            told = answer.json() if answer.status == 200 else None
        except urllib3.exceptions.HTTPError as error:
            raise TryLater(f"The model's server at {self.url} cannot be reached: {type(error).__name__}.") from None
        except ValueError:
            raise TryLater(f"The model's server at {self.url} answered {method} with what is no JSON.") from None
        if answer.status != 200:
            raise TryLater(f"The model's server at {self.url} answered {method} with {answer.status}.")
        return told


def numbers(pixels: NDArray[np.float32]) -> list[float]:
    """Gray levels are whole, and whole numbers are written and read in a third of the time."""
    whole = pixels.astype(np.int32)
    return (whole if np.array_equal(whole, pixels) else pixels).ravel().tolist()


def read_metadata(url: str, told: Any) -> Described:
    try:
        parameters = told["parameters"]
        views = tuple(parameters["views"].split(","))
        return Described(str(told["versions"][-1]), views, float(parameters["view_threshold"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise TryLater(
            f"{url} describes no model of ours: expected versions, and parameters with views and view_threshold."
        ) from None
