# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a dashboard from its panels' data, in Grafana's layout and dark colors, as there is no Grafana to do it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
from as_grafana import Answer, Panel
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

PAPER, CARD, LINE, TEXT, QUIET = "#111217", "#181b1f", "#2c3235", "#d8d9da", "#8e8e8e"
NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "purple": "#b877d9"}
CYCLE = (
    "#73bf69",
    "#f2cc0c",
    "#5794f2",
    "#ff9830",
    "#f2495c",
    "#b877d9",
    "#8ab8ff",
    "#c8f2c2",
    "#ffa6b0",
    "#96d98d",
    "#705da0",
)
UNIT_INCHES, ROW_INCHES, HEAD_INCHES = 0.67, 0.31, 0.75
Drawer = Callable[[Any, Panel, list[Answer]], None]
UNITS = {"s": "s", "reqps": "/s", "cps": "/s"}


def draw(board: dict[str, Any], answers: dict[int, list[Answer]], when: str, path: Path) -> None:
    """`answers` by the panels' id, of the time `when`."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    width, height = 24 * UNIT_INCHES + 0.3, rows * ROW_INCHES + HEAD_INCHES + 0.15
    with plt.rc_context({"font.family": "sans-serif", "font.size": 9, "text.color": TEXT, "axes.edgecolor": LINE}):
        figure = plt.figure(figsize=(width, height), facecolor=PAPER)
        figure.text(0.2 / width, 1 - 0.38 / height, board["title"], size=17, weight="bold", va="center")
        figure.text(1 - 0.2 / width, 1 - 0.38 / height, when, size=9, color=QUIET, ha="right")
        for panel in board["panels"]:
            place = card(figure, panel, width, height)
            if panel["type"] != "row":
                axes = figure.add_axes(place)
                style(axes)
                DRAWERS[panel["type"]](axes, panel, answers[panel["id"]])
        figure.savefig(path, dpi=110, facecolor=PAPER)
        plt.close(figure)


def card(figure: Figure, panel: Panel, width: float, height: float) -> tuple[float, float, float, float]:
    """The panel's frame and title; where its drawing goes, as shares of the figure."""
    grid = panel["gridPos"]
    left, wide = grid["x"] * UNIT_INCHES + 0.2, grid["w"] * UNIT_INCHES - 0.1
    top, tall = HEAD_INCHES + grid["y"] * ROW_INCHES, grid["h"] * ROW_INCHES - 0.1
    if panel["type"] == "row":
        figure.text(left / width, 1 - (top + 0.15) / height, panel["title"], size=12, weight="bold", va="center")
        return 0, 0, 0, 0
    corner = (left / width, 1 - (top + tall) / height)
    figure.add_artist(FancyBboxPatch(
        corner, wide / width, tall / height, boxstyle="square,pad=0", facecolor=CARD, edgecolor=LINE, linewidth=0.8,
        transform=figure.transFigure, zorder=-1,
    ))  # fmt: skip
    figure.text((left + 0.12) / width, 1 - (top + 0.19) / height, panel["title"], size=10, weight="bold", va="center")
    two = any(entry["id"] == "custom.axisPlacement" for entry in entries(panel))
    edges = {
        "timeseries": (0.62, 0.62 if two else 0.2, 0.62),
        "barchart": (0.5, 0.2, 0.55),
        "piechart": (0.1, 0.1, 0.1),
    }
    west, east, south = edges.get(panel["type"], (0.12, 0.12, 0.1))
    north = 0.42
    return (
        (left + west) / width,
        1 - (top + tall - south) / height,
        (wide - west - east) / width,
        (tall - south - north) / height,
    )


def style(axes: Any) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=QUIET, labelsize=8, length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def entries(panel: Panel) -> list[dict[str, Any]]:
    return [entry for override in panel["fieldConfig"]["overrides"] for entry in override["properties"]]


def color(panel: Panel, name: str, index: int) -> str:
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            for entry in override["properties"]:
                if entry["id"] == "color":
                    return NAMED.get(entry["value"]["fixedColor"], entry["value"]["fixedColor"])
    return CYCLE[index % len(CYCLE)]


def overridden(panel: Panel, name: str, what: str) -> Any:
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            return next((entry["value"] for entry in override["properties"] if entry["id"] == what), None)
    return None


def told(value: Any, unit: str) -> str:
    """A number with its unit, short."""
    if value is None:
        return "none yet"
    if unit == "bytes":
        power = 0
        while value >= 1024 and power < 4:
            value, power = value / 1024, power + 1
        return f"{value:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return seconds(float(value))
    text = f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {UNITS[unit]}" if unit in UNITS else text


def seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.3g} ms"
    for limit, size, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if value < limit:
            return f"{value / size:.3g} {name}"
    return f"{value / 86400:.3g} d"


def draw_stat(axes: Any, panel: Panel, answers: list[Answer]) -> None:
    axes.axis("off")
    defaults = panel["fieldConfig"]["defaults"]
    values = [(answer.legend, answer.rows[-1][-1] if answer.rows else None) for answer in answers]
    for index, (name, value) in enumerate(values):
        middle = (index + 0.5) / len(values)
        steps = [
            step for step in defaults["thresholds"]["steps"] if step["value"] is None or (value or 0) >= step["value"]
        ]
        size = 26 if len(values) == 1 else 20
        axes.text(
            middle,
            0.5,
            told(value, defaults["unit"]),
            size=size,
            color=NAMED[steps[-1]["color"]],
            ha="center",
            va="center",
        )
        if len(values) > 1:
            axes.text(middle, 0.05, name, size=9, color=QUIET, ha="center")


