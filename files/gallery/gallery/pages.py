# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML of each page. Everything can be read without JavaScript; modules in static/ make it live."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import studies
from .people import Person
from .settings import Settings

LANES = (
    ("incoming", "Incoming", "Newest arrivals in the object store"),
    ("assessed", "Assessed", "Newest results of the risk assessment"),
    ("deidentified", "De-identified", "Newest copies without their patient"),
)
HOPS = ("Object store", "Events", "Risk assessment", "Results", "Dashboard")
KEPT = 32
STAGES = (
    ("announced", "Stored and announced"),
    ("received", "Received"),
    ("assessed", "Assessed"),
    ("deidentified", "De-identified"),
    ("recorded", "Recorded"),
)


class Pages:
    def __init__(self, settings: Settings, assets: dict[str, str]) -> None:
        self.finished: OrderedDict[Any, bytes] = OrderedDict()
        self.jinja = Environment(
            loader=FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self.jinja.filters |= {"moment": moment, "risk": risk, "seconds": seconds, "size": size, "finding": finding}
        self.jinja.globals |= {
            "settings": settings,
            "assets": assets,
            "labels": studies.LABELS,
            "outcomes": studies.OUTCOMES,
        }

    async def kept(self, key: Any, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The page of this very moment; `key` changes with every study and every second, so nothing old is shown."""
        if key not in self.finished:
            self.finished[key] = await make()
            while len(self.finished) > KEPT:
                self.finished.popitem(last=False)
        return self.finished[key]

    def render(self, template: str, **values: Any) -> bytes:
        return self.jinja.get_template(template).render(**values).encode()

    def overview(self, person: Person, lanes: dict[str, Any], figures: dict[str, Any], place: str) -> bytes:
        return self.render("overview.html", person=person, lanes=lanes, titles=LANES, figures=figures, place=place)

    def list(
        self,
        person: Person,
        shown: list[Any],
        page: studies.Page,
        wanted: studies.Filter,
        models: list[str],
        place: str,
    ) -> bytes:
        """The first page is live; an older one stays as it is."""
        links = {
            name: f"?{urlencode(wanted.asked | {name: cursor.text})}"
            for name, cursor in (("newer", page.newer), ("older", page.older))
            if cursor
        }
        return self.render(
            "list.html", person=person, shown=shown, wanted=wanted, links=links, models=models, place=place,
            first=page.newer is None,
        )  # fmt: skip

    def study(self, person: Person, study: dict[str, Any], newer: str | None, older: str | None, place: str) -> bytes:
        return self.render(
            "study.html", person=person, study=study, newer=newer, older=older, place=place, steps=steps(study),
            work=sorted(study["stages"].items(), key=lambda item: -item[1]),
        )  # fmt: skip

    def sign_in(self, to: str, problem: str) -> bytes:
        return self.render("sign_in.html", person=None, to=to, problem=problem)

    def message(self, person: Person | None, status: int, text: str) -> bytes:
        return self.render("message.html", person=person, status=status, text=text)


def steps(study: dict[str, Any]) -> list[tuple[str, str | None, float | None]]:
    """(step, moment, seconds since the first moment that is known)."""
    from datetime import datetime

    times = [(text, study[name] and datetime.fromisoformat(study[name])) for name, text in STAGES]
    begin = next((time for _, time in times if time), None)
    return [
        (text, study[name], (time - begin).total_seconds() if time and begin else None)
        for (name, _), (text, time) in zip(STAGES, times, strict=True)
    ]


def moment(text: str | None) -> str:
    """2026-11-24 15:03:07 UTC; scripts turn it into how long ago that was."""
    return f"{text[:10]} {text[11:19]} UTC" if text else "–"


def risk(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.0f} min"


def size(value: int | None) -> str:
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def finding(study: dict[str, Any]) -> str:
    """The word that a tile shows: the label, or why there is none."""
    words = {"waiting": "Waiting", "rejected": "Not assessable", "failed": "Failed"}
    return study["label"] or words.get(study["outcome"], "Assessed")
