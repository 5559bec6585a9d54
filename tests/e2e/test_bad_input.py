# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be assessed becomes a dead letter with its reason, and the others go on."""

from __future__ import annotations

import struct
import zlib

import pytest

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
