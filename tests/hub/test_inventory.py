# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin on a real hub: hosts and groups, a cache, what it says of errors, and a way through the hub."""

from __future__ import annotations

import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest
import yaml
from control_plane import ROOT
from ocm import CLUSTERS

PLUGIN = "xraylab.medical_diagnosis.managed_facilities"
LABELS = {"tier": "edge", "example.com/country": "no"}


@pytest.fixture(scope="module")
def hub(world):
    """Two facilities of a set with a placement, one that is not accepted, and the hub's own cluster."""
    sets = {"apiVersion": "cluster.open-cluster-management.io/v1beta2"}
    world.hub.apply({**sets, "kind": "ManagedClusterSet", "metadata": {"name": "clinics"}})
    world.hub.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fleet"}})
    binding = {"metadata": {"name": "clinics", "namespace": "fleet"}, "spec": {"clusterSet": "clinics"}}
    world.hub.apply({**sets, "kind": "ManagedClusterSetBinding", **binding})
    world.hub.apply({
        "apiVersion": "cluster.open-cluster-management.io/v1beta1", "kind": "Placement",
        "metadata": {"name": "edge", "namespace": "fleet"},
        "spec": {
            "clusterSets": ["clinics"],
            "predicates": [{"requiredClusterSelector": {"labelSelector": {"matchLabels": {"tier": "edge"}}}}],
        },
    })  # fmt: skip
    for name, plane in (("north", world.north), ("south", world.south)):
        world.run(name, import_by="manifests", facility=plane.access, cluster_set="clinics", labels=LABELS)
    world.run("stranger", accept=False)
    world.hub.apply({
        "apiVersion": CLUSTERS, "kind": "ManagedCluster", "metadata": {"name": "local-cluster"},
        "spec": {"hubAcceptsClient": True},
    })  # fmt: skip
    world.hub.wait_for("decisions", lambda: len(decisions(world.hub)) == 2)
    yield world.hub
    world.hub.delete(CLUSTERS, "ManagedCluster", None, "local-cluster")
    for name, plane in (("north", world.north), ("south", world.south)):
        world.run(name, state="absent", force=True, facility=plane.access)
    world.run("stranger", state="absent")


def decisions(hub) -> list:
    found = hub.get("cluster.open-cluster-management.io/v1beta1", "PlacementDecision", "fleet")["items"]
    return [one["clusterName"] for entry in found for one in (entry["status"] or {}).get("decisions") or []]


@pytest.fixture
def inventory(hub, tmp_path):
    def listed(fails: bool = False, **options):
        file = tmp_path / "place.managed_facilities.yml"
        config = {"plugin": PLUGIN, "kubeconfig": str(hub.kubeconfig), **options}
        file.write_text(yaml.safe_dump({key: value for key, value in config.items() if value is not None}))
        return run(file, fails)

    return listed


def run(file, fails: bool = False, **environment):
    done = subprocess.run(
        ["ansible-inventory", "-i", file, "--list"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1", **environment},
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stderr
    return " ".join(done.stderr.split()) if fails else plain(json.loads(done.stdout))


def plain(told):
    """Without the marks of what is no template."""
    if isinstance(told, dict):
        return told["__ansible_unsafe"] if set(told) == {"__ansible_unsafe"} else {k: plain(v) for k, v in told.items()}
    return [plain(entry) for entry in told] if isinstance(told, list) else told


def hosts(found, group):
    return sorted(found.get(group, {}).get("hosts", []))


def test_facilities_are_hosts_in_their_groups(inventory):
    found = inventory(group_by_labels=["tier", "example.com/country"])
    both = ["north", "south"]
    groups = ("facilities", "available", "set_clinics", "placement_edge", "tier_edge", "country_no", "denied")
    assert {group: hosts(found, group) for group in groups} == {
        "facilities": [*both, "stranger"], "available": both, "set_clinics": both, "placement_edge": both,
        "tier_edge": both, "country_no": both, "denied": ["stranger"],
    }  # fmt: skip
    told = found["_meta"]["hostvars"]["north"]
    assert told["facility_placements"] == ["fleet/edge"]
    assert told["facility_state"] == "available"
    assert "vars" not in found["all"]


def test_the_hub_itself_is_one_if_asked_for(inventory):
    assert "local-cluster" in hosts(inventory(local_cluster=True), "facilities")


def test_some_are_selected(inventory):
    selector = "cluster.open-cluster-management.io/clusterset=clinics"
    assert hosts(inventory(label_selector=selector), "facilities") == ["north", "south"]


def test_constructed_variables_and_groups(inventory):
    found = inventory(
        host_format="{name}.example.com",
        compose={"xraylab_context": "facility_name"},
        groups={"reached": "facility_conditions.ManagedClusterJoined | default('') == 'True'"},
        keyed_groups=[{"key": "facility_state", "prefix": "is"}],
    )
    assert hosts(found, "is_available") == hosts(found, "reached") == ["north.example.com", "south.example.com"]
    assert found["_meta"]["hostvars"]["south.example.com"]["xraylab_context"] == "south"


def test_strict_says_what_is_undefined(inventory):
    assert "nowhere" in inventory(fails=True, strict=True, compose={"x": "nowhere.at.all"})
    assert "x" not in inventory(compose={"x": "nowhere.at.all"})["_meta"]["hostvars"]["north"]


def test_what_the_hub_says_is_no_template(hub, inventory):
    """A facility writes its own claims: none of it may run here."""
    claims = {"status": {"conditions": [], "clusterClaims": [{"name": "odd", "value": "{{ 7 * 6 }}"}]}}
    hub.resource(CLUSTERS, "ManagedCluster").status.patch(
        body=claims, name="stranger", content_type="application/merge-patch+json"
    )
    told = inventory(compose={"seen": "facility_claims.odd"})["_meta"]["hostvars"]["stranger"]
    assert told["seen"] == told["facility_claims"]["odd"] == "{{ 7 * 6 }}"


def test_a_cache_spares_the_hub(hub, tmp_path, world):
    file = tmp_path / "place.managed_facilities.yml"
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    file.write_text(yaml.safe_dump({"plugin": PLUGIN, "kubeconfig": str(hub.kubeconfig), **cache}))
    first, before = run(file), world.requests()
    assert run(file) == first
    assert world.requests() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kubeconfig": "/nonexistent"}, "Could not connect at the hub"),
        ({"kubeconfig": None, "host": "https://127.0.0.1:1", "api_key": "x"}, "options used: host"),
        (
            {"connect_by": "proxy"},
            "The hub's cluster-proxy was expected to have Route multicluster-engine/cluster-proxy",
        ),
        (
            {"connect_by": "proxy", "proxy_url": "https://x", "api_key": "plane-test"},
            "Give K8S_AUTH_API_KEY in the environment",
        ),
    ],
)
def test_errors_say_where_to_look(inventory, options, said):
    assert said in inventory(fails=True, **options)


