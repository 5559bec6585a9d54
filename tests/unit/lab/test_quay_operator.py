# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Quay: what a QuayRegistry is made into, its status, and who may do what with an image."""

import asyncio
import base64
import copy
import json

import pytest
import yaml
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict, CIMultiDictProxy
from quay import bundle, manifests, status
from quay.accounts import Accounts, Taken
from quay.app import application
from quay.proxy import passed_on
from quay.registry_config import registry_yaml, self_signed
from quay.tokens import Client, Signer, WrongCredentials, granted, identify
from strimzi.work import Failure

RUN = {"quay": True, "postgres": True, "redis": True, "objectstorage": True}
REGISTRY = {
    "apiVersion": "quay.redhat.com/v1",
    "kind": "QuayRegistry",
    "metadata": {"name": "registry", "namespace": "quay-enterprise", "uid": "q-1", "generation": 1},
    "spec": {
        "configBundleSecret": "bundle",
        "components": [{"kind": kind, "managed": RUN.get(kind, False)} for kind in bundle.KINDS],
    },
}
SECRET = {"config.yaml": "SERVER_HOSTNAME: 10.0.0.1:30500\n", "ssl.cert": "CERT", "ssl.key": "KEY"}
BUCKET = {"hostname": "rgw", "access_key": "A", "secret_key": "S", "bucket_name": "images"}
KEYS = {"token.crt": "TC", "token.key": "TK", "ssl.cert": "OC", "ssl.key": "OK", "SECRET_KEY": "X"}


def registry(**managed):
    found = copy.deepcopy(REGISTRY)
    for entry in found["spec"]["components"]:
        entry["managed"] = managed.get(entry["kind"], entry["managed"])
    return found


def with_storage(kind, options):
    config = yaml.safe_load(SECRET["config.yaml"]) | {"DISTRIBUTED_STORAGE_CONFIG": {"default": [kind, options]}}
    return {**SECRET, "config.yaml": yaml.safe_dump(config)}


def test_a_config_bundle_is_read():
    wanted = bundle.read(REGISTRY, {**SECRET, "extra_ca_cert_a.crt": "A", "extra_ca_cert_b.crt": "B"})
    assert (wanted.hostname, wanted.certificate, wanted.authorities) == ("10.0.0.1:30500", ("CERT", "KEY"), "A\nB")
    assert "CERT" not in repr(wanted)


@pytest.mark.parametrize(
    ("body", "secret", "reason", "words"),
    [
        (registry(), {}, "ConfigInvalid", "Secret bundle must hold config.yaml"),
        (registry(), {**SECRET, "config.yaml": "a: ["}, "ConfigInvalid", "no YAML"),
        (registry(), {**SECRET, "config.yaml": "A: b"}, "ConfigInvalid", "SERVER_HOSTNAME is required"),
        (registry(), {"config.yaml": SECRET["config.yaml"]}, "ConfigInvalid", "ssl.cert and ssl.key"),
        (registry(objectstorage=False), SECRET, "ConfigInvalid", "RadosGWStorage only, not None"),
        (registry(objectstorage=False), with_storage("S3Storage", {}), "ConfigInvalid", "not S3Storage"),
        (
            registry(objectstorage=False),
            with_storage("RadosGWStorage", {"hostname": "x"}),
            "ConfigInvalid",
            "lacks acc",
        ),
        (registry(clair=True), SECRET, "Unsupported", "runs no clair"),
        (registry(route=True), SECRET, "RouteComponentDependencyError", "serves no Routes"),
    ],
)
def test_what_cannot_be_rolled_out_is_said_with_a_reason(body, secret, reason, words):
    with pytest.raises(Failure, match=words) as failure:
        bundle.read(body, secret)
    assert failure.value.reason == reason


def test_an_unknown_component_is_refused():
    found = registry()
    found["spec"]["components"].append({"kind": "configeditor", "managed": True})
    with pytest.raises(Failure, match="unknown components: configeditor"):
        bundle.read(found, SECRET)


def test_images_lie_in_the_bucket_of_the_config_bundle():
    wanted = bundle.read(registry(objectstorage=False), with_storage("RadosGWStorage", {**BUCKET, "port": 7443}))
    storage = yaml.safe_load(registry_yaml(wanted, "x"))["storage"]
    assert storage["s3"]["regionendpoint"] == "https://rgw:7443"
    assert (storage["s3"]["bucket"], storage["s3"]["secretkey"]) == ("images", "S")
    assert "filesystem" in yaml.safe_load(registry_yaml(bundle.read(REGISTRY, SECRET), "x"))["storage"]


