# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that looks before site.yml, on the lab as it is and on what is wrong with it, all in one run."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from conftest import LAB_HOME
from test_playbooks import changes, play, unreachable

pytestmark = pytest.mark.lab
PLAYBOOK = "playbooks/prerequisites.yml"


def look(*arguments):
    """(state, where, rest) of each line of the table, and the run itself."""
    done = play(PLAYBOOK, *arguments)
    table = re.findall(r"^ +(ok|WRONG|unknown) +(\w[\w ]*?)  +(.+)$", done.stdout, re.MULTILINE)
    assert table, done.stdout[-3000:]
    assert changes(done) == ["0"]
    return table, done


def wrong(table):
    return [f"{where} | {rest}" for state, where, rest in table if state == "WRONG"]


def test_the_lab_has_all_that_is_needed(facility):
    table, done = look()
    assert wrong(table) == []
    assert done.returncode == 0, done.stdout[-3000:]
    places = ["DNS", "cluster", "control node", "inventory", "nodes", "object store", "operators", "quota", "rights"]
    assert sorted({where for _state, where, _rest in table}) == [*places, "storage"]
    assert re.search(r"answers with a certificate that verifies, good until \w+ +\d+ .+ 20\d\d GMT", done.stdout)


def test_all_that_is_wrong_is_named_in_one_run(facility):
    given = {
        "results_storage_class": "no-such-class",
        "risk_assessment_memory_request": "900Gi",
        "risk_assessment_memory_limit": "900Gi",
        "image_events_kafka_resources": {"requests": {"cpu": "many"}},
        "xraylab_s3_ca_file": str(LAB_HOME / "kafka-ca.crt"),
        "object_store_admin_access_key": "somebody",
        "object_store_admin_secret_key": "",
        "object_store_storage_cluster": {"storageDeviceSets": []},
        "operators_list": [
            {"package": "odf-operator", "namespace": "openshift-storage"},
            {"package": "no-such-operator", "namespace": "openshift-operators"},
        ],
        "needed_commands": ["no-such-command"],
    }
    table, done = look("-e", json.dumps(given))
    told = "\n".join(wrong(table))
    assert done.returncode != 0
    for sentence in (
        "storage class no-such-class of the database exists: the cluster has",
        "a Kubernetes quantity such as 250m or 384Mi was expected, but it is 'many'",
        "xraylab_s3_ca_file (now " + given["xraylab_s3_ca_file"],
        "not set, or empty: object_store_admin_secret_key",
        "operators | ",  # the catalog has no such package, or there is no OLM
        "or in object_store_storage_nodes: there are 0",
        "command no-such-command is there",
    ):
        assert sentence in told
    del given["image_events_kafka_resources"]  # while a quantity is none, room cannot be judged
    told = "\n".join(wrong(look("-e", json.dumps(given))[0]))
    assert "900 GiB of memory each). Add workers, take load away, or lower risk_assessment_max_scale" in told


def test_a_cluster_that_does_not_answer_hides_nothing_else(facility, tmp_path):
    table, done = look("-e", json.dumps({"xraylab_kubeconfig": str(unreachable(tmp_path)), "needed_python": ">=9"}))
    assert done.returncode != 0
    assert [line.partition(" | ")[0] for line in wrong(table)] == ["control node", "cluster"]
    assert any(where == "object store" and "good until" in rest for _state, where, rest in table)


@pytest.fixture
def stranger(facility, tmp_path):
    """Kubeconfig of a user without any rights."""
    name = f"prerequisites-{uuid.uuid4().hex[:6]}"
    facility.core.create_namespace({"metadata": {"name": name}})
    try:
        facility.core.create_namespaced_service_account(name, {"metadata": {"name": "stranger"}})
        asked = {"spec": {"audiences": [], "expirationSeconds": 600}}
        token = facility.core.create_namespaced_service_account_token("stranger", name, asked).status.token
        server = facility.core.api_client.configuration
        cluster = {"server": server.host, "certificate-authority": server.ssl_ca_cert}
        path = tmp_path / "stranger.kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "c",
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {"token": token}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )  # fmt: skip
        yield path
    finally:
        facility.core.delete_namespace(name)


def test_every_right_that_is_missing_is_named_and_what_may_not_be_read_is_unknown(facility, stranger):
    table, done = look("-e", json.dumps({"xraylab_kubeconfig": str(stranger)}))
    assert done.returncode != 0
    told = wrong(table)
    assert {line.partition(" | ")[0] for line in told} == {"rights"}
    whole = "this user may get, list, create, patch, delete in namespace xraylab-1: not so secrets, "
    [line] = [line for line in told if whole in line]
    for resource in ("deployments.apps", "kafkas.kafka.strimzi.io", "services.serving.knative.dev"):
        assert f"{resource}, " in line
    assert any("this user may get, patch, delete in namespace xraylab-1: not so namespaces." in line for line in told)
    unknown = {where for state, where, _rest in table if state == "unknown"}
    assert unknown == {"operators", "nodes", "storage", "quota", "DNS"}
