# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of results: one row for each study, whatever happens; what was given up; backup and restore."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from as_grafana import COUNTS, counts

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]
STUDIES = int(os.environ.get("XRAYLAB_E2E_STUDIES", "500"))
TIMES = ("announced_at", "received_at", "assessed_at", "deidentified_at", "recorded_at")


def play(playbook: str, *arguments: str) -> str:
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        f"playbooks/{playbook}",
        "-i",
        "inventories/lab",
    ]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000"}
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def test_one_xray_is_one_row_with_all_its_times(facility, xrays):
    key = facility.put("row/Barbara Campbell.jpeg", xrays[0])
    row, record = facility.row(key), facility.record(key)
    for name in (
        "study",
        "image",
        "outcome",
        "label",
        "model_version",
        "processed_key",
        "heatmap_key",
        "anonymized_key",
    ):
        assert row[name] == record[name]
    assert row["risk"] == pytest.approx(record["risk"])
    assert row["bytes"] == len(xrays[0])
    moments = [row[name] for name in TIMES]
    assert None not in moments
    assert moments[1:] == sorted(moments[1:])
    assert abs((row["announced_at"] - row["received_at"]).total_seconds()) < 60


def test_it_is_counted_on_arrival_while_the_function_sleeps(facility, xrays):
    facility.wait_for("the function to fall asleep", lambda: not facility.pods(), 300, 2)
    key = facility.put("arrival/a.jpeg", xrays[1])
    row = facility.wait_for("the row", lambda: facility.rows("arrival/").get(key), 30, 0.1)
    assert row["outcome"] is None
    assert facility.row(key)["received_at"] == row["received_at"]


def test_what_the_gallery_may_see_names_no_object(facility, xrays):
    key = facility.put("row/Barbara Campbell.jpeg", xrays[0])
    image = facility.row(key)["image"]
    shown = facility.query("select * from studies_shown where image = %s", image)
    assert len(shown) == 1
    assert "Barbara" not in json.dumps(shown, default=str)


def test_an_object_that_is_announced_again_and_again_is_one_row(facility, xrays):
    keys = {facility.put("same/same.jpeg", xrays[2]) for _ in range(10)}
    first = facility.row(keys.pop())
    facility.put("same/same.jpeg", xrays[2])
    facility.wait_for("every event to be taken", lambda: facility.undelivered() == 0, 120, 2)
    assert facility.rows("same/") == {first["key"]: first}
    facility.put("same/same.jpeg", xrays[3])
    there = "select outcome from studies where key = %s order by received_at"
    overwritten = facility.wait_for("the other version", lambda: facility.query(there, first["key"])[1:], 60, 1)
    assert len(overwritten) == 1


@pytest.fixture(scope="module")
def given_up(facility) -> dict:
    """The row of what is no image."""
    return facility.row(facility.put("letters/Jane Doe.txt", b"no image"))


def test_what_cannot_be_read_failed_with_its_reason(given_up):
    assert given_up["outcome"] == "failed"
    assert "Expected a JPEG" in given_up["reasons"][0]


def test_dead_letters_can_be_listed(facility, given_up, tmp_path):
    report = tmp_path / "letters.json"
    shown = play("replay.yml", "-e", f"replay_report={report}")
    (letter,) = [letter for letter in json.loads(report.read_text()) if letter["image"] == given_up["image"]]
    assert letter["reason"] == given_up["reasons"][0]
    assert (letter["code"], letter["times"], letter["outcome"]) == (422, 1, "failed")
    assert letter["first_at"] == letter["last_at"]
    assert given_up["image"] in shown
    assert "Jane Doe" not in shown


def test_a_dead_letter_can_be_inspected(facility, given_up, tmp_path):
    report = tmp_path / "letter.json"
    play("replay.yml", "-e", f"replay_report={report}", "-e", f"inspect={given_up['image']}")
    (letter,) = json.loads(report.read_text())
    (told,) = json.loads(letter["event"]["data"])["Records"]
    assert told["s3"]["object"]["key"] == given_up["key"]


def test_a_replayed_dead_letter_comes_again_if_nothing_has_changed(facility, given_up, tmp_path):
    report = tmp_path / "replayed.json"
    play("replay.yml", "-e", f"replay_report={report}", "-e", f"replay={given_up['image']}")
    (letter,) = json.loads(report.read_text())
    assert (letter["replay"], letter["times"]) == ("dead letter again", 2)
    assert letter["first_at"] < letter["replayed_at"] < letter["last_at"]


def test_a_replayed_dead_letter_is_settled_once_its_study_can_be_recorded(facility, xrays, tmp_path):
    """The event of a study that was refused, and whose record is there by now."""
    key = facility.put("letters/later.jpeg", xrays[4])
    row = facility.row(key)
    facility.query("update studies set outcome = 'failed', label = null, risk = null where key = %s", key)
    event = {"headers": {"content-type": "application/json"}, "data": event_of(facility, row)}
    statement = """insert into dead_letters (id, study, reason, code, first_at, last_at, event)
                   values (%s, %s, 'A bug that is mended.', 422, now(), now(), %s::jsonb)"""
    facility.query(statement, row["study"], row["study"], json.dumps(event))
    report = tmp_path / "replayed.json"
    play("replay.yml", "-e", f"replay_report={report}", "-e", "replay=all", "-e", "replay_reason=mended")
    (letter,) = json.loads(report.read_text())
    assert letter["replay"] == "has a result"
    assert facility.row(key)["outcome"] == "assessed"


