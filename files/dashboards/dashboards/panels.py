# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels as this project draws them: core panels of Grafana only, and two datasources by their uid."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import barchart, common, dashboard, piechart, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as shape
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

METRICS = DataSourceRef("prometheus", "xraylab-prometheus")
RESULTS = DataSourceRef("postgres", "xraylab-results")
GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"
LABELS = {"Normal": GREEN, "Unsure": ORANGE, "Pneumonia": RED}
OUTCOMES = {"assessed": GREEN, "rejected": ORANGE, "failed": RED, "received": BLUE}
ANSWERS = {"204": GREEN, "422": ORANGE, "503": RED}
HOPS = {"uploaded": BLUE, "processed": GREEN, "anonymized": "purple"}
QUANTILES = {"p50": BLUE, "p95": ORANGE, "p99": RED}
PUSHES = {"ok": GREEN, "pending": ORANGE, "failed": RED}
NAMESPACE = 'namespace="$namespace"'
RUNNING = f'sum(kube_pod_container_status_running{{{NAMESPACE}, container="user-container"}}) or vector(0)'
CPU, MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"


class Sql(Dataquery):
    """A query of PostgreSQL, which the SDK has no class for."""

    def __init__(self, text: str, form: str) -> None:
        self.text, self.form, self.ref_id = text, form, ""

    def build(self) -> "Sql":
        return self

    def to_json(self) -> dict[str, Any]:
        return {
            "datasource": RESULTS, "editorMode": "code", "format": self.form, "rawQuery": True, "rawSql": self.text,
            "refId": self.ref_id,
        }  # fmt: skip


def rows(text: str) -> Sql:
    return Sql(text, "table")


def over_time(text: str) -> Sql:
    """Rows of a time, perhaps a column `metric` with the series' name, and a number."""
    return Sql(text, "time_series")


def metric(expression: str, legend: str = "", now: bool = False) -> prometheus.Dataquery:
    """A query of Prometheus; with `now` only the last value."""
    query = prometheus.Dataquery().expr(expression).legend_format(legend).datasource(METRICS)
    return query.instant().format(PromQueryFormat.TABLE) if now and not legend else query.instant() if now else query


def quantiles(histogram: str) -> list[prometheus.Dataquery]:
    rate = f"sum by (le) (rate({histogram}_bucket{{{NAMESPACE}}}[$__rate_interval]))"
    return [metric(f"histogram_quantile({number / 100}, {rate})", f"p{number}") for number in (50, 95, 99)]


def fill(panel: Any, title: str, what: str, queries: Sequence[Any], span: int, height: int) -> Any:
    """What all panels have. Queries are lettered A, B, C in their order."""
    for letter, query in zip("ABCDEF", queries, strict=False):
        if isinstance(query, Sql):
            query.ref_id = letter
        else:
            query.ref_id(letter)
        panel.with_target(query)
    panel.datasource(RESULTS if isinstance(queries[0], Sql) else METRICS)
    return panel.title(title).description(what).span(span).height(height)