def test_a_cluster_that_is_no_hub(inventory, world):
    said = inventory(fails=True, kubeconfig=str(world.south.kubeconfig))
    assert "Could not read ManagedCluster of cluster.open-cluster-management.io/v1" in said


def test_a_static_inventory_gives_the_same(hub, inventory, tmp_path):
    """Hosts, their groups and the way to them, which is all that the playbooks ask for."""
    pattern = str(tmp_path / "{name}.kubeconfig")
    static = tmp_path / "hosts.yml"
    both = {name: {"xraylab_kubeconfig": pattern.replace("{name}", name)} for name in ("north", "south")}
    static.write_text(yaml.safe_dump({"facilities": {"hosts": both}}))
    selector = "cluster.open-cluster-management.io/clusterset=clinics"
    dynamic = inventory(label_selector=selector, connect_by="kubeconfig", facility_kubeconfig=pattern)
    fixed = run(static)
    assert hosts(dynamic, "facilities") == hosts(fixed, "facilities")
    for name, told in fixed["_meta"]["hostvars"].items():
        assert told.items() <= dynamic["_meta"]["hostvars"][name].items()


class Proxy(http.server.BaseHTTPRequestHandler):
    """As ACM's cluster-proxy: /NAME/... goes to that facility, with the caller's own token."""

    planes: dict = {}  # noqa: RUF012

    def do_GET(self) -> None:
        _, name, rest = self.path.split("/", 2)
        plane = self.planes[name]
        headers = {key: self.headers[key] for key in ("Authorization", "Accept") if self.headers[key]}
        request = urllib.request.Request(f"{plane.server}/{rest}", headers=headers)
        trust = ssl.create_default_context(cafile=str(plane.folder / "ca.crt"))
        try:
            answer = urllib.request.urlopen(request, context=trust)
        except urllib.error.HTTPError as error:
            answer = error
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def proxy(hub, world):
    Proxy.planes = {"north": world.north, "south": world.south}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(hub.folder / "apiserver.crt", hub.folder / "apiserver.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()


PLAY = """
- hosts: set_clinics
  gather_facts: false
  module_defaults:
    group/xraylab.medical_diagnosis.cluster: {kubeconfig: "{{ xraylab_kubeconfig }}"}
  tasks:
    - kubernetes.core.k8s_info: {api_version: v1, kind: ConfigMap, namespace: default, name: own}
      register: found
    - assert: {that: found.resources[0].data.name == inventory_hostname}
    - assert: {that: found.resources[0].apiVersion == 'v1'}
"""


def test_a_play_goes_through_the_hub_without_credentials_here(hub, world, proxy, tmp_path):
    """Each facility has an account of its own, whose token lies on the hub as a ManagedServiceAccount's does."""
    for name, plane in (("north", world.north), ("south", world.south)):
        own = {"metadata": {"name": "own", "namespace": "default"}, "data": {"name": name}}
        plane.apply({"apiVersion": "v1", "kind": "ConfigMap", **own})
        token = account(plane)
        data = {"token": base64.b64encode(token.encode()).decode()}
        secret = {"metadata": {"name": "xraylab", "namespace": name}, "data": data}
        hub.apply({"apiVersion": "v1", "kind": "Secret", **secret})
    file = tmp_path / "place.managed_facilities.yml"
    options = {"connect_by": "proxy", "proxy_url": proxy, "proxy_ca_cert": str(hub.folder / "ca.crt")}
    file.write_text(yaml.safe_dump({"plugin": PLUGIN, "kubeconfig": str(hub.kubeconfig), **options}))
    (tmp_path / "play.yml").write_text(PLAY)
    done = subprocess.run(
        ["ansible-playbook", "-c", "local", "-i", file, tmp_path / "play.yml", "-vvv", "-e",
         json.dumps({"ansible_python_interpreter": sys.executable})],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert token not in done.stdout + done.stderr


def account(plane) -> str:
    name = {"name": "xraylab", "namespace": "default"}
    plane.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name})
    plane.apply({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "xraylab"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", **name}],
    })  # fmt: skip
    body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"expirationSeconds": 3600}}
    return plane.resource("v1", "ServiceAccount").token.create(body=body, **name).status.token
