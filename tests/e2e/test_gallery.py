# SPDX-License-Identifier: GPL-3.0-or-later
"""The gallery of the lab's facility: an X-ray that is stored shows up by itself, and nobody sees more than they may."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

GALLERY = "http://10.250.0.1:30080"
CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
PATIENT = "Barbara Campbell"
NAME = f"demo_{PATIENT}_5798_1962-07-16_2016-11-07.jpeg"


@pytest.fixture(scope="module")
def passwords(facility) -> dict[str, str]:
    secret = facility.secret("gallery")
    return {name: secret[f"{name}.password"] for name in ("viewer", "clinician")}


@contextmanager
def visit(name: str, passwords: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=GALLERY, timeout=30) as client:
        assert client.post("/sign-in", data={"name": name, "password": passwords[name]}).status_code == 303
        yield client


@pytest.fixture
def page(passwords) -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium here: install Debian's package chromium (lab/packages.txt)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = browser.new_page()
        page.goto(GALLERY)
        page.get_by_label("Name").fill("viewer")
        page.get_by_label("Password").fill(passwords["viewer"])
        page.get_by_role("button", name="Sign in").click()
        page.locator(".live[data-state=live]").wait_for()
        yield page
        browser.close()


def test_a_stored_xray_appears_within_two_seconds_of_its_record(facility, xrays, page):
    page.evaluate("window.untouched = true")
    record = facility.record(facility.put(f"gallery/{NAME}", xrays[3]))
    image = record["image"]
    tile = page.locator(f"[data-lane=assessed] [data-image='{image}']")
    tile.wait_for(timeout=2000)
    assert tile.get_attribute("data-label") == (record["label"] or "")
    assert page.evaluate("window.untouched")
    page.locator(f"[data-lane=incoming] [data-image='{image}']").wait_for(timeout=2000)
    if record["anonymized_key"]:
        page.locator(f"[data-lane=deidentified] [data-image='{image}'] img").first.wait_for(timeout=5000)


def test_a_viewer_gets_no_source_image_and_no_name(facility, xrays, passwords):
    record = facility.record(facility.put(f"gallery-roles/{NAME}", xrays[4]))
    image = record["image"]
    with visit("viewer", passwords) as viewer, visit("clinician", passwords) as clinician:
        wait = time.monotonic() + 10
        while clinician.get(f"/images/{image}/source").status_code != 200:
            assert time.monotonic() < wait, "the clinician never got the source image"
            time.sleep(0.5)
        for kind in ("source", "small-source", "processed", "small-processed"):
            assert viewer.get(f"/images/{image}/{kind}").status_code == 403
            assert clinician.get(f"/images/{image}/{kind}").headers["content-type"] in ("image/jpeg", "image/png")
        for path in ("/", "/studies", f"/studies/{image}", f"/api/studies/{image}", "/api/newest"):
            for person in (viewer, clinician):
                answer = person.get(path)
                assert answer.status_code == 200
                for told in (PATIENT, record["key"], "xray-source", facility.prefix):
                    assert told not in answer.text + json.dumps(dict(answer.headers)), path


def test_the_gallery_may_read_and_nothing_else(facility):
    from botocore.exceptions import ClientError

    for bucket in (facility.source, facility.processed, facility.anonymized):
        with pytest.raises(ClientError, match="AccessDenied"):
            facility.s3("gallery").put_object(Bucket=bucket, Key=f"{facility.prefix}x", Body=b"x")


def test_the_gallery_counts_what_the_database_counts(facility, passwords):
    with visit("viewer", passwords) as viewer:
        figures = viewer.get("/api/newest").json()["figures"]
        assert sum(figures["labels"].values()) == figures["outcomes"]["assessed"]
        assert sum(figures["outcomes"].values()) == figures["received"]
