# SPDX-License-Identifier: GPL-3.0-or-later
"""XRay Lab: what the facility does, for everyone. Queries of the original demo's dashboard run as they were."""

from typing import Any

from .panels import (
    CPU,
    HOPS,
    LABELS,
    MEMORY,
    NAMESPACE,
    QUANTILES,
    RUNNING,
    bars,
    build,
    lines,
    metric,
    number,
    on_the_right,
    over_time,
    quantiles,
    rows,
    shares,
)

COUNTED = """SELECT
  $__timeGroupAlias(time,$__interval),
  count(*) AS "{0}"
FROM images_{0}
WHERE
  $__timeFilter(time)
GROUP BY 1
ORDER BY 1"""
# As in the original demo.
RISKS = """SELECT
  $__timeGroupAlias(time,$__interval),
  label AS metric,
  count(label)
FROM images_processed
WHERE
  $__timeFilter(time)
  and
  label != ''
GROUP BY 1,2
ORDER BY $__timeGroup(time,$__interval)"""
MODELS = """SELECT
  $__timeGroupAlias(time,$__interval),
  model AS metric,
  count(model) AS "model"
FROM images_processed
WHERE
  $__timeFilter(time)
  and
  model != ''
GROUP BY 1,2
ORDER BY $__timeGroup(time,$__interval)"""
SCORES = """SELECT
  to_char(step * 0.05, '0.00') AS score,
  count(image) AS studies
FROM generate_series(0, 19) AS step
LEFT JOIN studies_shown ON least(floor(risk * 20), 19) = step AND $__timeFilter(recorded_at)
GROUP BY step
ORDER BY step"""
SHARES = (
    "SELECT label, count(*) AS studies FROM images_processed WHERE $__timeFilter(time) GROUP BY label ORDER BY label"
)
SLOWEST = """SELECT
  percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - coalesce(announced_at, received_at)))
FROM studies_shown
WHERE
  $__timeFilter(recorded_at)"""


def make() -> Any:
    used = f'{{{NAMESPACE}, container!=""}}'
    return build(
        "hakbeh9Wz", "XRay Lab", "X-rays of this facility: how many came, what was found, how long it took.", "15m",
        number("Images uploaded", "All X-rays that the object store announced.",
               rows("select count(*) from images_uploaded")),
        number("Images processed", "All that were assessed.", rows("select count(*) from images_processed")),
        number("Images anonymized", "All that have a de-identified copy.",
               rows("select count(*) from images_anonymized")),
        number("Waiting", "Announced, without an outcome so far.",
               metric(f'results_studies{{{NAMESPACE}, outcome="received"}}', "waiting", now=True), limits=(50, 500)),
        number("Not assessed", "Rejected: no chest X-ray. Failed: cannot be read; the dead letters say why.",
               metric(f'results_studies{{{NAMESPACE}, outcome=~"rejected|failed"}}', "{{outcome}}", now=True)),
        number("PUT to record, 95 %", "Seconds that 95 % of the studies in this time took at most.", rows(SLOWEST),
               unit="s", limits=(5, 60)),
        lines("Images as they come", "X-rays at each hop.",
              *(over_time(COUNTED.format(name)) for name in HOPS), colors=HOPS, span=12),
        lines("Risk distribution", "Labels of what was assessed.", over_time(RISKS), stacked=True, colors=LABELS,
              span=12),
        shares("Labels", "Labels of what was assessed in this time.", rows(SHARES), LABELS),
        bars("Scores", "Studies by risk of pneumonia, in steps of 0.05.", rows(SCORES), "score"),
        lines("PUT to record", "Seconds that a half, 95 % and 99 % of the studies took at most.",
              *quantiles("results_seconds"), unit="s", colors=QUANTILES),
        lines("Images processed by model version", "Which model assessed them.", over_time(MODELS), stacked=True),
        lines("Risk assessment containers running", "Pods of the function that Knative runs for the load.",
              metric(RUNNING, "running")),
        on_the_right(lines(
            "CPU and RAM usage", "Of all of the facility's pods: cores, and memory on the right.",
            metric(f"sum(rate({CPU}{used}[$__rate_interval]))", "CPU"), metric(f"sum({MEMORY}{used})", "RAM"),
        ), "RAM", "bytes"),
    )  # fmt: skip
