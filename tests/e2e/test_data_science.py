# SPDX-License-Identifier: GPL-3.0-or-later
"""A workbench retrains the model on copies in the bucket, and KServe serves the function's model: the same scores."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from conftest import ANONYMIZED, LAB_HOME, NAMESPACE, ROOT, kubectl, reencoded
from test_playbooks import changes, play

sys.path[:0] = [str(ROOT / "files" / name) for name in ("model_service", "image_generator")]
pytestmark = pytest.mark.lab
PLACE, POD = "xraylab-data-science", "retrain-0"
PATIENTS = 100
ONLY_THE_FUNCTION = ("playbooks/pipeline.yml", "--tags", "risk_assessment")


@pytest.fixture(scope="module", autouse=True)
def hub(facility):
    """operators_hub_list decides whether the hub has Open Data Hub."""
    if "opendatahub-operator" not in kubectl("get", "-A", "subscriptions.operators.coreos.com"):
        pytest.skip("the lab's operators_hub_list has no opendatahub-operator")


def in_workbench(command: str, stdin: bytes = b"", timeout: float = 240) -> bytes:
    client = [str(LAB_HOME / "bin" / "kubectl"), "--kubeconfig", str(LAB_HOME / "admin.kubeconfig"), "-n", PLACE]
    done = subprocess.run(
        [*client, "exec", "-i", POD, "--", "sh", "-euc", command], input=stdin, capture_output=True, timeout=timeout
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-4000:]
    return done.stdout


def chest(number: int) -> bytes:
    """The radiograph as if taken of another patient; of every second one with fog over parts of the lungs."""
    from image_generator.variation import vary
    from PIL import Image, ImageDraw, ImageFilter

    picture, dice = Image.open(io.BytesIO(reencoded(90))).convert("L"), Random(number)
    if number % 2:
        fog, (width, height) = Image.new("L", picture.size), picture.size
        for _ in range(3):
            x, y = dice.choice([0.28, 0.7]) + dice.uniform(-0.06, 0.06), dice.uniform(0.45, 0.7)
            r = dice.uniform(0.07, 0.13)
            box = [(x - r) * width, y * height - r * width, (x + r) * width, y * height + r * width]
            ImageDraw.Draw(fog).ellipse(box, fill=150)
        bright = Image.new("L", picture.size, 215)
        picture = Image.composite(bright, picture, fog.filter(ImageFilter.GaussianBlur(25)))
    return vary(picture, dice)


@pytest.fixture
def copies(facility):
    """Drawn X-rays in the bucket of de-identified ones, by name; the function's own lie beside them."""
    owner = facility.s3("xraylab")
    found = {f"{facility.prefix}p{number}-i{number}.jpeg": chest(number) for number in range(PATIENTS)}
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda one: owner.put_object(Bucket=ANONYMIZED, Key=one[0], Body=one[1]), found.items()))
        yield found
        list(clients.map(lambda key: owner.delete_object(Bucket=ANONYMIZED, Key=key), found))


def labels(copies: dict[str, bytes]) -> bytes:
    """What a radiologist would hand over."""
    table = io.StringIO()
    rows = [(key, ("NORMAL", "PNEUMONIA")[number % 2]) for number, key in enumerate(copies)]
    csv.writer(table).writerows([("file", "label"), *rows])
    return table.getvalue().encode()


def test_the_workbenchs_notebook_retrains_the_model(facility, copies, tmp_path):
    from model_service import images
    from model_service.model import Model
    from model_service.settings import MODEL

    run = "LABELS=/tmp/e2e/labels.csv OUT=/tmp/e2e/out LEAST=3 python3 -m nbconvert --to notebook --execute"
    in_workbench("rm -rf /tmp/e2e && mkdir /tmp/e2e && cat >/tmp/e2e/labels.csv", labels(copies))
    in_workbench(f"{run} --output-dir /tmp/e2e retrain.ipynb")
    report = json.loads(in_workbench("cat /tmp/e2e/out/report.json"))
    (path := tmp_path / "model.onnx").write_bytes(
        base64.b64decode(in_workbench("base64 /tmp/e2e/out/model.onnx; rm -rf /tmp/e2e"))
    )
    assert sum(report["images"].values()) == PATIENTS
    assert report["chosen"] != "as it was"
    after, before = report["held out"]["as they are"]["auroc"]["value"], report["before"]["auroc"]["value"]
    assert after > max(before, 0.9)

    old, new = Model(MODEL), Model(path)
    assert new.version != old.version
    risks = [
        new.scores(images.model_input(images.decode(data, 40_000_000))).risk for data in list(copies.values())[:20]
    ]
    assert sum(risks[1::2]) > sum(risks[::2]), "the opaque lungs get the higher risks"