def event_of(facility, row: dict) -> str:
    entry = {"key": row["key"], "size": row["bytes"], "eTag": row["etag"], "versionId": ""}
    s3 = {"bucket": {"name": facility.source}, "object": entry}
    return json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "eventSource": "ceph:s3", "s3": s3}]})


def test_what_was_forgotten_is_found(facility, xrays):
    """An object whose event was lost has neither row nor record."""
    key = facility.put("forgotten/a.jpeg", xrays[5])
    facility.row(key)
    for name in facility.results(key):
        facility.s3("xraylab").delete_object(Bucket=facility.processed, Key=name)
    facility.query("delete from studies where key = %s", key)
    reconcile(facility)
    row = facility.row(key)
    assert (row["outcome"], row["reannounced"]) == ("assessed", 1)
    assert reconcile(facility)["missing"] == 0


def reconcile(facility) -> dict:
    lines = facility.run_cronjob("results-reconcile", "--grace=0", "--most=100000")
    return next(told for told in map(json.loads, lines) if told["message"] == "reconciled")


def test_a_backup_can_be_put_back_and_what_came_later_is_announced_again(facility, xrays):
    before = [facility.put(f"backup/{number}.jpeg", xrays[number]) for number in range(3)]
    kept = {key: facility.row(key) for key in before}
    facility.run_cronjob("results-backup")
    later = facility.put("backup/later.jpeg", xrays[6])
    facility.row(later)
    facility.query("delete from studies where starts_with(key, %s)", facility.prefix + "backup/")
    play("restore.yml")
    assert facility.row(later)["outcome"] == "assessed"
    assert {key: facility.row(key) for key in before} == kept
    assert facility.query("select count(*) as number from studies_shown")[0]["number"] > 0


def test_none_is_lost_and_none_counts_twice_whatever_is_killed(facility, xrays):
    """Mixed X-rays with duplicates and what is no image; the database and the function are killed while they come."""
    chance = random.Random(5)
    waiting = "select count(*) as number from studies where outcome is null"
    facility.wait_for("the others' outcomes", lambda: facility.query(waiting)[0]["number"] == 0, 180, 2)
    before = counts(facility)
    good = [facility.put(f"mixed/{number:03}.jpeg", xrays[number % len(xrays)]) for number in range(STUDIES // 2)]
    kill(facility, "results-db-0")
    bad = [
        facility.put(f"mixed/bad {number}.jpeg", b"no image %d" % number) for number in range(max(1, STUDIES // 100))
    ]
    for number in chance.sample(range(len(good)), len(good) // 10):
        facility.put(f"mixed/{number:03}.jpeg", xrays[number % len(xrays)])
    for number in range(STUDIES // 2, STUDIES):
        good.append(facility.put(f"mixed/{number:03}.jpeg", xrays[number % len(xrays)]))
        if number % (STUDIES // 4) == 1:
            for pod in facility.pods():
                kill(facility, pod)
    time.sleep(2)
    kill(facility, "results-db-0")

    def settled() -> bool:
        try:
            rows = facility.rows("mixed/")
        except psycopg.OperationalError:  # the database is on its way back
            return False
        return len(rows) == len(good) + len(bad) and all(row["outcome"] for row in rows.values())

    facility.wait_for("an outcome of every study", settled, 120 + STUDIES * 2, 5)
    rows = facility.rows("mixed/")
    assert {key for key, row in rows.items() if row["outcome"] == "failed"} == set(bad)
    assert {key for key, row in rows.items() if row["outcome"] == "assessed"} == set(good)
    records = facility.records("mixed/")
    assert set(records) == set(good)
    for key, record in records.items():
        assert (rows[key]["label"], rows[key]["model_version"]) == (record["label"], record["model_version"])
    facility.wait_for("every event to be taken", lambda: facility.undelivered() == 0, 300, 2)
    assert reconcile(facility)["missing"] == 0
    counts_agree(facility, rows, records, before)


def counts_agree(facility, rows: dict, records: dict, before: dict[str, float]) -> None:
    """The metrics with the database, and the dashboard's gain since `before` with the buckets."""
    counted = metrics(facility)
    outcomes = "select outcome, count(*) as number from studies where outcome is not null group by 1"
    for row in facility.query(outcomes):
        assert counted[f'results_studies{{outcome="{row["outcome"]}"}}'] == row["number"]
    assert counted["results_missing"] == 0
    copies = [row for row in rows.values() if row["anonymized_key"]]
    sources = facility.keys(facility.source, facility.prefix + "mixed/")
    gained = {title: number - before[title] for title, number in counts(facility).items()}
    assert gained == dict(zip(COUNTS, (len(sources), len(records), len(copies)), strict=True))


def kill(facility, pod: str) -> None:
    facility.core.delete_namespaced_pod(pod, "xraylab-1", grace_period_seconds=0)


def metrics(facility) -> dict[str, float]:
    """What the pod that counts arrivals shows."""
    import urllib.request

    time.sleep(6)  # it looks every five seconds
    address = facility.core.read_namespaced_service("arrivals", "xraylab-1").spec.cluster_ip
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=20).read().decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _space, value in lines}
