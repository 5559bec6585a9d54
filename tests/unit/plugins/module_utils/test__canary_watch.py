# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _canary_watch as canary_watch
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._canary import Limits
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._canary_watch import Revision, Watch
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import NotThere, Unreachable


def study(number, outcome="assessed"):
    return json.dumps({"time": f"12:{number}", "message": outcome, "study": f"s{number}", "stages": {}})


class Cluster:
    """Pods by revision, each with the lines of its log; `away` makes every request fail."""

    def __init__(self, **logs):
        self.logs, self.away, self.started = logs, False, True

    def objects(self, _api_version, _kind, _namespace, label_selector=""):
        if self.away:
            raise Unreachable("away")
        revision = label_selector.partition("=")[2]
        state = {"running": {}} if self.started else {"waiting": {"reason": "ContainerCreating"}}
        status = {"containerStatuses": [{"name": "user-container", "state": state}]}
        return [{"metadata": {"name": pod}, "status": status} for pod in self.logs if pod.startswith(revision)]

    def log(self, _namespace, pod, _container, _lines):
        if self.logs[pod] is None:
            raise NotThere("gone")
        return self.logs[pod]


@pytest.fixture
def watch(monkeypatch):
    """A watch of new and old, whose sleeps do the next of `then`."""

    def start(cluster, *then):
        now, acts = [0.0], iter(then)
        monkeypatch.setattr(canary_watch.time, "monotonic", lambda: now[0])

        def sleep(seconds):
            now[0] += seconds
            next(acts, lambda: None)()

        monkeypatch.setattr(canary_watch.time, "sleep", sleep)
        return Watch(Revision(cluster, "n", "new"), Revision(cluster, "n", "old"), Limits(3, 0.1))

    return start


def test_what_the_kept_revision_did_before_does_not_count(watch):
    cluster = Cluster(old=[study(1)], new=[study(number) for number in range(3)])
    found = watch(cluster)
    cluster.logs["old"] = [study(1), study(2, "retry")]
    verdict = found.run(60, 5)
    assert verdict.state == "keep"
    told = found.result(verdict)
    assert (told["canary"]["handled"], told["kept"]["handled"], told["kept"]["failed"]) == (3, 1, 1)


def test_lines_of_pods_that_are_gone_count_and_none_twice(watch):
    cluster = Cluster(new1=[study(1)], new2=[study(2)])
    found = watch(cluster, lambda: cluster.logs.pop("new1"), lambda: cluster.logs.update(new2=[study(2), study(3)]))
    assert found.run(60, 5).state == "keep"
    assert found.seconds() == 10
    assert len(found.canary.lines) == 3


def test_a_pod_that_ends_between_two_requests_or_has_not_started_has_no_lines(watch):
    cluster = Cluster(new=None)
    assert watch(cluster).look(over=False).state == "wait"
    cluster = Cluster(new=[study(1)])
    cluster.started = False
    found = watch(cluster)
    found.look(over=False)
    assert found.canary.lines == {}


def test_without_studies_it_is_kept_when_time_is_over(watch):
    found = watch(Cluster())
    assert found.run(60, 25).state == "keep"
    assert found.seconds() == pytest.approx(60)


def test_an_api_server_that_is_away_is_borne_but_not_in_the_end(watch):
    cluster = Cluster(new=[study(number) for number in range(3)])
    found = watch(cluster, lambda: setattr(cluster, "away", False))
    cluster.away = True
    assert found.run(60, 5).state == "keep"
    found = watch(cluster)
    cluster.away = True
    with pytest.raises(Unreachable):
        found.run(10, 5)
