# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server answers, to whom: asked over HTTP, with a real PostgreSQL behind it."""

import io
import json
import re
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image
from rig import PATIENT, Facility, draw_xray, jpeg

KINDS = ("anonymized", "small-anonymized", "heatmap", "processed", "small-processed", "source", "small-source")
OPEN = ("anonymized", "small-anonymized", "heatmap")
PAGES = ("/", "/studies", "/api/newest", "/studies/{image}", "/api/studies/{image}")


def assessed(facility: Facility, risk: float = 0.91, **more: object) -> str:
    image = facility.arrive()
    facility.finish(image, risk, **more)
    return image


def test_nobody_sees_anything_before_signing_in(visit, facility):
    image, nobody = assessed(facility), visit()
    for path in (*PAGES, "/events", "/api/series", *(f"/images/{image}/{kind}" for kind in KINDS)):
        answer = nobody.get(path.format(image=image))
        assert answer.status_code == 401, path
        assert image not in answer.text
    answer = nobody.get("/studies?label=Normal", headers={"accept": "text/html"})
    assert answer.headers["location"] == "/sign-in?to=%2Fstudies%3Flabel%3DNormal"


@pytest.mark.parametrize("kind", KINDS)
def test_only_clinicians_get_what_is_not_deidentified(visit, facility, kind):
    image = assessed(facility)
    viewer, clinician = visit("viola").get(f"/images/{image}/{kind}"), visit("clara").get(f"/images/{image}/{kind}")
    assert clinician.status_code == 200
    assert viewer.status_code == (200 if kind in OPEN else 403)
    assert clinician.headers["content-type"] in ("image/jpeg", "image/png")
    assert clinician.headers["cache-control"].startswith("private") == (kind in OPEN)  # else no-store


def test_a_viewer_makes_the_server_read_no_source_object(visit, facility):
    image, viewer = assessed(facility), visit("viola")
    for path in (*PAGES, *(f"/images/{{image}}/{kind}{query}" for kind in KINDS for query in ("", "?download"))):
        viewer.get(path.format(image=image))
    assert {bucket for bucket, _ in facility.buckets.asked} == {"xray-source-anonymized", "xray-source-processed"}
    assert {key for bucket, key in facility.buckets.asked if bucket == "xray-source-processed"} == {
        f"{image}-heatmap.png"
    }


@pytest.mark.parametrize("name", ["viola", "clara"])
def test_no_answer_holds_an_objects_key(visit, facility, name):
    image, person = assessed(facility), visit(name)
    facility.postgres.sql(
        "update studies set processed_key = key || '-processed.jpeg' where image = $1 returning 1", "xraylabdb", image
    )
    for path in PAGES:
        answer = person.get(path.format(image=image))
        assert answer.status_code == 200
        for told in (PATIENT, "xray-source", ".jpeg"):
            assert told not in answer.text + str(answer.headers), path


def test_a_download_is_named_by_the_pseudonym(visit, facility):
    image = assessed(facility)
    answer = visit("clara").get(f"/images/{image}/source?download")
    assert answer.headers["content-disposition"] == f'attachment; filename="{image}-source.jpeg"'
    assert answer.content == next(
        data for (bucket, _), data in facility.buckets.objects.items() if bucket == "xray-source"
    )


def test_dicom_is_shown_as_a_picture_and_only_downloaded_as_it_is(visit, facility):
    image, viewer = assessed(facility, dicom=dicom_file()), visit("viola")
    shown, saved = viewer.get(f"/images/{image}/anonymized"), viewer.get(f"/images/{image}/anonymized?download")
    assert Image.open(io.BytesIO(shown.content)).format == "JPEG"
    assert shown.headers["content-type"] == "image/jpeg"
    assert saved.headers["content-type"] == "application/dicom"
    assert saved.headers["content-disposition"].startswith("attachment")
    assert saved.content[128:132] == b"DICM"


