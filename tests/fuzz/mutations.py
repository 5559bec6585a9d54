# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to damage a file: anywhere by bytes, and where its format has a length, a size or a number, by parts.

Strategies of hypothesis, so that what it finds comes out reduced.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from service_fakes import png_chunk, tiff

NUMBERS = (0, 1, 2, 7, 8, 15, 16, 17, 64, 127, 128, 255, 256, 4095, 32767, 32768, 65535, 65536, 1 << 20, 1 << 24)
NUMBERS += ((1 << 31) - 1, 1 << 31, (1 << 32) - 8, (1 << 32) - 1)
TEXTS = (b"", b"0", b"-1", b"1", b"1e308", b"nan", b"1e-320", b"99999999999999999999", b"2\\3", b"\\\\", b"\xff\xfe\0")
TEXTS += (b"MONOCHROME1 ", b"MONOCHROME2 ", b"RGB ", b"PALETTE COLOR", b"YBR_FULL", b"SIGMOID ", b"LINEAR_EXACT")
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"GIF89a", b"%PDF-1.4", b"PK\3\4")
BEGINNINGS += (b"MZ", b"#!/bin/sh\n", b"\xff\xda\0\2", b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\xdd\xe0\0\0\0\0")
# (group, element): all that read, check, gray and put_pixels look at, and what holds other elements.
ELEMENTS = [(0x0028, low) for low in (2, 4, 6, 8, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103, 0x106, 0x120, 0x121)]
ELEMENTS += [(0x0028, low) for low in (0x1050, 0x1051, 0x1052, 0x1053, 0x1056, 0x3000, 0x3002, 0x3006, 0x3010)]
ELEMENTS += [(0x0008, low) for low in (0x05, 0x16, 0x18, 0x20, 0x60, 0x1110, 0x1140, 0x2112)]
ELEMENTS += [(0x0010, 0x10), (0x0010, 0x20), (0x0010, 0x30), (0x0018, 0x15), (0x5000, 0x10), (0x6000, 0x3000)]
ELEMENTS += [(0x0009, 0x1001), (0x0020, 0x0D), (0x7FE0, 0x10), (0x7FE0, 0x08), (0xFFFE, 0xE000), (0xFFFE, 0xE00D)]
KINDS = (b"US", b"SS", b"UL", b"DS", b"IS", b"CS", b"UI", b"PN", b"LO", b"DA", b"TM", b"OW", b"OB", b"UN", b"SQ")
LONG = (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OD", b"OL", b"OV", b"SV", b"UV")
TIFF_TAGS = (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339, 347)
TEXTUAL = {
    b"DS": [(0x0028, low) for low in (0x1050, 0x1051, 0x1052, 0x1053)],
    b"CS": [(0x0028, 0x04), (0x0028, 0x1056), (0x0008, 0x60), (0x0008, 0x05)],
    b"IS": [(0x0028, 0x08)],
    b"DA": [(0x0010, 0x30), (0x0008, 0x20)],
    b"PN": [(0x0010, 0x10)],
    b"LO": [(0x0010, 0x20)],
    b"UI": [(0x0008, 0x16), (0x0008, 0x18), (0x0020, 0x0D)],
}
PREAMBLE = 132

numbers = st.sampled_from(NUMBERS)
places = st.floats(0, 1, exclude_max=True)


@dataclass(frozen=True)
class Part:
    """An element, chunk or segment: where it begins, where its value does, where it ends, and its length's field."""

    begin: int
    value: int
    end: int
    length: str  # struct's format of the length, which lies right before the value or, in a PNG, before the kind


def files(seeds: dict[str, bytes]) -> st.SearchStrategy[bytes]:
    """Damaged files: a seed with a change or two, a valid DICOM file of odd values, or one made of odd numbers."""
    any_seed = st.sampled_from(sorted(seeds)).map(seeds.__getitem__)
    dicom = st.sampled_from([data for data in seeds.values() if data[128:132] == b"DICM"])
    odd = st.lists(st.one_of(odd_elements()), min_size=1, max_size=3)
    damaged = st.builds(changed_by, any_seed, st.lists(changes(any_seed), min_size=1, max_size=2))
    deep = st.builds(nested, st.just(seeds), st.integers(1, 3000))
    return st.one_of(damaged, damaged, damaged, st.builds(changed_by, dicom, odd), pngs(), tiffs(), deep)


def odd_elements() -> list[st.SearchStrategy[Callable[[bytes], bytes]]]:
    """Values of the right form: they are read, and then computed with."""
    text = st.one_of(st.sampled_from(TEXTS), st.floats().map(lambda number: f"{number:.8g}".encode()))
    texts = [(tag, kind) for kind, tags in TEXTUAL.items() for tag in tags]
    counts = [(0x0028, low) for low in (2, 6, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103, 0x106, 0x120, 0x121, 0x3002)]
    shorts = st.lists(numbers, min_size=1, max_size=3).map(
        lambda many: b"".join(struct.pack("<H", number & 0xFFFF) for number in many)
    )
    return [
        st.builds(lambda of, value: put_element(of[0], of[1], even(value)), st.sampled_from(texts), text),
        st.builds(put_element, st.sampled_from(counts), st.sampled_from((b"US", b"SS")), shorts),
    ]


def even(text: bytes) -> bytes:
    return text + b" " * (len(text) % 2)


def changed_by(data: bytes, steps: list[Callable[[bytes], bytes]]) -> bytes:
    for step in steps:
        data = step(data)
    return data


def changes(any_seed: st.SearchStrategy[bytes]) -> st.SearchStrategy[Callable[[bytes], bytes]]:
    near = st.floats(0, 0.05)  # headers are at the front
    where = st.one_of(near, places)
    fields = st.sampled_from(("<H", ">H", "<I", ">I", "B", "<Q"))
    values = st.one_of(
        st.binary(max_size=12), st.sampled_from(TEXTS), numbers.map(lambda number: struct.pack("<Q", number)[:2])
    )
    return st.one_of(
        st.builds(overwrite, where, st.binary(min_size=1, max_size=4)),
        st.builds(put_number, where, fields, numbers),
        st.builds(cut, places),
        st.builds(remove, where, st.integers(1, 300)),
        st.builds(repeat, where, st.integers(1, 300), st.integers(1, 30)),
        st.builds(insert, where, st.one_of(st.sampled_from(BEGINNINGS), st.binary(max_size=20))),
        st.builds(prepend, st.sampled_from(BEGINNINGS)),
        st.builds(join, any_seed, places, places),
        st.builds(put_length, places, numbers),
        st.builds(drop_part, places),
        st.builds(swap_parts, places, places),
        st.builds(repeat_part, places, st.integers(2, 200)),
        st.builds(put_value, places, values),
        st.builds(put_element, st.sampled_from(ELEMENTS), st.sampled_from(KINDS), values),
    )


def at(data: bytes, where: float) -> int:
    return int(where * len(data))


def overwrite(where: float, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[: at(data, where)] + new + data[at(data, where) + len(new) :]


def put_number(where: float, form: str, number: int) -> Callable[[bytes], bytes]:
    return overwrite(where, struct.pack(form, number & ((1 << 8 * struct.calcsize(form)) - 1)))


def cut(where: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: at(data, where)]


def remove(where: float, length: int) -> Callable[[bytes], bytes]:
    return lambda data: data[: at(data, where)] + data[at(data, where) + length :]


def repeat(where: float, length: int, times: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        begin = at(data, where)
        return data[:begin] + data[begin : begin + length] * times + data[begin:]

    return change


def insert(where: float, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[: at(data, where)] + new + data[at(data, where) :]


def prepend(new: bytes) -> Callable[[bytes], bytes]:
    """Over the beginning: in a DICOM file into its free bytes, a polyglot."""
    return lambda data: new + data[len(new) :]


def join(other: bytes, leave: float, enter: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: at(data, leave)] + other[at(other, enter) :]


def parts(data: bytes) -> list[Part]:
    if data[128:132] == b"DICM":
        return elements(data)
    if data.startswith(b"\x89PNG"):
        return chunks(data)
    return segments(data) if data.startswith(b"\xff\xd8") else []


def elements(data: bytes) -> list[Part]:
    """Explicit ones, as far as they can be followed."""
    found, begin = [], PREAMBLE
    while begin + 8 <= len(data):
        short = data[begin + 4 : begin + 6] not in LONG
        value, form = (begin + 8, "<H") if short else (begin + 12, "<I")
        field = data[value - struct.calcsize(form) : value]
        length = int.from_bytes(field, "little")
        end = min(value + length, len(data))
        found.append(Part(begin, value, end, form))
        begin = end
    return found


def chunks(data: bytes) -> list[Part]:
    found, begin = [], 8
    while begin + 8 <= len(data):
        end = min(begin + 12 + int.from_bytes(data[begin : begin + 4], "big"), len(data))
        found.append(Part(begin, begin + 8, end, ">I"))
        begin = end
    return found


def segments(data: bytes) -> list[Part]:
    found, begin = [], 2
    while begin + 4 <= len(data) and data[begin] == 0xFF:
        end = min(begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big"), len(data))
        found.append(Part(begin, begin + 4, end, ">H"))
        begin = end
    return found


def with_part(where: float, change: Callable[[bytes, Part], bytes]) -> Callable[[bytes], bytes]:
    def change_one(data: bytes) -> bytes:
        found = parts(data)
        return change(data, found[int(where * len(found))]) if found else data

    return change_one


def put_length(where: float, number: int) -> Callable[[bytes], bytes]:
    def change(data: bytes, part: Part) -> bytes:
        size = struct.calcsize(part.length)
        begin = part.begin if data.startswith(b"\x89PNG") else part.value - size
        return data[:begin] + struct.pack(part.length, number & ((1 << 8 * size) - 1)) + data[begin + size :]

    return with_part(where, change)


def drop_part(where: float) -> Callable[[bytes], bytes]:
    return with_part(where, lambda data, part: data[: part.begin] + data[part.end :])


def repeat_part(where: float, times: int) -> Callable[[bytes], bytes]:
    return with_part(
        where, lambda data, part: data[: part.end] + data[part.begin : part.end][:2000] * times + data[part.end :]
    )


def swap_parts(one: float, other: float) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        found = parts(data)
        if not found:
            return data
        first, last = sorted((found[int(one * len(found))], found[int(other * len(found))]), key=lambda p: p.begin)
        if first == last:
            return data
        a, b = data[first.begin : first.end], data[last.begin : last.end]
        return data[: first.begin] + b + data[first.end : last.begin] + a + data[last.end :]

    return change


def put_value(where: float, value: bytes) -> Callable[[bytes], bytes]:
    """A part with another value, its length and checksum right."""

    def change(data: bytes, part: Part) -> bytes:
        if data.startswith(b"\x89PNG"):
            return data[: part.begin] + png_chunk(data[part.begin + 4 : part.value], value) + data[part.end :]
        added = 2 if part.length == ">H" else 0
        length = struct.pack(part.length, len(value) + added)
        return data[: part.value - len(length)] + length + value + data[part.end :]

    return with_part(where, change)


def put_element(tag: tuple[int, int], kind: bytes, value: bytes) -> Callable[[bytes], bytes]:
    """A DICOM element in its place, instead of the one that is there."""
    key = struct.pack("<HH", *tag)
    head = key + kind + (b"\0\0" + struct.pack("<I", len(value)) if kind in LONG else struct.pack("<H", len(value)))

    def change(data: bytes) -> bytes:
        found = elements(data) if data[128:132] == b"DICM" else []
        for part in found:
            there = struct.unpack("<HH", data[part.begin : part.begin + 4])
            if there >= tag:
                rest = part.end if there == tag else part.begin
                return data[: part.begin] + head + value + data[rest:]
        return data

    return change


def nested(seeds: dict[str, bytes], depth: int) -> bytes:
    """A DICOM file with sequences within sequences, of undefined length."""
    data = seeds["dicom-explicit"]
    begin = next(part.begin for part in elements(data) if data[part.begin : part.begin + 2] == b"\x10\0")
    endless = 0xFFFFFFFF
    opened = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, endless) + struct.pack("<HHI", 0xFFFE, 0xE000, endless)
    closed = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return data[:begin] + opened * depth + closed * depth + data[begin:]


def pngs() -> st.SearchStrategy[bytes]:
    """Right checksums around any header, any chunks and any compressed rows."""

    def build(sides: tuple[int, int], modes: tuple[int, ...], chunks: list[tuple[bytes, bytes]], rows: bytes) -> bytes:
        header = png_chunk(b"IHDR", struct.pack(">II5B", *sides, *modes))
        middle = b"".join(png_chunk(kind, value) for kind, value in chunks)
        return b"\x89PNG\r\n\x1a\n" + header + middle + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")

    side = st.one_of(st.integers(1, 300), numbers)
    kinds = st.sampled_from((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"eXIf"))
    modes = st.tuples(
        st.sampled_from((1, 2, 4, 8, 16, 3)), st.sampled_from((0, 2, 3, 4, 6, 1)), *[st.integers(0, 1)] * 3
    )
    return st.builds(
        build,
        st.tuples(side, side),
        modes,
        st.lists(st.tuples(kinds, st.binary(max_size=40)), max_size=4),
        st.one_of(st.binary(max_size=60), st.integers(0, 1 << 20).map(lambda size: zlib_of(bytes(size)))),
    )


def zlib_of(data: bytes) -> bytes:
    return zlib.compress(data, 9)


def tiffs() -> st.SearchStrategy[bytes]:
    """A little-endian directory of any tags with any numbers, some of them pointing back into the file."""

    def build(entries: list[tuple[int, int, int, int]], rest: bytes) -> bytes:
        packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
        return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + b"\0\0\0\0" + rest

    side = st.one_of(st.integers(64, 300), numbers.map(lambda number: number & 0xFFFFFFFF))
    size = st.tuples(st.sampled_from((256, 257)), st.just(4), st.just(1), side)
    tags = st.sampled_from(TIFF_TAGS)
    entry = st.tuples(
        tags, st.integers(1, 13), st.one_of(st.integers(0, 4), numbers),
        st.one_of(st.sampled_from((1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 32773, 32946, 50000, 34892)), numbers),
    )  # fmt: skip
    any_of_these = st.builds(build, st.lists(st.one_of(size, entry), min_size=1, max_size=14), st.binary(max_size=200))
    return st.one_of(any_of_these, st.builds(tiff, side, side, st.one_of(st.just(64), side)))
