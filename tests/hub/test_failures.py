# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way for a registration to fail, provoked: the module says what was expected, what was seen and the cure."""

from __future__ import annotations

import base64
import time

import pytest
import yaml
from ocm import BOOTSTRAP, CLUSTERS, KLUSTERLETS

AGENT = "open-cluster-management-agent"
IMAGES = dict.fromkeys(("imagePullSpec", "registrationImagePullSpec", "workImagePullSpec"), "ocm")
ACCOUNT = "agent-registration-bootstrap"


@pytest.fixture
def south(world):
    """A facility without an agent, and so again after the test."""
    yield world.south
    klusterlets = world.south.get(KLUSTERLETS, "Klusterlet") or {"items": []}
    own = [entry["spec"]["clusterName"] for entry in klusterlets["items"]] or ["south"]
    world.run(own[0], state="absent", force=True, facility=world.south.access)
    for name in world.hub.names(CLUSTERS, "ManagedCluster"):
        world.run(name, state="absent", force=True)
    assert world.south.remains() == []


def klusterlet(world, name: str, server: str | None = None, token: str | None = None) -> None:
    """The agent as somebody else installed it."""
    config = world.hub.config({"token": token or world.hub.token(ACCOUNT, "open-cluster-management")})
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    files = world.hub.products["ocm"] / "operator"
    world.south.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": AGENT}})
    world.south.apply({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bootstrap-hub-kubeconfig", "namespace": AGENT},
        "stringData": {"kubeconfig": yaml.safe_dump(config)},
    })  # fmt: skip
    world.south.apply_files(files / "klusterlets.crd.yaml")
    for document in yaml.safe_load_all((files / "klusterlet.yaml").read_text()):
        if document:
            world.south.apply(placed(document))
    world.south.apply({
        "apiVersion": "operator.open-cluster-management.io/v1", "kind": "Klusterlet",
        "metadata": {"name": "klusterlet"},
        "spec": {"clusterName": name, "namespace": AGENT, "deployOption": {"mode": "Singleton"}, **IMAGES},
    })  # fmt: skip


def placed(document: dict) -> dict:
    if "namespace" in document["metadata"]:
        document["metadata"]["namespace"] = AGENT
    for subject in document.get("subjects") or []:
        subject["namespace"] = AGENT
    if document["kind"] == "Deployment":
        document["spec"]["replicas"] = 1
    return document


def said_of(world, name: str = "south", **options) -> str:
    return world.refused(name, facility=world.south.access, **options)


def test_a_name_that_can_never_be_used(world):
    said = world.refused("c.9")
    assert "The hub itself accepts such a name, but the cluster can never be used" in said
    world.hub.apply({"apiVersion": CLUSTERS, "kind": "ManagedCluster", "metadata": {"name": "c.9"}})
    world.hub.delete(CLUSTERS, "ManagedCluster", None, "c.9")


def test_no_hub_at_that_address(world):
    said = world.refused("south", kubeconfig=str(world.south.kubeconfig))
    assert "A hub is needed at https://127.0.0.1" in said


def test_wrong_credentials_of_the_facility(world):
    facility = {"host": world.south.server, "api_key": "not-the-token", "validate_certs": False}
    for way in ("auto_secret", "manifests"):
        said = world.refused("south", import_by=way, facility=facility)
        assert "its API server refuses the credentials of option facility: the token is wrong or has expired" in said
    assert world.hub.cluster("south") is None


def test_a_facility_out_of_reach_from_here(world):
    facility = {"host": "https://127.0.0.1:1", "api_key": "any"}
    said = world.refused("south", import_by="manifests", facility=facility)
    assert "is out of reach from here, where its manifests are to be applied from" in said
    assert "If the hub reaches it, use import_by auto_secret" in said


@pytest.mark.usefixtures("south")
def test_a_facility_out_of_reach_from_the_hub(world):
    facility = {**world.south.access, "hub_url": "https://127.0.0.1:1"}
    said = world.refused("south", import_by="auto_secret", facility=facility)
    assert "ManagedClusterImportSucceeded=False, ManagedClusterImportFailed" in said
    assert "The hub does not reach the facility's API server: check its address as the hub sees it" in said


@pytest.mark.usefixtures("south")
def test_a_wrong_token_of_the_agent(world):
    klusterlet(world, "south", token="not-the-token")
    said = said_of(world)
    assert "no CSR of its agent has come to the hub yet" in said
    assert "The agent should get in with the token of Secret bootstrap-hub-kubeconfig, but the hub at https" in said
    assert "Unauthorized" in said
    assert "The hub shows nothing of a wrong token" in world.refused("south", timeout=5)


