# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations: every hop's rate, lag, errors and saturation, in the order of the flow."""

from typing import Any

from .panels import (
    ANSWERS,
    CPU,
    MEMORY,
    NAMESPACE,
    OUTCOMES,
    PUSHES,
    QUANTILES,
    RUNNING,
    build,
    lines,
    list_of,
    metric,
    number,
    on_the_right,
    quantiles,
)

RGW = "sum(rate(ceph_rgw_{}[$__rate_interval]))"


def make() -> Any:
    return build(
        "xraylab-operations", "Operations", "Every hop: rate, lag, errors and saturation.", "30m",
        *overview(), "Object store", *object_store(), "Events", *events(), "Risk assessment", *risk_assessment(),
        "Results", *results(), "Saturation", *saturation(),
    )  # fmt: skip


def overview() -> list[Any]:
    firing = 'ALERTS{alertstate="firing", alertname=~"Xray.+", namespace=~"$namespace|openshift-storage"}'
    age = f"time() - results_reconciled_timestamp_seconds{{{NAMESPACE}}}"
    return [
        number("Alerts", "How many fire.", metric(f"count({firing}) or vector(0)", "alerts", now=True), limits=(1, 2)),
        number("Lag", "Events that wait for a consumer.",
               metric(f"sum(clamp_min(kafka_consumergroup_lag{{{NAMESPACE}}}, 0))", "events", now=True),
               limits=(100, 1000)),
        number("Oldest waiting", "Age of the oldest study without an outcome.",
               metric(f"results_oldest_waiting_seconds{{{NAMESPACE}}}", "age", now=True), unit="s", limits=(120, 900)),
        number("Open dead letters", "Given up, and neither replayed nor settled since.",
               metric(f'results_dead_letters{{{NAMESPACE}, state="open"}}', "letters", now=True), limits=(1, 10)),
        number("Forgotten", "Objects without a result when bucket and database were last compared.",
               metric(f"results_missing{{{NAMESPACE}}}", "objects", now=True), limits=(1, 10)),
        number("Last comparison", "When bucket and database were last compared.",
               metric(age, "ago", now=True), unit="s", limits=(1800, 3600)),
        list_of("Which alerts fire", "docs/runbooks.md says what each means and what to do.",
                metric(f"max by (severity, alertname, namespace, consumergroup, topic) ({firing})", now=True),
                span=24, height=5),
    ]  # fmt: skip


def object_store() -> list[Any]:
    return [
        lines("Objects stored and read", "PUTs and GETs a second, of all buckets.",
              metric(RGW.format("put"), "PUT"), metric(RGW.format("get"), "GET"), unit="reqps", span=12),
        lines("Announcements", "Pushed to Kafka a second, refused by it, and under way.",
              metric(RGW.format("pubsub_push_ok"), "ok"), metric(RGW.format("pubsub_push_failed"), "failed"),
              metric("sum(ceph_rgw_pubsub_push_pending)", "pending"), colors=PUSHES, span=12),
    ]  # fmt: skip


def events() -> list[Any]:
    end = f"sum by (topic) (rate(kafka_topic_partition_current_offset{{{NAMESPACE}}}[$__rate_interval]))"
    lag = f"sum by (consumergroup, topic) (clamp_min(kafka_consumergroup_lag{{{NAMESPACE}}}, 0))"
    return [
        lines("Events kept", "How fast the end of each topic moves.", metric(end, "{{topic}}"), unit="cps"),
        lines("Lag", "Events that wait, by consumer.", metric(lag, "{{consumergroup}}: {{topic}}")),
        lines("Counted on arrival", "Announcements and dead letters that became rows, a second.",
              metric(f"sum by (kind) (rate(arrivals_studies_total{{{NAMESPACE}}}[$__rate_interval]))", "{{kind}}"),
              unit="cps"),
    ]  # fmt: skip


def risk_assessment() -> list[Any]:
    answers = f"sum by (answer) (rate(risk_assessment_events_total{{{NAMESPACE}}}[$__rate_interval]))"
    stages = f"sum by (stage) (rate(results_stage_seconds_{{}}{{{{{NAMESPACE}}}}}[$__rate_interval]))"
    mean = f"{stages.format('sum')} / {stages.format('count')}"
    pods = f'kube_pod_container_state_started{{{NAMESPACE}, container="user-container"}}'
    return [
        lines("Answers", "204: recorded. 422: a dead letter at once. 503: to be tried again.",
              metric(answers, "{{answer}}"), unit="reqps", colors=ANSWERS),
        lines("Stages", "Mean seconds of each stage, from the announcement to what is stored.",
              metric(mean, "{{stage}}"), unit="s"),
        on_the_right(lines(
            "Pods and cold starts", "Pods, those of them that started within the last minute, and what a start takes.",
            metric(RUNNING, "running"), metric(f"count(time() - {pods} < 60) or vector(0)", "started"),
            metric(f"max(risk_assessment_start_seconds{{{NAMESPACE}}})", "until its model is warm"),
        ), "until its model is warm", "s"),
    ]  # fmt: skip


def results() -> list[Any]:
    recorded = f"sum by (outcome) (rate(results_recorded_total{{{NAMESPACE}}}[$__rate_interval]))"
    score = f"rate(results_risk_{{}}{{{{{NAMESPACE}}}}}[$__rate_interval])"
    return [
        lines("Studies recorded", "A second, by outcome.", metric(recorded, "{{outcome}}"), unit="cps",
              colors=OUTCOMES),
        lines("PUT to record", "Seconds that a half, 95 % and 99 % of the studies took at most.",
              *quantiles("results_seconds"), unit="s", colors=QUANTILES),
        lines("Mean score", "A shift of it may mean other patients, another device, or a model that no longer fits.",
              metric(f"sum({score.format('sum')}) / sum({score.format('count')})", "mean risk"), unit="percentunit"),
    ]  # fmt: skip


def saturation() -> list[Any]:
    used = f'{{{NAMESPACE}, container!=""}}'
    return [
        lines("CPU", "Cores in use.",
              metric(f"sum by (container) (rate({CPU}{used}[$__rate_interval]))", "{{container}}"), span=12),
        lines("Memory", "Working set.", metric(f"sum by (container) ({MEMORY}{used})", "{{container}}"), unit="bytes",
              span=12),
    ]  # fmt: skip