def test_nobody_gets_at_the_registry_without_a_token():
    token = yaml.safe_load(registry_yaml(bundle.read(REGISTRY, SECRET), "x"))["auth"]["token"]
    assert token["realm"] == "https://10.0.0.1:30500/v2/auth"
    assert token["service"] == "10.0.0.1:30500"


@pytest.mark.parametrize(
    ("hostname", "kind", "port"),
    [("10.0.0.1:30500", "NodePort", 30500), ("quay.example.com", "ClusterIP", None), ("q:8443", "ClusterIP", None)],
)
def test_a_port_of_the_node_is_served_there(hostname, kind, port):
    spec = manifests.service(REGISTRY, bundle.Wanted(hostname, {}))["spec"]
    assert (spec["type"], spec["ports"][0].get("nodePort")) == (kind, port)


def test_another_configuration_starts_the_pod_anew():
    def annotation(secret):
        config = manifests.configuration(REGISTRY, bundle.read(REGISTRY, secret), KEYS)
        return manifests.deployment(REGISTRY, "image", config)["spec"]["template"]["metadata"]["annotations"]

    assert annotation(SECRET) == annotation(dict(SECRET))
    assert annotation(SECRET) != annotation({**SECRET, "ssl.cert": "NEW"})


def conditions(new):
    return {c["type"]: (c["status"], c.get("reason")) for c in new["conditions"]}


def test_a_registry_is_available_once_its_application_is():
    managed = bundle.managed(REGISTRY["spec"])
    starting = conditions(status.rolled_out(REGISTRY, managed, "h", {}))
    assert starting["Available"] == ("False", "ComponentsUnhealthy")
    assert starting["ComponentQuayReady"] == ("False", "ComponentNotReady")
    new = status.rolled_out(REGISTRY, managed, "h", {"status": {"availableReplicas": 1}})
    assert conditions(new)["Available"] == ("True", "HealthChecksPassing")
    assert conditions(new)["ComponentsCreated"] == ("True", "ComponentsCreationSuccess")
    assert conditions(new)["ComponentRouteReady"] == ("True", "ComponentNotManaged")
    assert new["registryEndpoint"] == "https://h"


def test_a_status_that_says_the_same_is_not_written_anew():
    managed, running = bundle.managed(REGISTRY["spec"]), {"status": {"availableReplicas": 1}}
    first = status.rolled_out(REGISTRY, managed, "h", running)
    assert status.rolled_out({**REGISTRY, "status": first}, managed, "h", running) == first


def test_a_wrong_configuration_blocks_the_rollout_and_leaves_what_runs():
    running = status.rolled_out(REGISTRY, bundle.managed(REGISTRY["spec"]), "h", {"status": {"availableReplicas": 1}})
    found = conditions(status.blocked({**REGISTRY, "status": running}, "ConfigInvalid", "words"))
    assert found["RolloutBlocked"] == ("True", "ConfigInvalid")
    assert found["Available"][0] == "True"


@pytest.fixture
def accounts():
    found = Accounts(":memory:")
    found.add_user("owner", "password", "")
    found.add_organization("x", "owner")
    for name, visibility in (("open", "public"), ("closed", "private")):
        found.add_repository("x", name, visibility, "")
    found.add_robot("x", "reader", "")
    found.add_robot("x", "writer", "")
    found.permit("x", "closed", "reader", "read")
    found.permit("x", "closed", "writer", "write")
    return found


@pytest.mark.parametrize(
    ("client", "repository", "actions"),
    [
        (Client(), "x/open", ["pull"]),
        (Client(), "x/closed", []),
        (Client("reader", "x"), "x/closed", ["pull"]),
        (Client("writer", "x"), "x/closed", ["pull", "push"]),
        (Client("writer", "x"), "x/open", ["pull"]),
        (Client("writer", "y"), "x/closed", []),
        (Client("owner"), "x/closed", ["pull", "push"]),
        (Client("other"), "x/closed", []),
        (Client("owner"), "x/nowhere", []),
    ],
)
def test_everyone_may_do_what_their_role_says(accounts, client, repository, actions):
    found = granted(accounts, client, [f"repository:{repository}:pull,push"])
    assert [entry["actions"] for entry in found] == ([actions] if actions else [])


