# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _diagnosis as diagnosis
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _waiting as waiting
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError, Unreachable
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._waiting import Limits, Target, Watch

KAFKA = Target("kafka.strimzi.io/v1", "Kafka", "n", "c")
LIMITS = Limits(timeout=10, interval=1, grace=3)


def kafka(ready="True", name="c"):
    conditions = [{"type": "Ready", "status": ready, "reason": "Creating"}]
    return {"metadata": {"name": name, "namespace": "n"}, "status": {"conditions": conditions}}


def pod(reason="ImagePullBackOff", name="c-0"):
    status = {
        "name": "kafka",
        "ready": False,
        "restartCount": 1,
        "state": {"waiting": {"reason": reason, "message": "no image"}},
    }
    return {
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"containers": [{"name": "kafka"}]},
        "status": {"phase": "Pending", "containerStatuses": [status]},
    }


class Cluster:
    """An API server in memory: `kinds` maps a kind to its objects, to None (not served), or to an error."""

    def __init__(self, **kinds):
        self.kinds, self.asked = kinds, []

    def objects(self, api_version, kind, namespace, name=None, **query):
        self.asked.append((kind, name or query.get("label_selector", "*")))
        found = self.kinds.get(kind, [])
        if isinstance(found, Exception):
            raise found
        if found is None:
            return None
        return [{"apiVersion": api_version, "kind": kind, **o} for o in found if name in (None, o["metadata"]["name"])]

    def events(self, _namespace, _kind, name):
        return [{"metadata": {}, "type": "Warning", "reason": "Failed", "message": f"pull for {name}", "count": 4}]

    def log(self, _namespace, pod, container, lines, previous=False):
        return [f"{pod}/{container} previous={previous} lines={lines}"]


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, monkeypatch):
        self.now, self.then = 0.0, []
        monkeypatch.setattr(waiting.time, "sleep", self.sleep)

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for at, act in self.then:
            if self.now - seconds < at <= self.now:
                act()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def watch(cluster, clock, *targets, state="ready"):
    return Watch(cluster, list(targets) or [KAFKA], state, clock)


def test_what_is_ready_ends_the_wait_at_once(clock):
    watched = watch(Cluster(Kafka=[kafka()]), clock)
    assert watched.run(LIMITS) == "done"
    assert watched.watched[0].result() == {
        "api_version": "kafka.strimzi.io/v1", "kind": "Kafka", "namespace": "n", "name": "c", "label_selector": "",
        "done": True, "reason": "is ready", "seconds": 0.0,
        "status": kafka()["status"],
    }  # fmt: skip


def test_only_what_is_named_and_there_has_a_status(clock):
    targets = Target("v1", "Pod", "n", selector="a=b", exists=True), Target("v1", "Pod", "n", "gone")
    watched = watch(Cluster(Pod=[pod()]), clock, *targets)
    watched.look()
    assert [entry.result()["status"] for entry in watched.watched] == [{}, {}]


def test_an_object_may_appear_and_its_kind_too(clock):
    cluster = Cluster(Kafka=None)
    clock.then = [
        (2, lambda: cluster.kinds.update(Kafka=[])),
        (4, lambda: cluster.kinds.update(Kafka=[kafka("False")])),
        (6, lambda: cluster.kinds.update(Kafka=[kafka()])),
    ]
    watched = watch(cluster, clock)
    assert watched.run(LIMITS) == "done"
    assert watched.watched[0].done_after == 6


def test_time_runs_out_with_the_last_reason(clock):
    watched = watch(Cluster(Kafka=[kafka("False")]), clock)
    assert watched.run(LIMITS) == "timeout"
    assert clock.now <= LIMITS.timeout
    assert watched.watched[0].verdict.reason == "Ready is False (Creating)"


def test_a_failure_ends_the_wait_at_once(clock):
    failed = {
        "metadata": {"name": "j", "namespace": "n"},
        "status": {"conditions": [{"type": "Failed", "status": "True"}]},
    }
    watched = watch(Cluster(Job=[failed]), clock, Target("batch/v1", "Job", "n", "j"), KAFKA)
    assert watched.run(LIMITS) == "failed"
    assert clock.now == 0


def test_an_image_that_cannot_be_pulled_ends_the_wait_after_the_grace(clock):
    watched = watch(Cluster(Kafka=[kafka("Unknown")], Pod=[pod()]), clock)
    assert watched.run(LIMITS) == "failed"
    assert clock.now == LIMITS.grace
    assert "pod c-0: container kafka is in ImagePullBackOff: no image" in watched.watched[0].verdict.reason