def number(
    title: str, what: str, *queries: Any, unit: str = "short", limits: tuple[float, ...] = (), span: int = 4
) -> Any:
    """The last value, large; `limits` are where it turns orange and red."""
    steps = [Threshold(None, BLUE if not limits else GREEN)]
    steps += [Threshold(limit, color) for limit, color in zip(limits, (ORANGE, RED), strict=False)]
    panel = (
        stat.Panel()
        .unit(unit)
        .no_value("none yet")
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .color_mode(shape.BigValueColorMode.VALUE)
        .graph_mode(shape.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return fill(panel, title, what, queries, span, 4)


def lines(
    title: str,
    what: str,
    *queries: Any,
    unit: str = "short",
    stacked: bool = False,
    colors: dict[str, str] | None = None,
    span: int = 8,
) -> Any:
    """Values over time, as lines, or as bars on top of one another; `colors` of series by their name."""
    panel = timeseries.Panel().unit(unit).min(0).show_points(shape.VisibilityMode.NEVER)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(shape.LegendDisplayMode.LIST)
        .placement(shape.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
    panel.tooltip(common.VizTooltipOptions().mode(shape.TooltipDisplayMode.MULTI).sort(shape.SortOrder.DESCENDING))
    if stacked:
        panel.draw_style(shape.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
        panel.stacking(common.StackingConfig().mode(shape.StackingMode.NORMAL).group("A"))
    else:
        panel.line_width(2).fill_opacity(8).span_nulls(60000)
    return fill(colored(panel, colors or {}), title, what, queries, span, 8)


def bars(title: str, what: str, query: Sql, x: str, span: int = 8) -> Any:
    """One bar for each row."""
    panel = (
        barchart.Panel()
        .x_field(x)
        .min(0)
        .fill_opacity(80)
        .line_width(0)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(BLUE))
        .legend(
            common.VizLegendOptions()
            .show_legend(False)
            .display_mode(shape.LegendDisplayMode.HIDDEN)
            .placement(shape.LegendPlacement.BOTTOM)
            .calcs([])
        )
    )
    return fill(panel, title, what, [query], span, 8)


def shares(title: str, what: str, query: Sql, colors: dict[str, str], span: int = 8) -> Any:
    """A part of the whole for each row: its first column names it, its second counts it."""
    panel = (
        piechart.Panel()
        .pie_type(piechart.piechart.PieChartType.DONUT)
        .reduce_options(common.ReduceDataOptions().values(True).calcs(["lastNotNull"]))
        .legend(
            piechart.PieChartLegendOptions()
            .display_mode(shape.LegendDisplayMode.TABLE)
            .placement(shape.LegendPlacement.RIGHT)
            .show_legend(True)
            .values([piechart.piechart.PieChartLegendValues.VALUE, piechart.piechart.PieChartLegendValues.PERCENT])
        )
    )
    return fill(colored(panel, colors), title, what, [query], span, 8)


def list_of(title: str, what: str, query: Any, link: str = "", span: int = 8, height: int = 11) -> Any:
    """A table; the column `link` leads to the study's page in the gallery."""
    hidden = {"Time": True, "Value": True}  # of alerts, which fire or are not there
    panel = table.Panel().show_header(True)
    panel.with_transformation(DataTransformerConfig("organize", options={"excludeByName": hidden}))
    if link:
        panel.override_by_name(link, [DynamicConfigValue("links", [{
            "title": "The study in the gallery", "url": "@gallery@/studies/${__value.text}", "targetBlank": True,
        }])])  # fmt: skip
    for name, unit in (("risk", "percentunit"), ("seconds", "s")):
        panel.override_by_name(name, [DynamicConfigValue("unit", unit)])
    options = {name: {"color": color, "index": index} for index, (name, color) in enumerate(LABELS.items())}
    panel.override_by_name("label", [
        DynamicConfigValue("mappings", [{"type": "value", "options": options}]),
        DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ])  # fmt: skip
    return fill(panel, title, what, [query], span, height)


def colored(panel: Any, colors: dict[str, str]) -> Any:
    for name, color in colors.items():
        panel.override_by_name(name, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})])
    return panel


def on_the_right(panel: Any, name: str, unit: str) -> Any:
    """The series `name` has an axis of its own."""
    return panel.override_by_name(
        name, [DynamicConfigValue("unit", unit), DynamicConfigValue("custom.axisPlacement", "right")]
    )


def build(uid: str, title: str, what: str, since: str, *parts: Any) -> dashboard.Dashboard:
    """A dashboard of panels, from left to right, and of the headings of its rows, which are texts."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(what)
        .tags(["xraylab"])
        .timezone("browser")
        .readonly()
        .refresh("5s")
        .time(f"now-{since}", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("XRay Lab")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["xraylab"])
            .keep_time(True)
            .as_dropdown(False)
        )
        .with_variable(dashboard.ConstantVariable("namespace").value("@namespace@"))
    )
    for number_, part in enumerate(parts, 1):
        if isinstance(part, str):
            made.with_row(dashboard.Row(part).id(number_))
        else:
            made.with_panel(part.id(number_))
    return made