def test_rights_go_with_what_they_are_about(accounts):
    accounts.drop_robot("x", "reader")
    accounts.add_robot("x", "reader", "")
    assert accounts.role("x", "closed", "reader") is None
    with pytest.raises(Taken):
        accounts.add_robot("x", "reader", "")


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_robot_signs_in_by_its_token(accounts):
    token = accounts.robot("x", "reader")["token"]
    assert identify(accounts, basic("x+reader", token)) == Client("reader", "x")
    assert identify(accounts, basic("owner", "password")) == Client("owner")
    assert identify(accounts, "") == Client()


@pytest.mark.parametrize("header", [basic("x+reader", "no"), basic("owner", "no"), "Basic !", "Bearer x"])
def test_wrong_credentials_are_no_stranger(accounts, header):
    with pytest.raises(WrongCredentials):
        identify(accounts, header)


CERTIFICATE, KEY = self_signed("quay")
SETTINGS = {"hostname": "q", "FEATURE_USER_INITIALIZE": True}


async def answers(steps):
    """Status and JSON of each request to one application, with the session's CSRF token once it is known."""
    app, found, headers = application(SETTINGS, Accounts(":memory:"), Signer(CERTIFICATE, KEY)), [], {}
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True, treat_as_secure_origin=[])) as client:
        for method, path, body in steps:
            async with client.request(method, path, json=body, headers=headers) as answer:
                told = json.loads(await answer.text() or "{}")
                found.append((answer.status, told))
            if path == "/csrf_token":
                headers = {"X-CSRF-Token": told["csrf_token"], "Cookie": f"session={answer.cookies['session'].value}"}
    return found


USER = {"username": "owner", "password": "password", "email": "o@example.com"}
SIGN_IN = [
    ("POST", "/api/v1/user/initialize", USER),
    ("GET", "/csrf_token", None),
    ("POST", "/api/v1/signin", USER),
]


def test_the_first_user_is_made_once():
    found = asyncio.run(answers([SIGN_IN[0], SIGN_IN[0]]))
    assert [code for code, _ in found] == [200, 400]
    assert found[1][1]["message"] == "Cannot initialize user in a non-empty database"


def test_the_api_is_for_who_signed_in():
    wrong = ("POST", "/api/v1/signin", {**USER, "password": "wrong"})
    found = asyncio.run(answers([SIGN_IN[0], ("GET", "/api/v1/user/", None), SIGN_IN[1], wrong]))
    assert [code for code, _ in found][1:] == [401, 200, 403]


def test_an_organization_is_filled_and_its_robot_gets_a_token():
    repository = {"namespace": "xx", "repository": "gallery", "visibility": "private", "description": ""}
    found = asyncio.run(
        answers(
            [
                *SIGN_IN,
                ("POST", "/api/v1/organization/", {"name": "xx"}),
                ("POST", "/api/v1/organization/", {"name": "xx"}),
                ("POST", "/api/v1/repository", repository),
                ("PUT", "/api/v1/organization/xx/robots/reader", {"description": "Reads"}),
                ("PUT", "/api/v1/repository/xx/gallery/permissions/user/xx+reader", {"role": "read"}),
                ("GET", "/api/v1/organization/xx/robots/reader/permissions", None),
                ("GET", "/api/v1/organization/xx/robots/nobody", None),
                ("DELETE", "/api/v1/organization/xx", None),
                ("GET", "/api/v1/organization/xx", None),
            ]
        )
    )
    assert [code for code, _ in found][3:] == [201, 400, 201, 201, 200, 200, 400, 204, 404]
    assert found[6][1]["name"] == "xx+reader"
    assert found[8][1] == {"permissions": [{"repository": {"name": "gallery"}, "role": "read"}]}


def test_a_token_says_what_its_bearer_may_do():
    found = asyncio.run(answers([("GET", "/v2/auth?service=q&scope=repository:x/y:pull", None)]))
    claims = json.loads(base64.urlsafe_b64decode(found[0][1]["token"].split(".")[1] + "=="))
    assert (claims["iss"], claims["aud"], claims["access"]) == ("quay", "q", [])


def test_the_registry_hears_a_header_as_often_as_it_came():
    asked = [("Accept", "a"), ("Accept", "b"), ("Connection", "close")]
    assert list(passed_on(CIMultiDictProxy(CIMultiDict(asked))).items()) == asked[:2]
