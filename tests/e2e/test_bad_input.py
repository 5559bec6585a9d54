# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be read becomes a dead letter, what is no chest X-ray a rejected study, each with its reason."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.lab


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int = 20_000, height: int = 10_000) -> bytes:
    """A valid 200-megapixel PNG of a few KB: 1 bit a pixel, all black."""
    rows = zlib.compress(bytes(1 + width // 8) * height, 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# name -> (file made of a good X-ray, words of the reason)
BAD = {
    "bad/notes.txt": (lambda _good: b"This is no image.", "Expected a JPEG"),
    "bad/truncated.jpeg": (lambda good: good[: len(good) // 2], "truncated or damaged"),
    "bad/empty.png": (lambda _good: b"", "empty object"),
    "bad/huge.png": (lambda _good: huge_png(), "20000 x 10000"),
    'bad/say "hi"/it\'s \\ so/x.jpeg': (lambda _good: b"<html>", "Expected a JPEG"),
}


@pytest.fixture(scope="module")
def sent(facility, xrays) -> tuple[dict[str, str], list[str]]:
    """(keys of the bad ones by name, keys of the good ones), stored one after the other in turns."""
    bad, good = {}, []
    for number, (name, (make, _reason)) in enumerate(BAD.items(), 1):
        bad[name] = facility.put(name, make(xrays[number]))
        good.append(facility.put(f"bad/good {number}.jpeg", xrays[number]))
    good.append(facility.put('bad/a "quoted"/path\'s end/good.jpeg', xrays[0]))
    return bad, good


@pytest.mark.parametrize("name", BAD)
def test_events_end_as_dead_letters_with_the_reason(facility, sent, name):
    key = sent[0][name]
    status, answer = facility.wait_for(f"the dead letter of {key}", lambda: facility.dead_letters().get(key), 180, 2)
    assert status == "422"
    assert BAD[name][1] in answer


def test_the_others_are_assessed(facility, sent):
    for key in sent[1]:
        assert facility.record(key)["outcome"] == "assessed"


def test_nothing_is_recorded_of_what_was_refused(facility, sent):
    facility.wait_for("all dead letters", lambda: set(sent[0].values()) <= set(facility.dead_letters()), 180, 2)
    assert not set(sent[0].values()) & set(facility.records("bad/"))
    assert not set(sent[1]) & set(facility.dead_letters())


def photo() -> bytes:
    """A house on a meadow: contrast enough, and no chest."""
    image = Image.new("RGB", (640, 480), (120, 180, 240))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 300, 640, 480), fill=(40, 130, 50))
    pen.rectangle((180, 180, 460, 380), fill=(180, 60, 50))
    pen.polygon([(150, 180), (320, 60), (490, 180)], fill=(60, 40, 40))
    pen.rectangle((290, 280, 350, 380), fill=(240, 220, 160))
    return encoded(image)


def extremity() -> bytes:
    """The real radiograph of an extremity in the package pydicom-data."""
    found = next(file for file in files("pydicom-data") or [] if file.name == "RG3_UNCR.dcm")
    return Path(str(found.locate())).read_bytes()


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def turned(good: bytes) -> bytes:
    return encoded(Image.open(io.BytesIO(good)).convert("L").transpose(Image.Transpose.ROTATE_180))


# name -> (file, made of a good X-ray, words of the reason)
NO_CHEST: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "photo.jpeg": (lambda _good: photo(), "no frontal chest X-ray"),
    "extremity.dcm": (lambda _good: extremity(), "no frontal chest X-ray"),
    "blank.jpeg": (lambda _good: encoded(Image.new("L", (800, 600), 128)), "blank"),
    "upside down.jpeg": (turned, "upside down"),
}


@pytest.fixture(scope="module")
def rejected(facility, xrays) -> dict[str, str]:
    """Keys by name."""
    return {name: facility.put(f"rejected/{name}", make(xrays[0])) for name, (make, _reason) in NO_CHEST.items()}


@pytest.mark.parametrize("name", NO_CHEST)
def test_what_is_no_chest_xray_is_recorded_as_rejected_with_the_reason(facility, rejected, name):
    record = facility.record(rejected[name])
    assert (record["outcome"], record["label"], record["risk"]) == ("rejected", None, None)
    assert NO_CHEST[name][1] in " ".join(record["reasons"])
    assert (record["heatmap_key"], record["anonymized_key"]) == (None, None)
    assert len(facility.results(rejected[name])) == 2


def test_what_is_rejected_is_told_in_the_log(facility):
    facility.record(facility.put("rejected/Barbara.jpeg", photo()))
    lines = [json.loads(line) for line in facility.function_log() if line.startswith("{")]
    told = [line for line in lines if line["message"] == "rejected"]
    assert told
    assert all(line["reasons"] for line in told)
    assert not any("Barbara" in str(line) for line in lines)