def test_the_workbench_may_read_one_bucket_and_nothing_else(facility):
    """With the keys of its data connection."""
    script = """
import os
from botocore.exceptions import ClientError
from workbench.bucket import client
store, bucket = client(), os.environ["AWS_S3_BUCKET"]
store.list_objects_v2(Bucket=bucket, MaxKeys=1)
for call, where in (
    (store.put_object, {"Bucket": bucket, "Key": "x", "Body": b""}),
    (store.delete_object, {"Bucket": bucket, "Key": "x"}),
    (store.list_objects_v2, {"Bucket": bucket.replace("-anonymized", "")}),
    (store.list_objects_v2, {"Bucket": bucket.replace("-anonymized", "-processed")}),
):
    try:
        call(**where)
    except ClientError as error:
        print(error.response["Error"]["Code"])
"""
    assert in_workbench("python3 -", script.encode()).split() == [b"AccessDenied"] * 4


@pytest.fixture
def served(facility):
    """The facility with KServe as the model's server, as long as a test takes."""
    done = play(*ONLY_THE_FUNCTION, "-e", "risk_assessment_server=kserve")
    try:
        assert done.returncode == 0, done.stdout[-4000:]
        yield servers(facility)
    finally:
        done = play(*ONLY_THE_FUNCTION)
        assert done.returncode == 0, done.stdout[-4000:]
    assert servers(facility) == []


def servers(facility):
    return facility.custom.list_namespaced_custom_object(
        "serving.kserve.io", "v1beta1", NAMESPACE, "inferenceservices"
    )["items"]


@pytest.mark.skipif(
    not os.environ.get("XRAYLAB_KSERVE"), reason="deploys the lab's function anew, twice: only with XRAYLAB_KSERVE=1"
)
def test_kserve_serves_the_functions_scores(facility, xrays, request):
    here = facility.record(facility.put("function.jpeg", xrays[0]))
    (service,) = request.getfixturevalue("served")
    states = {entry["type"]: entry["status"] for entry in service["status"]["conditions"]}
    assert states == dict.fromkeys(("PredictorReady", "IngressReady", "Ready"), "True")
    assert service["status"]["modelStatus"]["states"]["activeModelState"] == "Loaded"

    there = facility.record(facility.put("kserve.jpeg", xrays[0]))
    assert {name: there[name] for name in ("risk", "label", "model_version")} == {
        name: here[name] for name in ("risk", "label", "model_version")
    }
    assert asked(facility, service, xrays[0]) == pytest.approx(own(xrays[0]), abs=1e-6)
    assert changes(play(*ONLY_THE_FUNCTION, "-e", "risk_assessment_server=kserve")) == ["0"]


def own(xray: bytes) -> float:
    from model_service import images
    from model_service.model import Model
    from model_service.settings import MODEL

    return Model(MODEL).scores(images.model_input(images.decode(xray, 40_000_000))).risk


def asked(facility, service, xray: bytes) -> float:
    """The risk that the InferenceService says itself, at the address of its Service from outside of the cluster."""
    from model_service import images
    from model_service.remote import RemoteModel

    host = service["status"]["address"]["url"].removeprefix("http://")
    address = facility.core.read_namespaced_service(host.partition(".")[0], NAMESPACE).spec.cluster_ip
    model = RemoteModel(f"http://{address}/v2/models/pneumonia")
    return model.scores(images.model_input(images.decode(xray, 40_000_000))).risk