@pytest.mark.usefixtures("south")
def test_an_expired_token_of_the_agent(world):
    token = base64.urlsafe_b64encode(b'{"exp": 1700000000}').decode().rstrip("=")
    klusterlet(world, "south", token=f"e30.{token}.x")
    assert "expired at 2023-11-14 22:13 UTC, before the agent had joined. Take new manifests" in said_of(world)


@pytest.mark.usefixtures("south")
def test_a_hub_out_of_reach_from_the_facility(world):
    klusterlet(world, "south", server="https://127.0.0.1:1")
    said = said_of(world)
    assert "The facility does not reach the hub at https://127.0.0.1:1. Check DNS, routes, proxy and firewalls" in said
    assert "connection refused" in said


@pytest.mark.usefixtures("south")
def test_a_facility_that_is_registered_under_another_name(world):
    klusterlet(world, "other")
    said = world.refused("south", import_by="auto_secret", facility=world.south.access)
    assert "its cluster should belong to no hub yet, but its Klusterlet is for other" in said


@pytest.mark.usefixtures("south")
def test_no_agent_at_all(world):
    assert "On the facility there is no Klusterlet, so no agent: the import did not get there" in said_of(world)


@pytest.mark.usefixtures("south")
def test_a_request_of_somebody_else_stays_pending(world):
    klusterlet(world, "south")
    said = said_of(world, bootstrap_users=["somebody"])
    assert f"is pending: it should come from somebody, but it comes from {BOOTSTRAP}" in said
    assert world.hub.condition("south", "ManagedClusterJoined") is None


@pytest.mark.usefixtures("south")
def test_not_accepted_denied_and_accepted_again(world):
    klusterlet(world, "south")
    said = world.run("south", accept=False)["facility"]
    assert (said["accepted"], said["joined"], said["available"]) == (False, False, False)
    assert "conditions" not in (world.hub.cluster("south").get("status") or {})
    joined = world.run("south", facility=world.south.access)
    assert joined["facility"]["available"]
    denied = world.run("south", accept=False)["facility"]
    conditions = {entry["type"]: entry["status"] for entry in denied["conditions"]}
    assert conditions["ManagedClusterConditionAvailable"] == "True", "the hub goes on saying so"
    assert not denied["available"], "but the module does not"
    assert world.run("south", facility=world.south.access)["facility"]["available"]


@pytest.mark.usefixtures("south")
def test_a_name_that_is_taken(world):
    klusterlet(world, "south")
    world.run("south", facility=world.south.access)
    second_agent(world, "south")
    said = said_of(world)
    assert "asks to be let in under this name, while the cluster of that name is joined and answers" in said
    assert "The name is taken: register the other cluster under a name of its own" in said


def second_agent(world, name: str) -> None:
    """Another cluster's agent that calls itself by the same name."""
    folder = world.hub.folder / "second"
    folder.mkdir(exist_ok=True)
    bootstrap = folder / "bootstrap"
    config = world.hub.config({"token": world.hub.token(ACCOUNT, "open-cluster-management")})
    bootstrap.write_text(yaml.safe_dump(config))
    world.north.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "second"}})
    world.hub.start(
        "second", world.hub.products["ocm"] / "bin" / "ocm", "registration-operator", "agent",
        "--kubeconfig", world.north.kubeconfig, "--namespace", "second", "--disable-leader-election",
        "--spoke-cluster-name", name, "--bootstrap-kubeconfig", bootstrap, "--hub-kubeconfig-dir", folder / "hub",
        "--workload-source-driver", "kube", "--workload-source-config", folder / "hub" / "kubeconfig",
        "--agent-id", "second-agent", "--listen", "127.0.0.1:0",
    )  # fmt: skip
    try:
        requests = world.hub.resource("certificates.k8s.io/v1", "CertificateSigningRequest")
        world.hub.wait_for("its CSR", lambda: pending(requests))
    finally:
        world.hub.end("second")


def pending(requests) -> list:
    return [entry for entry in requests.get().to_dict()["items"] if not (entry["status"] or {}).get("conditions")]


@pytest.mark.usefixtures("south")
def test_clocks_that_do_not_agree(world):
    klusterlet(world, "south")
    world.run("south", facility=world.south.access)
    world.south.node.asleep.set()
    try:
        end = time.monotonic() + 60
        while world.hub.condition("south", "ManagedClusterConditionClockSynced") != "False":
            assert time.monotonic() < end
            renew_wrongly(world, "south")
            time.sleep(0.5)
        said = world.refused("south")
        assert "its clock and the hub's should agree, but the hub says ManagedClusterConditionClockSynced=False" in said
    finally:
        world.south.node.asleep.clear()


def renew_wrongly(world, name: str) -> None:
    """As an agent does whose clock is wrong by an hour."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 3600))
    change = {"spec": {"renewTime": at}}
    world.hub.patch("coordination.k8s.io/v1", "Lease", name, "managed-cluster-lease", change)
