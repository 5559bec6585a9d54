# SPDX-License-Identifier: GPL-3.0-or-later
"""The facility that runs in the lab, as the tests see it: through its own users' keys, like a modality and a reader.

LAB_HOME names the lab's state folder; without a deployed facility there, every test is skipped with the reason.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".config" / "collections"), str(Path(__file__).parent)]
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _studies as studies  # noqa: E402

LAB_HOME = Path(os.environ.get("LAB_HOME", "/var/lib/xraylab"))
DATA = Path(os.environ.get("XRAYLAB_DATA", ROOT.parent / "shared" / "data"))
OUTPUT = ROOT / "tests" / "output" / "e2e"
ENDPOINT = os.environ.get("XRAYLAB_RGW_ENDPOINT", "https://10.250.0.1:7443")
NAMESPACE, TOPIC, FUNCTION = "xraylab-1", "xray-images", "risk-assessment"
SOURCE, PROCESSED, ANONYMIZED = "xray-source", "xray-source-processed", "xray-source-anonymized"
KAFKA_SECONDS = 15
Found = TypeVar("Found")


def wait_for(what: str, look: Callable[[], Found], timeout: float = 120, pause: float = 0.5) -> Found:
    """The first true answer of `look`. Fails the test with `what` and the last answer after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:.0f} s for {what}, last seen: {seen!r}")
        time.sleep(pause)
    return seen


