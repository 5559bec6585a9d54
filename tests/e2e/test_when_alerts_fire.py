# SPDX-License-Identifier: GPL-3.0-or-later
"""Each alert fires when its fault is caused, by the rules that the role brought and with the lab's short times.

Faults that do not hide one another are caused at once: 20 s of patience for each would take too long one by one. Runs
last, by its name: what was scaled down and up is no longer as site.yml left it, and pods that count begin anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from as_grafana import Grafana, panels
from conftest import LAB_HOME, NAMESPACE, arriving, kubectl

pytestmark = pytest.mark.lab
SECONDS = 300  # a changed monitor reaches Prometheus when the kubelet next looks at its Secret: up to 90 s


def firing(facility) -> dict[str, dict[str, Any]]:
    answer = Grafana(facility).http.get("/api/v1/alerts").json()["data"]["alerts"]
    return {alert["labels"]["alertname"]: alert for alert in answer if alert["state"] == "firing"}


def fire(facility, *names: str) -> None:
    """Waits for these alerts, whose links must lead to a section of the runbooks."""
    seen: dict[str, dict[str, Any]] = {}

    def all_seen() -> bool:
        seen.update(firing(facility))
        return set(names) <= set(seen)

    facility.wait_for(f"{', '.join(names)} to fire", all_seen, SECONDS, 2)
    for name in names:
        assert seen[name]["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{name.lower()}")


@contextmanager
def fault(cause: Callable[[], Any], mend: Callable[[], Any]) -> Iterator[None]:
    cause()
    try:
        yield
    finally:
        mend()


def scaled(kind: str, name: str, replicas: int) -> str:
    return kubectl("scale", kind, name, f"--replicas={replicas}")


def suspend(facility, suspended: bool) -> None:
    """The reconciler; what it noted last becomes three hours older, and its last word is that two are missing."""
    facility.batch.patch_namespaced_cron_job("results-reconcile", NAMESPACE, {"spec": {"suspend": suspended}})
    if suspended:
        facility.query("update reconciliations set at = at - interval '3 hours'")
        facility.query("insert into reconciliations values (now() - interval '3 hours' + interval '1 s', 7, 2, 0, 1)")
    else:
        facility.query("delete from reconciliations where at < now() - interval '2 hours 50 minutes' and listed = 7")
        facility.query("update reconciliations set at = at + interval '3 hours'")


def consumers(facility, number: int) -> None:
    body = {"spec": {"consumers": number}}
    facility.custom.patch_namespaced_custom_object(
        "sources.knative.dev", "v1beta1", NAMESPACE, "kafkasources", facility.topic, body
    )


@pytest.fixture(scope="module")
def awake(facility, xrays) -> None:
    """The function has a pod, so that a fault is not a cold start."""
    facility.record(facility.put("alerts/first.jpeg", xrays[0]))


def test_what_is_given_up_or_forgotten_and_a_silent_reconciler(facility, awake):
    facility.put("alerts/no image.txt", b"no image")
    with fault(lambda: suspend(facility, True), lambda: suspend(facility, False)):
        fire(facility, "XrayDeadLetters", "XrayStudiesForgotten", "XrayReconcilerSilent")
        (panel,) = [panel for panel in panels("operations") if panel["title"] == "Which alerts fire"]
        assert len(Grafana(facility).ask(panel)[0].rows) >= 3


def test_announcements_that_do_not_reach_kafka(facility, xrays, awake):
    """The relay is without Kafka's authority, and says so. A push that is refused at once RGW 16.2 may never notice."""
    authority, aside = LAB_HOME / "kafka-ca.crt", LAB_HOME / "kafka-ca.aside"
    with fault(lambda: authority.rename(aside), lambda: aside.rename(authority)), arriving(facility, xrays, 2):
        fire(facility, "XrayAnnouncementsFail")


def test_a_function_that_takes_no_events(facility, xrays, awake):
    """The events wait; when they are taken at last, they were slow."""
    with fault(lambda: consumers(facility, 0), lambda: consumers(facility, 4)), arriving(facility, xrays):
        fire(facility, "XrayLagGrows", "XrayStudyWaits")
    fire(facility, "XrayStudiesSlow")


def test_a_database_that_is_away(facility, xrays, awake):
    with (
        fault(lambda: scaled("statefulset", "results-db", 0), lambda: scaled("statefulset", "results-db", 1)),
        arriving(facility, xrays, 1),
    ):
        fire(facility, "XrayDatabaseDown", "XrayFunctionFails")
    facility.wait_for("the database", lambda: "1/1" in kubectl("get", "statefulset", "results-db"), 60)


def monitored(name: str) -> str:
    """The PodMonitor of Kafka's exporter looks for pods of this name."""
    selector = json.dumps({"spec": {"selector": {"matchLabels": {"strimzi.io/name": name}}}})
    return kubectl("patch", "podmonitor", "xraylab-kafka", "--type=merge", "-p", selector)


def test_nobody_who_tells(facility, awake):
    with (
        fault(lambda: scaled("deployment", "arrivals", 0), lambda: scaled("deployment", "arrivals", 1)),
        fault(lambda: monitored("nobody"), lambda: monitored("xray-cluster-kafka-exporter")),
    ):
        fire(facility, "XrayArrivalsDown", "XrayLagUnknown")


def test_all_is_well_again(facility):
    facility.wait_for("every event to be taken", lambda: facility.undelivered() == 0, 180, 2)
    blind = {"XrayDatabaseDown", "XrayArrivalsDown", "XrayLagUnknown"}
    facility.wait_for("all to be seen", lambda: not blind & set(firing(facility)), 180, 2)
