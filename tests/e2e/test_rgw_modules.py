# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that speak to RGW, on the wire: users, topics, notifications and uploads of their own, all removed again.

LAB_HOME names the lab's state folder; without a running object store there every test is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAB_HOME = Path(os.environ.get("LAB_HOME", "/var/lib/xraylab"))
ENDPOINT = os.environ.get("XRAYLAB_RGW_ENDPOINT", "https://10.250.0.1:7443")
CA = LAB_HOME / "ca.crt"
ADMIN = LAB_HOME / "ceph" / "admin.json"
JPEG = b"\xff\xd8\xff\xe0 stands for an X-ray: this test's own assessor does not look at it "


def why_skip() -> str:
    if not ADMIN.exists() or not CA.exists():
        return f"no lab: {ADMIN} or {CA} is missing"
    try:
        import ssl

        urllib.request.urlopen(ENDPOINT, timeout=5, context=ssl.create_default_context(cafile=CA))
    except OSError as error:
        return f"the lab's object store does not answer at {ENDPOINT}: {error}"
    return ""


pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(why_skip()), reason=why_skip())]


def ask(module: str, check: bool = False, **options) -> dict:
    return ask_each(module, [check], **options)[0]


def ask_each(module: str, checks: list[bool], **options) -> list[dict]:
    """Results of a module that is run again and again by ansible-playbook, in check mode where `checks` says so."""
    given = {"endpoint_url": ENDPOINT, "ca_bundle": str(CA), **options}
    with tempfile.TemporaryDirectory() as folder:
        playbook, results = Path(folder, "play.json"), Path(folder, "results.json")
        task = {f"xraylab.medical_diagnosis.{module}": given, "ignore_errors": True}
        tasks = [{**task, "check_mode": check, "register": f"run_{number}"} for number, check in enumerate(checks)]
        names = ", ".join(f"run_{number}" for number in range(len(checks)))
        keep = {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(results), "mode": "0600"}
        tasks.append({"ansible.builtin.copy": keep, "diff": False})
        play = {"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": tasks}
        playbook.write_text(json.dumps([play]))
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "--diff", str(playbook)]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        env = {**os.environ, "ANSIBLE_PIPELINING": "true"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert results.exists(), done.stdout + done.stderr
        assert options["secret_key"] not in done.stdout + done.stderr
        return json.loads(results.read_text())


@pytest.fixture(scope="module")
def admin() -> dict:
    return json.loads(ADMIN.read_text())


@pytest.fixture(scope="module")
def name() -> str:
    return f"e2e-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def owner(admin: dict, name: str):
    """Keys of a user of these tests' own."""
    made = ask("rgw_user", uid=name, **admin)
    yield made["s3_keys"][0]
    ask("rgw_user", uid=name, state="absent", purge_data=True, **admin)


@pytest.fixture(scope="module")
def gateway(owner: dict):
    collections = ROOT / ".config" / "collections"
    sys.path.insert(0, str(collections))
    from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw

    return _rgw.Gateway(_rgw.Endpoint(ENDPOINT, owner["access_key"], owner["secret_key"], str(CA)))


@pytest.fixture(scope="module")
def bucket(gateway, name: str) -> str:
    for suffix in ("", "-processed"):
        gateway.send("make a bucket", "s3", "PUT", f"/{name}{suffix}")
    return name


def run_twice(module: str, **options) -> dict:
    """Check mode predicts and changes nothing, the first run changes, the second does not."""
    predicted, again, first, settled, second = ask_each(module, [True, True, False, True, False], **options)
    changed = [result["changed"] for result in (predicted, again, first, settled, second)]
    assert changed == [True, True, True, False, False]
    assert first["diff"]["before"] == predicted["diff"]["before"]
    return first


def test_a_user_comes_changes_and_goes(admin: dict):
    uid = f"e2e-user-{uuid.uuid4().hex[:8]}"
    made = run_twice(
        "rgw_user", uid=uid, display_name='A "user" & <more>', max_buckets=-1, caps={"usage": "read"}, **admin
    )
    assert made["user"]["caps"] == {"usage": "read"}
    assert len(made["s3_keys"][0]["secret_key"]) >= 20
    run_twice(
        "rgw_user", uid=uid, caps={"usage": "write", "buckets": "*"}, suspended=True, email="a@example.com", **admin
    )
    given = {"access_key": uid.upper(), "secret_key": f"given-{uuid.uuid4().hex}"}
    rotated = run_twice("rgw_user", uid=uid, keys=[given], purge_keys=True, caps={}, **admin)
    assert rotated["user"]["access_keys"] == [uid.upper()]
    assert rotated["user"]["caps"] == {}
    assert given["secret_key"] not in json.dumps(rotated)
    run_twice("rgw_user", uid=uid, keys=[{**given, "secret_key": f"again-{uuid.uuid4().hex}"}], **admin)
    run_twice("rgw_user", uid=uid, state="absent", **admin)


def test_users_together(admin):
    first, second = (f"e2e-{uuid.uuid4().hex[:8]}" for _ in range(2))
    made = run_twice("rgw_user", users=[{"uid": first, "max_buckets": 3}, {"uid": second}], max_buckets=-1, **admin)
    assert [(one["uid"], one["user"]["max_buckets"]) for one in made["users"]] == [(first, 3), (second, -1)]
    assert all(len(one["s3_keys"]) == 1 for one in made["users"])
    assert set(made["diff"]["after"]) == {first, second}
    changed = ask("rgw_user", users=[{"uid": first, "max_buckets": 3}, {"uid": second, "max_buckets": 0}], **admin)
    assert [one["changed"] for one in changed["users"]] == [False, True]
    run_twice("rgw_user", users=[{"uid": first}, {"uid": second}], state="absent", **admin)


def test_a_topic_comes_changes_and_goes(owner: dict, name: str):
    def topic(password: str, **options):
        endpoint = f"kafka://rgw:{password}@kafka.example.com:9094"
        return run_twice("rgw_topic", name=name, push_endpoint=endpoint, **{**kafka, **options}, **owner)

    kafka = {
        "use_ssl": True, "mechanism": "SCRAM-SHA-512", "ca_location": "/etc/ceph/ca.crt", "kafka_ack_level": "broker",
        "opaque_data": "a b&persistent=false", "max_retries": 3, "time_to_live": 60, "cloudevents": True,
    }  # fmt: skip
    made = topic("first%2Fsecret-1")
    assert made["notifications_stale"] is False
    assert made["topic"]["push_endpoint"] == "kafka://rgw:********@kafka.example.com:9094"
    assert made["topic"]["opaque_data"] == "a b&persistent=false"
    changed = topic("second-secret-2")
    assert changed["notifications_stale"] is True
    assert not any(secret in json.dumps([made, changed]) for secret in ("secret-1", "secret-2"))
    assert topic("second-secret-2", persistent=False)["topic"]["persistent"] is False
    run_twice("rgw_topic", name=name, state="absent", **owner)


def test_a_password_is_never_sent_without_tls(owner: dict, name: str):
    endpoint = {"endpoint_url": "http://127.0.0.1:1", "push_endpoint": "http://u:secret-word@h/"}
    refused = ask("rgw_topic", name=name, **endpoint, **owner)
    assert "takes over https only" in refused["msg"]
    assert "secret-word" not in json.dumps(refused)


def test_a_notification_comes_changes_and_goes(owner: dict, bucket: str, name: str):
    topics = [f"{name}-a", f"{name}-b"]
    for topic in topics:
        ask("rgw_topic", name=topic, push_endpoint="http://127.0.0.1:9/", **owner)
    same = {"bucket": bucket, "name": "xray-images", **owner}
    run_twice("rgw_bucket_notification", topic=topics[0], **same)
    assert ask("rgw_bucket_notification", topic=topics[0], refresh=True, **same)["changed"] is True
    other = {"bucket": bucket, "name": "other", "topic": topics[0], **owner}
    run_twice("rgw_bucket_notification", prefix="in/", suffix=".jpg", events=["s3:ObjectCreated:Put"], **other)
    moved = run_twice("rgw_bucket_notification", topic=topics[1], **same)
    assert [entry["topic"] for entry in moved["diff"]["before"]["notifications"]] == [topics[0]]
    run_twice("rgw_bucket_notification", state="absent", **same)
    assert (
        ask("rgw_bucket_notification", prefix="in/", suffix=".jpg", events=["s3:ObjectCreated:Put"], **other)["changed"]
        is False
    )
    run_twice("rgw_bucket_notification", state="absent", bucket=bucket, name="other", **owner)
    for topic in topics:
        ask("rgw_topic", name=topic, state="absent", **owner)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"secret_key": "wrong"}, "check secret_key"),
        ({"access_key": "WRONG"}, "check access_key"),
        ({"ca_bundle": "/etc/ssl/certs/ca-certificates.crt"}, "ca_bundle must hold the authority"),
        ({"endpoint_url": "https://127.0.0.1:1"}, "Connection refused"),
        ({"bucket": "there-is-no-such-bucket"}, "Create the bucket first"),
        ({"topic": "no-such-topic"}, "make it first"),
        ({"events": ["s3:Nonsense"]}, "s3:Nonsense"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(owner: dict, bucket: str, changed: dict, words: str):
    good = {"bucket": bucket, "name": "n", "topic": "t", "events": ["s3:ObjectCreated:*"], **owner}
    answer = ask("rgw_bucket_notification", **{**good, **changed})
    assert answer["msg"].startswith("Could not ")
    assert words in answer["msg"]
    assert owner["secret_key"] not in json.dumps(answer)


class Assessor(threading.Thread):
    """Stands in for the facility: records each object of the bucket once, but those that are `refused`."""

    def __init__(self, gateway, bucket: str, secret: str | None, refused: tuple[str, ...] = ()) -> None:
        super().__init__(daemon=True)
        self.gateway, self.bucket, self.secret, self.refused = gateway, bucket, secret, refused
        self.seen = {(stored.key, stored.etag) for stored in gateway.list_objects(bucket).values()}
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.2):
            for stored in self.gateway.list_objects(self.bucket).values():
                if (stored.key, stored.etag) not in self.seen and stored.key not in self.refused:
                    self.record(stored)
                self.seen.add((stored.key, stored.etag))

    def record(self, stored) -> None:
        result = {"bucket": self.bucket, "key": stored.key, "etag": stored.etag, "label": "Normal", "risk": 0.07}
        body = json.dumps({**result, "recorded_at": time.time()}).encode()
        name = studies().record_key(self.bucket, stored.key, self.secret)
        self.gateway.put_object(f"{self.bucket}-processed", name, body, "application/json")