def test_a_crash_loop_may_end_and_does_not_end_the_wait(clock):
    watched = watch(Cluster(Kafka=[kafka("Unknown")], Pod=[pod("CrashLoopBackOff")]), clock)
    assert watched.run(LIMITS) == "timeout"


def test_a_subscription_waits_for_its_operator_version(clock):
    subscription = {"metadata": {"name": "s", "namespace": "n"}, "status": {"installedCSV": "op.v1"}}
    version = {"metadata": {"name": "op.v1", "namespace": "n"}, "status": {"phase": "Installing"}}
    target = Target("operators.coreos.com/v1alpha1", "Subscription", "n", "s")
    watched = watch(Cluster(Subscription=[subscription], ClusterServiceVersion=[version]), clock, target)
    watched.look()
    assert watched.watched[0].verdict.reason == "its ClusterServiceVersion op.v1: status.phase is Installing"
    version["status"]["phase"] = "Succeeded"
    watched.look()
    assert not watched.open()


def test_absent_waits_until_nothing_is_left_and_names_finalizers(clock):
    leaving = kafka()
    leaving["metadata"] |= {"deletionTimestamp": "now", "finalizers": ["strimzi.io/topic-operator"]}
    cluster = Cluster(Kafka=[leaving])
    watched = watch(cluster, clock, state="absent")
    watched.look()
    assert watched.watched[0].verdict.reason == "is being deleted and held by its finalizers strimzi.io/topic-operator"
    clock.then = [(2, lambda: cluster.kinds.update(Kafka=[]))]
    assert watched.run(LIMITS) == "done"
    assert watch(Cluster(Kafka=None), clock, state="absent").run(LIMITS) == "done"


def test_labels_need_their_minimum(clock):
    target = Target("kafka.strimzi.io/v1", "Kafka", "n", selector="app=x", minimum=2)
    cluster = Cluster(Kafka=[kafka()])
    watched = watch(cluster, clock, target)
    watched.look()
    assert watched.watched[0].verdict.reason == "1 of 2 exist"
    cluster.kinds["Kafka"].append(kafka("False", "d"))
    watched.look()
    assert watched.watched[0].verdict.reason == "d Ready is False (Creating)"


def test_many_names_of_a_kind_are_read_by_one_request(clock):
    cluster = Cluster(Kafka=[kafka(name=name) for name in "abc"])
    watch(cluster, clock, *(Target("kafka.strimzi.io/v1", "Kafka", "n", name) for name in "abcd")).look()
    assert cluster.asked == [("Kafka", "*")]


def test_a_server_that_was_never_reached_is_an_error_and_one_that_goes_away_is_not(clock):
    with pytest.raises(Unreachable):
        watch(Cluster(Kafka=Unreachable("refused")), clock).run(LIMITS)
    cluster = Cluster(Kafka=[kafka("False")])
    clock.then = [
        (1, lambda: cluster.kinds.update(Kafka=Unreachable("refused"))),
        (3, lambda: cluster.kinds.update(Kafka=[kafka()])),
    ]
    assert watch(cluster, clock).run(LIMITS) == "done"
    with pytest.raises(ClusterError):
        watch(Cluster(Kafka=ClusterError("403")), clock).run(LIMITS)


def test_the_diagnosis_tells_all_that_is_known(clock):
    watched = watch(
        Cluster(Kafka=[kafka("Unknown")], Pod=[pod()]), clock, KAFKA, Target("v1", "ConfigMap", "n", "gone")
    )
    watched.run(LIMITS)
    text = diagnosis.failure("Waited.", watched.reports(5))
    assert text.splitlines() == [
        "Waited.",
        "Kafka n/c: Ready is Unknown (Creating); pod c-0: container kafka is in ImagePullBackOff: no image",
        "  event: Warning Failed: pull for c (4 times)",
        "  pod c-0: container kafka is in ImagePullBackOff: no image",
        "    event: Warning Failed: pull for c-0 (4 times)",
        "    log of kafka: c-0/kafka previous=True lines=5",
        "  look with: kubectl -n n describe kafka.kafka.strimzi.io c",
        "ConfigMap n/gone: does not exist yet",
        "  look with: kubectl -n n describe configmap gone",
    ]


def test_no_log_is_read_where_none_is_wanted(clock):
    watched = watch(Cluster(Kafka=[kafka("Unknown")], Pod=[pod()]), clock)
    watched.look()
    assert watched.reports(0)[0].pods[0].log == []