def draw_timeseries(axes: Any, panel: Panel, answers: list[Answer]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    base: dict[float, float] = {}
    right = None
    for index, answer in enumerate(answers):
        moments = [datetime.fromtimestamp(float(row[0]), UTC) for row in answer.rows]
        values = [float(row[1]) for row in answer.rows]
        shade, target = color(panel, answer.legend, index), axes
        if overridden(panel, answer.legend, "custom.axisPlacement") == "right":
            right = right or axes.twinx()
            target = right
            style(right)
        if stacked:
            below = [base.get(row[0], 0.0) for row in answer.rows]
            axes.bar(moments, values, width=bar_days(answers), bottom=below, color=shade, label=answer.legend)
            base |= {row[0]: low + value for row, low, value in zip(answer.rows, below, values, strict=True)}
        else:
            target.plot(moments, values, color=shade, linewidth=1.4)
            target.fill_between(moments, values, color=shade, alpha=0.07)
            axes.plot([], [], color=shade, linewidth=3, label=answer.legend)
        if target is right:
            scale(right, overridden(panel, answer.legend, "unit"))
    scale(axes, defaults["unit"])
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(mdates.AutoDateLocator(maxticks=5))
    first, last = axes.get_xlim()
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M" if (last - first) * 1440 > 6 else "%H:%M:%S"))
    axes.legend(
        loc="upper left", bbox_to_anchor=(-0.02, -0.12), ncols=legend_columns(panel, answers), frameon=False,
        fontsize=8, labelcolor=TEXT, handlelength=1.1, columnspacing=1.2, borderaxespad=0,
    )  # fmt: skip


def legend_columns(panel: Panel, answers: list[Answer]) -> int:
    longest = max((len(answer.legend) for answer in answers), default=1)
    return max(1, int(panel["gridPos"]["w"] * UNIT_INCHES * 17 / (longest + 7)))


def bar_days(answers: list[Answer]) -> float:
    moments = sorted({float(row[0]) for answer in answers for row in answer.rows})
    gaps = [after - before for before, after in pairwise(moments)]
    return min(gaps, default=10) * 0.85 / 86400


def scale(axes: Any, unit: str) -> None:
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], 1e-9) if axes.lines or axes.patches else 1)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if unit == "bytes":
        step = 2 ** math.ceil(math.log2(max(axes.get_ylim()[1] / 5, 1)))
        axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: told(value, unit)))


def draw_barchart(axes: Any, panel: Panel, answers: list[Answer]) -> None:
    names, values = zip(*answers[0].rows, strict=True)
    axes.bar(range(len(names)), [float(value) for value in values], color=NAMED["blue"], alpha=0.85)
    axes.set_xticks(range(0, len(names), 2), [str(name).strip() for name in names[::2]], rotation=45)
    scale(axes, "short")
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def draw_piechart(axes: Any, panel: Panel, answers: list[Answer]) -> None:
    rows = [(str(name), float(value)) for name, value in answers[0].rows]
    shades = [color(panel, name, index) for index, (name, _) in enumerate(rows)]
    pies, _texts = axes.pie(
        [value for _, value in rows], colors=shades, startangle=90, wedgeprops={"width": 0.42}, radius=1.05
    )
    whole = sum(value for _, value in rows) or 1
    labels = [f"{name}   {value:,.0f}   {100 * value / whole:.0f} %" for name, value in rows]
    axes.legend(pies, labels, loc="center left", bbox_to_anchor=(1.1, 0.5), frameon=False, labelcolor=TEXT, fontsize=9)
    axes.set_anchor("W")


def draw_table(axes: Any, panel: Panel, answers: list[Answer]) -> None:
    axes.axis("off")
    answer = answers[0]
    hidden = panel["transformations"][0]["options"]["excludeByName"]
    if not answer.rows:
        axes.text(0.5, 0.5, "No data", color=QUIET, ha="center", va="center")
        return
    kept = [index for index, name in enumerate(answer.columns) if name not in hidden]
    texts = [[cell(row[index], answer.columns[index]) for index in kept] for row in answer.rows]
    columns = [answer.columns[index] for index in kept]
    widths = [max(len(name), *(len(row[index]) for row in texts)) + 2 for index, name in enumerate(columns)]
    room = panel["gridPos"]["w"] * UNIT_INCHES * 12.5
    if sum(widths) > room:  # the widest gives way
        widths[widths.index(max(widths))] -= int(sum(widths) - room)
    shown = int((panel["gridPos"]["h"] * ROW_INCHES - 0.6) / 0.225) - 1
    step = 1 / (shown + 1)
    for line, row in enumerate([columns, *texts[:shown]]):
        left = 0.0
        for index, text in enumerate(row):
            shade = color_of_cell(panel, columns[index], text) if line else "#6e9fff"
            axes.text(left, 1 - step * (line + 0.5), clip(text, widths[index]), size=8.5, color=shade, va="center")
            left += widths[index] / max(sum(widths), room * 0.75)
        axes.axhline(1 - step * (line + 1), color=LINE, linewidth=0.6)
    axes.set_ylim(0, 1)
    axes.set_xlim(0, 1)


def clip(text: str, width: int) -> str:
    return text if len(text) <= width - 1 else text[: max(1, width - 2)] + "…"


def color_of_cell(panel: Panel, column: str, text: str) -> str:
    mappings = overridden(panel, column, "mappings")
    found = mappings[0]["options"].get(text) if mappings else None
    return NAMED[found["color"]] if found else TEXT


def cell(value: Any, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if column == "risk":
        return told(float(value), "percentunit")
    if column == "seconds":
        return told(float(value), "s")
    return str(value)


DRAWERS: dict[str, Drawer] = {
    "stat": draw_stat,
    "timeseries": draw_timeseries,
    "barchart": draw_barchart,
    "piechart": draw_piechart,
    "table": draw_table,
}