def studies():
    from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _studies

    return _studies


@pytest.mark.parametrize("secret", [None, "a-key-for-pseudonyms-of-32-letters"])
def test_every_study_of_a_folder_is_followed(owner: dict, gateway, bucket: str, tmp_path: Path, secret: str | None):
    names = ["a b.jpg", "ward 3/d'o\"u+b%le?&#é.jpeg", "no ending", "refused.jpg"]
    for index, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(JPEG + bytes([index, secret is None]))
    (tmp_path / "notes.txt").write_text("no image")
    prefix = "pseudonymous/" if secret else ""
    options = {
        "folder": str(tmp_path), "source_bucket": bucket, "results_bucket": f"{bucket}-processed", "prefix": prefix,
        "pseudonym_key": secret, **owner,
    }  # fmt: skip
    planned = ask("study_upload", check=True, **options)
    assert {row["outcome"] for row in planned["studies"]} == {"planned"}
    assert {stored for stored in gateway.list_objects(bucket) if stored.startswith("pseudonymous/")} == set()
    for reason in ("", "Recorded before."):
        assessor = Assessor(gateway, bucket, secret, refused=(f"{prefix}refused.jpg",))
        assessor.start()
        found = ask("study_upload", timeout=4, interval=0.3, **options)
        assessor.stop.set()
        assessor.join()
        rows = {row["key"]: row for row in found["studies"]}
        assert sorted(rows) == sorted(prefix + name for name in names)
        assert found["summary"] == {"assessed": 3, "timeout": 1}
        assert rows[f"{prefix}refused.jpg"]["outcome"] == "timeout"
        for row in (rows[prefix + name] for name in names[:3]):
            assert (row["label"], row["reason"]) == ("Normal", reason)
            assert 0 <= row["seconds"] < 4
            assert row["record"].startswith(row["key"].split(".")[0]) is (secret is None)
        assert secret is None or secret not in json.dumps(found)


def test_a_long_listing_has_every_object(gateway, bucket: str):
    keys = {f"many/{number:04} +é&.json" for number in range(1003)}
    for key in keys:
        gateway.put_object(f"{bucket}-processed", key, b"{}", "application/json")
    assert set(gateway.list_objects(f"{bucket}-processed", "many/")) == keys
