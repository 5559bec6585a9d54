# SPDX-License-Identifier: GPL-3.0-or-later
"""upgrade.yml keeps a canary that does its work, and rolls back every other, to what was there before."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from conftest import FUNCTION, NAMESPACE, ROOT, arriving
from test_playbooks import changes, play, words

sys.path.append(str(ROOT / "files" / "model_service" / "tests"))
from tiny_model import tiny_model

pytestmark = pytest.mark.lab
# The rest of what upgrade.yml does is site.yml's, which has tests of its own.
ONLY_THE_FUNCTION = "--skip-tags=object_store,image_events,results,dashboard,gallery,image_generator"
QUICK = {"upgrade_percent": 50, "upgrade_min_studies": 2, "upgrade_watch_seconds": 60, "upgrade_compare": 20}


def upgrade(**variables):
    return play("playbooks/upgrade.yml", ONLY_THE_FUNCTION, "-e", json.dumps({**QUICK, **variables}))


def service(facility):
    return facility.custom.get_namespaced_custom_object("serving.knative.dev", "v1", NAMESPACE, "services", FUNCTION)


def applied(found):
    """What site.yml would compare: all that was applied, and which fields of it are whose."""
    managers = {
        entry["manager"]: entry["fieldsV1"]
        for entry in found["metadata"]["managedFields"]
        if not entry.get("subresource")
    }
    return found["spec"], found["metadata"]["labels"], managers["xraylab"]


@pytest.fixture(scope="module")
def before(facility, xrays):
    """The facility as it was, with some studies on record."""
    for number in range(3):
        facility.record(facility.put(f"recorded/{number}.jpeg", xrays[number]))
    return service(facility)


def assert_rolled_back(facility, before, done):
    assert done.returncode != 0, done.stdout[-3000:]
    assert "was rolled back" in words(done), done.stdout[-3000:]
    now = service(facility)
    assert applied(now) == applied(before)
    served = [(entry["revisionName"], entry["percent"]) for entry in now["status"]["traffic"]]
    assert served == [(now["status"]["latestReadyRevisionName"], 100)]
    assert now["status"]["latestCreatedRevisionName"] == now["status"]["latestReadyRevisionName"]


def test_a_revision_that_never_gets_ready_is_rolled_back(facility, before):
    image = before["spec"]["template"]["spec"]["containers"][0]["image"]
    done = upgrade(risk_assessment_image=f"{image.rpartition(':')[0]}:none", risk_assessment_timeout=30)
    assert_rolled_back(facility, before, done)
    assert "Unable to fetch image" in words(done)


def test_a_revision_that_fails_is_rolled_back(facility, before, xrays):
    with arriving(facility, xrays, 1):  # this user may read everything that it takes, and store nothing
        done = upgrade(risk_assessment_object_store_user="results-reader")
    assert_rolled_back(facility, before, done)
    assert "Could not store a result: the object store answered 403" in words(done)


def test_a_model_that_scores_otherwise_is_rolled_back_before_it_gets_an_xray(facility, before, tmp_path):
    image = before["spec"]["template"]["spec"]["containers"][0]["image"]
    other = f"{image.rpartition(':')[0]}:tiny-model"
    (tmp_path / "model.onnx").write_bytes(tiny_model())
    (tmp_path / "model.onnx").chmod(0o644)
    (tmp_path / "Containerfile").write_text(
        f"FROM {image}\nCOPY model.onnx /opt/model_service/model_service/model.onnx\n"
    )
    for command in (
        ["build", "--isolation=chroot", "--tls-verify=false", f"--tag={other}", str(tmp_path)],
        ["push", "--tls-verify=false", other],
        ["rmi", "--force", other],
    ):
        subprocess.run(["buildah", *command], check=True, timeout=120)
    done = upgrade(risk_assessment_image=other)
    assert_rolled_back(facility, before, done)
    assert "their risks moved by" in words(done)
    assert "No X-ray was sent to it" in words(done)


def test_a_revision_that_does_its_work_is_kept(facility, before, xrays):
    with arriving(facility, xrays, 1):
        done = upgrade(risk_assessment_threshold_pneumonia=0.79)
    assert done.returncode == 0, done.stdout[-3000:]
    now = service(facility)
    assert now["status"]["latestReadyRevisionName"] != before["status"]["latestReadyRevisionName"]
    assert now["spec"]["traffic"] == before["spec"]["traffic"]
    assert "It failed for 0 of" in words(done)
    # upgrade.yml ends as site.yml does, with the same variables.
    assert "risk_assessment : The function is deployed] ***" in done.stdout
    assert done.stdout.split("risk_assessment : The function is deployed]")[1].split("\n")[1].startswith("ok:")


def test_afterwards_the_facility_is_what_its_inventory_says(facility, before):
    back = play("playbooks/pipeline.yml", "--tags=risk_assessment")
    assert back.returncode == 0, back.stdout[-3000:]
    assert applied(service(facility)) == applied(before)
    done = upgrade()
    assert done.returncode == 0, done.stdout[-3000:]
    assert "No canary is needed" in words(done)
    assert changes(done) == ["0"], done.stdout
