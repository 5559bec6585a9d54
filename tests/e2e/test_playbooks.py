# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks on the lab's inventory and on wrong ones, run as a user does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from api_proxy import Asked, counted
from conftest import LAB_HOME

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventories" / "lab"
PIPELINE = "playbooks/pipeline.yml"  # of site.yml, what concerns a facility
MOST_REQUESTS = 800  # to the API server, of a site.yml that changes nothing


def play(playbook: str, *arguments: str, inventory: Path = LAB) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("ansible-playbook")), playbook, "-i", str(inventory), *arguments]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


def changes(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"changed=(\d+)", done.stdout)


def words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def again(facility, tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Asked]:
    """A second site.yml, and what it asked the API server."""
    with counted(LAB_HOME / "admin.kubeconfig", tmp_path_factory.mktemp("again")) as asked:
        return play("site.yml", "-e", f"xraylab_kubeconfig={asked.kubeconfig}"), asked


def test_site_again_changes_nothing(again):
    done, _asked = again
    assert done.returncode == 0, done.stdout[-3000:]
    assert changes(done) == ["0"], done.stdout


def test_site_again_asks_the_api_server_no_more_than_it_may(again):
    _done, asked = again
    assert asked.applied
    assert len(asked.requests) <= MOST_REQUESTS, asked.most()


@pytest.fixture(scope="module")
def foreseen(facility) -> subprocess.CompletedProcess[str]:
    """site.yml in check mode, with all that Ansible can say of it."""
    return play("site.yml", "-vvv", "--diff", "--check")


def test_site_in_check_mode_foresees_no_change(foreseen):
    assert foreseen.returncode == 0, foreseen.stdout[-3000:]
    assert changes(foreseen) == ["0"], foreseen.stdout


def test_site_shows_no_secret(facility, foreseen):
    secrets = [
        facility.secret(f"object-store-{user}")["secret_key"]
        for user in ("xraylab", "modality", "risk-assessment", "data-science")
    ]
    secrets.append(facility.pseudonym_key)
    secrets += [facility.secret(name)["password"] for name in ("rgw", "risk-assessment", "dead-letters-reader")]
    users = ("admin", "xraylab-owner", "risk-assessment", "arrivals", "reconciler", "gallery", "grafana")
    secrets += [facility.secret(f"results-{user}")["password"] for user in users]
    secrets += [facility.secret(name)["tls.key"].splitlines()[1] for name in ("results-ca", "results-tls")]
    seen = [number for number, secret in enumerate(secrets) if secret in foreseen.stdout + foreseen.stderr]
    assert not seen, f"secrets number {seen} of this list are shown"


def test_demo_reports_every_image_of_a_folder(facility, xrays, tmp_path):
    from PIL import Image

    folder, report = tmp_path / "images", tmp_path / "report.json"
    names = [
        f"{facility.prefix}Barbara Campbell_1962.jpeg",
        f"{facility.prefix}a \"b\" 'c'.jpeg",
        f"{facility.prefix}Ünïcode.jpeg",
    ]
    for name, image in zip(names, xrays, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image)
    blank = f"{facility.prefix}blank.jpeg"
    Image.new("L", (800, 600), 128).save(folder / blank)
    given = json.dumps({"demo_images": str(folder), "demo_report": str(report)})
    done = play("playbooks/demo.yml", "-vvv", "-e", given)
    assert done.returncode == 0, done.stdout[-3000:]
    studies = json.loads(report.read_text())
    assert sorted(study["key"] for study in studies) == sorted([*names, blank])
    for study in studies:
        assert study["outcome"] == ("rejected" if study["key"] == blank else "assessed")
        assert {"key", "label", "risk", "seconds", "outcome"} <= set(study)
    assert "rejected: The image is blank" in done.stdout
    assert facility.pseudonym_key not in done.stdout + done.stderr


def everything(facility) -> dict[str, set[str]]:
    """What a study leaves: rows, and objects in the three buckets."""
    tables = {"studies": "study", "dead_letters": "id"}
    rows = {table: facility.query(f"select {name} as name from {table}") for table, name in tables.items()}
    buckets = (facility.source, facility.processed, facility.anonymized)
    return {table: {row["name"] for row in found} for table, found in rows.items()} | {
        bucket: set(facility.keys(bucket, "")) for bucket in buckets
    }


def test_validate_finds_nothing_wrong_and_leaves_nothing(facility):
    open_studies = "select study from studies where outcome is null"
    facility.wait_for("the others' outcomes", lambda: not facility.query(open_studies), 180, 2)
    before = everything(facility)
    done = play("playbooks/validate.yml")
    assert done.returncode == 0, done.stdout[-4000:]
    for hop in ("object store", "events", "risk assessment", "results"):
        assert re.search(rf"ok +{hop}", done.stdout), done.stdout
    assert "WRONG" not in done.stdout
    assert everything(facility) == before


WRONG_KEYS = {"object_store_admin_access_key": "nobody", "object_store_admin_secret_key": "wrong"}
WRONG = {
    "no such kubeconfig": ({"xraylab_kubeconfig": "/nonexistent/kubeconfig"}, "Check xraylab_kubeconfig"),
    "the API is not there": ({"xraylab_kubeconfig": "UNREACHABLE"}, "Check xraylab_kubeconfig"),
    "an unknown administrator": (WRONG_KEYS, "object_store_admin_secret_key of this host"),
    "no object store there": ({"xraylab_s3_endpoint": "https://127.0.0.1:9"}, "Check xraylab_s3_endpoint"),
}


@pytest.mark.parametrize("case", WRONG)
def test_site_says_what_is_wrong_with_an_inventory_before_it_changes_anything(facility, tmp_path, case):
    given, sentence = WRONG[case]
    if given.get("xraylab_kubeconfig") == "UNREACHABLE":
        given = {"xraylab_kubeconfig": str(unreachable(tmp_path))}
    done = play(PIPELINE, "-e", json.dumps(given))
    assert done.returncode != 0
    assert sentence in words(done)
    assert changes(done) == ["0"]
    assert "object_store :" not in done.stdout


def unreachable(folder: Path) -> Path:
    server = {"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    whole = {"apiVersion": "v1", "kind": "Config", "clusters": [server], "contexts": [context], "current-context": "c"}
    path = folder / "kubeconfig"
    path.write_text(json.dumps({**whole, "users": [{"name": "u", "user": {"token": "none"}}]}))
    return path


@pytest.mark.parametrize("variable", ["xraylab_s3_endpoint", "risk_assessment_registry"])
def test_site_names_a_missing_variable(facility, tmp_path, variable):
    place = tmp_path / "place"
    shutil.copytree(LAB, place)
    values = place / "group_vars" / "facilities.yml"
    kept = [line for line in values.read_text().splitlines(keepends=True) if not line.startswith(f"{variable}:")]
    values.write_text("".join(kept))
    done = play(PIPELINE, inventory=place)
    assert done.returncode != 0
    assert f"{variable} must be set for facility lab" in words(done)
    assert changes(done) == ["0"]