def kubectl(*arguments: str) -> str:
    command = [str(LAB_HOME / "bin" / "kubectl"), "--kubeconfig", str(LAB_HOME / "admin.kubeconfig"), "-n", NAMESPACE]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def decoded(data: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


class Facility:
    """`prefix` starts every key that this run stores; all of it is removed in the end."""

    removed = False
    source, processed, anonymized, function, topic = SOURCE, PROCESSED, ANONYMIZED, FUNCTION, TOPIC
    endpoint, ca = ENDPOINT, str(LAB_HOME / "ca.crt")
    wait_for = staticmethod(wait_for)

    def __init__(self) -> None:
        from kubernetes import client, config

        api = config.new_client_from_config(str(LAB_HOME / "admin.kubeconfig"))
        self.core, self.custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
        self.batch = client.BatchV1Api(api)
        self.prefix = f"e2e/{uuid.uuid4().hex[:8]}/"
        self.clients: dict[str, Any] = {}

    def secret(self, name: str) -> dict[str, str]:
        return decoded(self.core.read_namespaced_secret(name, NAMESPACE).data)

    def s3(self, user: str) -> Any:
        """A client with the keys of the RGW user, kept for the next call."""
        import boto3
        from botocore.config import Config

        if user not in self.clients:
            keys = self.secret(f"object-store-{user}")
            # RGW before 18 refuses the checksums that boto3 sends by default.
            config = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
            self.clients[user] = boto3.client(
                "s3", endpoint_url=ENDPOINT, verify=self.ca, region_name="us-east-1", config=config,
                aws_access_key_id=keys["access_key"], aws_secret_access_key=keys["secret_key"],
            )  # fmt: skip
        return self.clients[user]

    def put(self, name: str, data: bytes) -> str:
        """Stores an X-ray as a modality does; returns its key."""
        key = self.prefix + name
        self.s3("modality").put_object(Bucket=SOURCE, Key=key, Body=data)
        return key

    def keys(self, bucket: str, prefix: str) -> list[str]:
        pages = self.s3("results-reader").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        return self.s3("results-reader").get_object(Bucket=bucket, Key=key)["Body"].read()

    @cached_property
    def pseudonym_key(self) -> str:
        return self.secret(f"{FUNCTION}-pseudonyms")["key"]

    def image(self, key: str) -> str:
        """The name that stands for an X-ray outside the source bucket."""
        return studies.pseudonym(self.pseudonym_key, SOURCE, key)

    def results(self, key: str) -> list[str]:
        """Keys of all that was made of an X-ray, but for its anonymized copy."""
        return self.keys(PROCESSED, self.image(key))

    def found(self, key: str) -> dict[str, Any] | None:
        """The result of an X-ray; fails when it has two."""
        found = [json.loads(self.read(PROCESSED, name)) for name in self.results(key) if name.endswith(".json")]
        assert len(found) < 2, f"{key} is recorded twice"
        return found[0] if found else None

    def records(self, folder: str = "") -> dict[str, dict[str, Any]]:
        """Results of this run by the key of their study."""
        found = {key: self.found(key) for key in self.keys(SOURCE, self.prefix + folder)}
        return {key: record for key, record in found.items() if record}

    def record(self, key: str, timeout: float = 180) -> dict[str, Any]:
        return wait_for(f"the result of {key}", lambda: self.found(key), timeout, 1)

    @contextmanager
    def connect(self, user: str) -> Iterator[Any]:
        """The database as one of its users, from outside the cluster."""
        import psycopg

        keys = self.secret(f"results-{user}")
        address = self.core.read_namespaced_service("results-db", NAMESPACE).spec.cluster_ip
        authority = OUTPUT / "results-ca.crt"
        authority.parent.mkdir(parents=True, exist_ok=True)
        authority.write_text(keys["ca.crt"])
        with psycopg.connect(
            host=keys["host"], hostaddr=address, dbname=keys["dbname"], user=keys["user"], password=keys["password"],
            sslmode="verify-full", sslrootcert=str(authority), connect_timeout=10, row_factory=psycopg.rows.dict_row,
        ) as connection:  # fmt: skip
            yield connection

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a statement by the owner of the tables."""
        with self.connect("xraylab-owner") as connection:
            found = connection.execute(statement, values)
            return found.fetchall() if found.description else []

    def rows(self, folder: str = "") -> dict[str, dict[str, Any]]:
        """This run's studies in the database by key; fails when an object has two."""
        statement = "select * from studies where starts_with(key, %s)"
        found = self.query(statement, self.prefix + folder)
        assert len({row["key"] for row in found}) == len(found), "an object has two rows"
        return {row["key"]: row for row in found}

    def row(self, key: str, timeout: float = 180) -> dict[str, Any]:
        """The row of a study that has an outcome."""

        def look() -> dict[str, Any] | None:
            row = self.rows(key.removeprefix(self.prefix)).get(key)
            return row if row and row["outcome"] else None

        return wait_for(f"the outcome of {key}", look, timeout, 1)

    def run_cronjob(self, name: str, *arguments: str) -> list[str]:
        """Runs a CronJob's pod now, with more arguments; lines of its log."""
        made = self.batch.read_namespaced_cron_job(name, NAMESPACE).spec.job_template
        job = f"{name}-e2e-{uuid.uuid4().hex[:6]}"
        container = made.spec.template.spec.containers[0]
        container.args = [*container.args, *arguments]
        self.batch.create_namespaced_job(NAMESPACE, {"metadata": {"name": job}, "spec": made.spec})
        try:

            def over() -> bool:
                status = self.batch.read_namespaced_job(job, NAMESPACE).status
                assert not status.failed, kubectl("logs", f"job/{job}", "--all-containers")
                return bool(status.succeeded)

            wait_for(f"the end of {job}", over, 180, 1)
            return kubectl("logs", f"job/{job}").splitlines()
        finally:
            self.batch.delete_namespaced_job(job, NAMESPACE, propagation_policy="Background")

    def pods(self) -> list[str]:
        """Names of the function's pods that are not on their way out."""
        selector = f"serving.knative.dev/service={FUNCTION}"
        found = self.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items
        return [pod.metadata.name for pod in found if not pod.metadata.deletion_timestamp]

    def function_log(self) -> list[str]:
        """Lines of the pods that are there."""
        read = self.core.read_namespaced_pod_log
        return [line for pod in self.pods() for line in read(pod, NAMESPACE, container="user-container").splitlines()]

    def condition(self, group: str, version: str, plural: str, name: str, kind: str = "Ready") -> str:
        found = self.custom.get_namespaced_custom_object(group, version, NAMESPACE, plural, name)
        return next((c["status"] for c in found.get("status", {}).get("conditions", []) if c["type"] == kind), "")

    def consumer(self, secret: str, group: str) -> Any:
        """A Kafka client outside the cluster with the keys of a Secret that holds user, password and ca.crt."""
        from confluent_kafka import Consumer

        keys = self.secret(secret)
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap, "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": keys["user"], "sasl.password": keys["password"], "ssl.ca.pem": keys["ca.crt"],
                "group.id": group, "enable.auto.commit": False, "enable.partition.eof": True,
            }
        )  # fmt: skip

    @cached_property
    def bootstrap(self) -> str:
        return self.secret(f"{TOPIC}-dead-letters-reader")["bootstrap.servers"]

    def messages(self, secret: str, topic: str, group: str) -> list[tuple[dict[str, str], bytes]]:
        """(headers, value) of everything the topic holds now. No offset is committed."""
        from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

        consumer, found = self.consumer(secret, group), []
        try:
            left = set(consumer.list_topics(topic, timeout=KAFKA_SECONDS).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
            while left:
                message = consumer.poll(KAFKA_SECONDS)
                assert message is not None, f"Kafka said nothing for {KAFKA_SECONDS} s about topic {topic}"
                if not message.error():
                    headers = {name: (value or b"").decode() for name, value in message.headers() or []}
                    found.append((headers, message.value() or b""))
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                else:
                    pytest.fail(f"topic {topic}: {message.error()}")
        finally:
            consumer.close()
        return found

    def announced(self, key: str) -> int:
        """How often the topic announces this object."""
        messages = self.messages(f"{TOPIC}-kafka", TOPIC, FUNCTION)
        records = [record for _headers, value in messages for record in json.loads(value)["Records"]]
        return sum(record["s3"]["object"]["key"] == key for record in records)

    def undelivered(self) -> int:
        """Events on the topic that the function has not answered for yet."""
        from confluent_kafka import TopicPartition

        consumer = self.consumer(f"{TOPIC}-kafka", FUNCTION)
        try:
            partitions = consumer.list_topics(TOPIC, timeout=KAFKA_SECONDS).topics[TOPIC].partitions
            places = consumer.committed([TopicPartition(TOPIC, number) for number in partitions], timeout=KAFKA_SECONDS)
            ends = [consumer.get_watermark_offsets(place, timeout=KAFKA_SECONDS) for place in places]
            return sum(end - max(place.offset, first) for place, (first, end) in zip(places, ends, strict=True))
        finally:
            consumer.close()

    def dead_letters(self) -> dict[str, tuple[str, str]]:
        """(status, reason) of this run's dead letters by object key."""
        found = {}
        letters = f"{TOPIC}-dead-letters"
        for headers, value in self.messages(f"{letters}-reader", letters, "dead-letters-e2e"):
            for record in json.loads(value).get("Records", []):
                key = record["s3"]["object"]["key"]
                if key.startswith(self.prefix):
                    answer = base64.b64decode(headers["ce_knativeerrordata"]).decode()
                    found[key] = headers["ce_knativeerrorcode"], answer
        return found

    def forget(self) -> None:
        """Removes what this run stored. One request an object: RGW 16 is known to crash on some multi-deletes."""
        copies = [record["anonymized_key"] for record in self.records().values() if record["anonymized_key"]]
        sources = self.keys(SOURCE, self.prefix)
        made = [(PROCESSED, name) for key in sources for name in self.results(key)]
        places = [*((SOURCE, key) for key in sources), *made, *((ANONYMIZED, key) for key in copies)]
        owner = self.s3("xraylab")
        with ThreadPoolExecutor(8) as clients:
            list(clients.map(lambda place: owner.delete_object(Bucket=place[0], Key=place[1]), places))
        mine = "select study from studies where starts_with(key, %s)"
        self.query(f"delete from dead_letters where study in ({mine})", self.prefix)
        self.query("delete from studies where starts_with(key, %s)", self.prefix)


@contextmanager
def arriving(facility: Facility, xrays: list[bytes], pause: float = 0.5) -> Iterator[None]:
    """X-rays come all the time, each another object."""
    over = threading.Event()

    def put() -> None:
        for number, xray in enumerate(itertools.cycle(xrays)):
            if over.wait(pause):
                return
            facility.put(f"arriving/{threading.get_ident()}-{number}.jpeg", xray)

    thread = threading.Thread(target=put)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)