@pytest.mark.parametrize(
    "data", [b"<html><script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b""]
)
def test_what_is_no_picture_is_never_shown(visit, facility, data):
    image = assessed(facility)
    facility.buckets.put("xray-source-anonymized", f"{image}.jpeg", data)
    viewer = visit("viola")
    assert viewer.get(f"/images/{image}/anonymized").status_code == 404
    saved = viewer.get(f"/images/{image}/anonymized?download")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"].startswith("attachment")


def test_browsers_may_keep_a_picture_until_its_study_has_a_new_result(visit, facility):
    image, viewer = assessed(facility), visit("viola")
    first = viewer.get(f"/images/{image}/small-anonymized")
    again = {"if-none-match": first.headers["etag"]}
    assert viewer.get(f"/images/{image}/small-anonymized", headers=again).status_code == 304
    facility.finish(image, 0.2, at=datetime.now(UTC) + timedelta(seconds=1))
    assert viewer.get(f"/images/{image}/small-anonymized", headers=again).status_code == 200


def test_a_preview_is_made_once(visit, facility):
    image, viewer = assessed(facility), visit("viola")
    pictures = [viewer.get(f"/images/{image}/small-anonymized") for _ in range(3)]
    assert len({picture.content for picture in pictures}) == 1
    assert max(Image.open(io.BytesIO(pictures[0].content)).size) == 320
    assert len(facility.buckets.asked) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/studies/nothing",
        "/studies/..%2f..",
        "/images/nothing/anonymized",
        "/studies/%00",
        "/studies/a'--",
        "/static/../app.py",
        "/images/nothing/small-heatmap",
    ],
)
def test_what_is_not_there_is_said_so(visit, path):
    assert visit("viola").get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/studies?older=x", "/studies?newer=1.a%00b", "/studies?older=99999999999999999999.a", "/api/series?range=1y"],
)
def test_a_wrong_question_is_refused(visit, path):
    assert visit("viola").get(path).status_code == 400


def test_every_answer_allows_our_own_files_only(visit, facility):
    image, viewer = assessed(facility), visit("viola")
    for path in ("/", "/sign-in", "/nothing", "/healthz", f"/images/{image}/anonymized"):
        headers = viewer.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    page = viewer.get("/").text
    assert re.findall(r'(?:src|href)="(?!/|\?|#)[^"]*"', page) == []
    assert " style=" not in page
    assert re.findall(r"<script(?![^>]*src=)", page) == []


def test_a_form_from_another_site_is_refused(visit):
    nobody, form = visit(), {"name": "viola", "password": "x"}
    for headers in ({"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}):
        assert nobody.post("/sign-in", data=form, headers=headers).status_code == 403
        assert visit("viola").post("/sign-out", headers=headers).status_code == 403


def test_a_wrong_password_is_refused_and_tried_five_times_at_most(visit):
    nobody = visit()
    answers = [
        nobody.post("/sign-in", data={"name": name, "password": "wrong"}).status_code
        for name in ["viola"] * 6 + ["nobody"] * 6
    ]
    assert answers == ([401] * 5 + [429]) * 2
    assert nobody.post("/sign-in", data={"name": "nobody", "password": ""}).status_code == 429


@pytest.mark.parametrize(
    "to", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_our_own_pages_only(visit, to):
    answer = visit().post("/sign-in", params={"to": to}, data={"name": "viola", "password": "a password for tests"})
    assert answer.headers["location"] == "/"


def test_a_session_that_was_changed_is_none(visit, address):
    cookie = visit("viola").cookies["gallery"]
    body, _, mark = cookie.rpartition(".")
    for changed in (f"{body}x.{mark}", f"{body}.{mark[:-2]}", mark, ""):
        assert httpx.get(address + "/api/newest", cookies={"gallery": changed}).status_code == 401


def test_pages_of_the_list_follow_one_another(visit, facility):
    start = datetime.now(UTC)
    images = [facility.arrive(start - timedelta(seconds=seconds)) for seconds in range(110)]
    viewer, path, seen, pages = visit("viola"), "", [], []
    while path is not None:
        page = viewer.get(f"/studies{path}").text
        pages.append(shown(page))
        seen += shown(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        last, path = path, older[1].replace("&amp;", "&") if older else None
    assert seen == images
    assert [len(page) for page in pages] == [48, 48, 14]
    newer = re.search(r'rel="prev" href="([^"]+)"', viewer.get(f"/studies{last}").text)[1]
    assert shown(viewer.get(f"/studies{newer}").text) == pages[1]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("label=Pneumonia", {"high"}),
        ("label=Unsure", {"middle"}),
        ("outcome=waiting", {"waiting"}),
        ("outcome=rejected", {"rejected"}),
        ("model=other", set()),
        ("label=Normal&outcome=assessed", {"low"}),
        ("label=nonsense", {"high", "middle", "low", "waiting", "rejected"}),
    ],
)
def test_the_list_is_filtered(visit, facility, asked, wanted):
    images = {name: facility.arrive() for name in ("high", "middle", "low", "waiting", "rejected")}
    for name, risk in (("high", 0.95), ("middle", 0.7), ("low", 0.1)):
        facility.finish(images[name], risk)
    facility.finish(images["rejected"], None, "rejected", ("No chest is seen.",))
    assert set(shown(visit("viola").get(f"/studies?{asked}").text)) == {images[name] for name in wanted}


def test_figures_count_what_is_there(visit, facility):
    viewer = visit("viola")
    viewer.get("/api/newest")
    waiting = [facility.arrive() for _ in range(5)]
    for image, risk in zip(waiting, (0.1, 0.7, 0.9), strict=False):
        facility.finish(image, risk)
    facility.finish(waiting[3], None, "failed", ("It is truncated.",))
    time.sleep(1)
    figures = viewer.get("/api/newest").json()["figures"]
    assert (figures["received"], figures["waiting"], figures["recorded_rate"]) == (5, 1, 4)
    assert figures["labels"] == {"Normal": 1, "Unsure": 1, "Pneumonia": 1}
    assert figures["outcomes"] == {"waiting": 1, "assessed": 3, "rejected": 0, "failed": 1}
    series = viewer.get("/api/series?range=15m").json()
    assert (sum(series["recorded"]), sum(series["pneumonia"]), series["waiting"][-1]) == (4, 1, 1)
    assert sum(map(sum, series["risks"])) == 3


def test_what_came_while_a_page_loaded_is_told_afterwards(visit, facility):
    viewer = visit("viola")
    place = viewer.get("/api/newest").json()["place"]
    image = assessed(facility)
    time.sleep(0.6)
    with viewer.stream("GET", f"/events?from={place}") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = next(line for line in stream.iter_lines() if line.startswith("data: ["))
    study = json.loads(told.removeprefix("data: "))[-1]
    assert study["image"] == image
    with viewer.stream("GET", "/events?from=another-1") as stream:
        assert next(line for line in stream.iter_lines() if line.startswith("event: ")) == "event: reload"


def test_the_page_says_when_results_cannot_be_read_and_comes_back(visit, facility):
    viewer, postgres = visit("viola"), facility.postgres
    assert viewer.get("/").status_code == 200
    postgres.stop()
    try:
        answer = viewer.get("/studies", headers={"accept": "text/html"})
        assert answer.status_code == 503
        assert "cannot be read at the moment" in answer.text
        assert viewer.get("/readyz").status_code == 503
        assert viewer.get("/healthz").status_code == 200
    finally:
        postgres.start()
    assert viewer.get("/studies").status_code == 200


def shown(page: str) -> list[str]:
    return re.findall(r'<li class="tile" data-image="([^"]+)"', page)


def dicom_file() -> bytes:
    """A small DICOM image without any patient, made here."""
    import numpy as np
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    pixels = np.asarray(draw_xray(3, 0.9)).astype(np.uint16) * 16
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
        "DX",
    )
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = pixels.tobytes()
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_the_drawn_xray_is_a_jpeg():
    assert jpeg(draw_xray(1, 0.5))[:3] == b"\xff\xd8\xff"