def why_skip() -> str:
    if not (LAB_HOME / "admin.kubeconfig").exists():
        return f"no lab: {LAB_HOME}/admin.kubeconfig is missing (make lab)"
    found = kubectl("get", "--request-timeout=5s", f"ksvc/{FUNCTION}", f"kafkasource/{TOPIC}", "-o", "name")
    if found.count("/") < 2 or "rror" in found:
        return f"no facility runs in the lab (ansible-playbook site.yml -i inventories/lab): {found.strip()[:200]}"
    return ""


@pytest.fixture(scope="session")
def facility() -> Iterator[Facility]:
    if reason := why_skip():
        pytest.skip(reason)
    facility = Facility()
    yield facility
    if not facility.removed:
        facility.forget()


@pytest.fixture(scope="session")
def xrays() -> list[bytes]:
    return some_xrays()


def some_xrays() -> list[bytes]:
    """60 different real chest X-rays as files: of the data folder, else of the one radiograph in pydicom-data."""
    found = sorted((DATA / "kermany_512").rglob("*.jpeg"))[:: max(1, 1500 // 60)][:60]
    if len(found) == 60:
        return [path.read_bytes() for path in found]
    return [reencoded(quality) for quality in range(36, 96)]


@pytest.fixture(scope="session")
def radiograph() -> Path:
    return dicom_file()


@cache
def dicom_file() -> Path:
    """The real chest radiograph that comes with pydicom-data, as the demo takes it."""
    folder = OUTPUT / "radiograph"
    folder.mkdir(parents=True, exist_ok=True)
    script = ROOT / "playbooks" / "files" / "chest_radiograph.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=120)
    return next(folder.glob("*.dcm"))


def reencoded(quality: int) -> bytes:
    """The radiograph of pydicom-data as a JPEG; MONOCHROME1 shows high values dark."""
    import numpy as np
    from PIL import Image
    from pydicom import dcmread

    pixels = dcmread(dicom_file()).pixel_array.astype(float)
    low, high = np.percentile(pixels, (0.5, 99.5))
    gray = 1 - np.clip((pixels - low) / (high - low), 0, 1)
    stream = io.BytesIO()
    Image.fromarray((gray * 255).astype("uint8")).resize((736, 782)).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed and "facility" in getattr(item, "fixturenames", ()):
        folder = dump_state(item.name)
        report.sections.append(("state of the facility", f"written to {folder}"))
    return report


def dump_state(name: str) -> Path:
    """What an engineer would look at first. Secrets are left out."""
    folder = OUTPUT / "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:100]
    folder.mkdir(parents=True, exist_ok=True)
    kinds = "pods,ksvc,revisions,kafka,kafkanodepools,kafkatopics,kafkausers,kafkasources,kafkasinks"
    (folder / "get.txt").write_text(kubectl("get", kinds, "-o", "wide"))
    (folder / "describe.txt").write_text(kubectl("describe", kinds))
    (folder / "events.txt").write_text(kubectl("get", "events", "--sort-by=.lastTimestamp"))
    for pod in kubectl("get", "pods", "-o", "name").split():
        log = kubectl("logs", pod, "--all-containers", "--tail=200")
        (folder / f"{pod.partition('/')[2]}.log").write_text(log)
    return folder
