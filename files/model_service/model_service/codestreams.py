# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compressed image says of itself, read from its markers before any memory is spent on it; and two JPEGs of
ours made one. Pure, bytes only."""

import re
import struct
from dataclasses import dataclass

# Progressive JPEGs have about ten; each costs a pass over the whole image, so thousands would be an attack.
MAX_SCANS = 100
MAX_TILES = 4096
NOT_FRAMES = (0xC4, 0xC8, 0xCC)  # DHT, JPG and DAC lie among the SOF markers
JPEG_LS_FRAME = 0xF7


@dataclass(frozen=True)
class Declared:
    width: int
    height: int
    components: int


def jpeg_scans(data: bytes) -> int:
    """The number of start-of-scan markers: within entropy-coded data 0xFF is never followed by one."""
    return data.count(b"\xff\xda")


def jpeg_size(data: bytes) -> Declared:
    """Size by the first frame header of a JPEG or JPEG-LS stream. Raises ValueError (ITU-T T.81, B.1 and B.2.2)."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == JPEG_LS_FRAME or (0xC0 <= marker <= 0xCF and marker not in NOT_FRAMES):
            height, width, components = struct.unpack_from(">HHB", data, at + 5)
            return Declared(width, height, components)
        at += 2 + length
    raise ValueError("no frame header")


def jpeg2000_size(data: bytes) -> Declared:
    """Size by the SIZ segment of a JPEG 2000 codestream. Raises ValueError (ITU-T T.800, A.5.1)."""
    if data[:4] != b"\xff\x4f\xff\x51" or len(data) < 42:
        raise ValueError("no SIZ segment")
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = struct.unpack_from(">8I", data, 8)
    if not tile_width or not tile_height:
        raise ValueError("empty tiles")
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if not 0 < tiles <= MAX_TILES:
        raise ValueError(f"{tiles} tiles")
    return Declared(right - left, bottom - top, int.from_bytes(data[40:42], "big"))


def stacked(top: bytes, bottom: bytes, rows: int) -> bytes:
    """One gray JPEG: the first `rows` rows of 8 x 8 blocks of `top`, and all of `bottom` below them, coded as they are.

    Both were encoded alike, are as wide, and restart after each row of blocks, so that rows do not depend on the ones
    above. Restarts are numbered 0 to 7 over and over (ITU-T T.81, B.2.1).
    """
    (head, scan), (other_head, other_scan) = scan_of(top), scan_of(bottom)
    restart = restart_marker(rows - 1)
    if jpeg_size(top).height > 8 * rows:  # a last row of blocks that is not full
        scan = scan[: scan.rindex(restart)]
    below = re.sub(rb"\xff[\xd0-\xd7]", lambda found: restart_marker(found[0][1] - 0xD0 + rows), other_scan)
    height = struct.pack(">H", 8 * rows + jpeg_size(other_head).height)
    at = head.index(b"\xff\xc0\0\x0b") + 5  # within the frame header of one component
    return head[:at] + height + head[at + 2 :] + scan + restart + below + b"\xff\xd9"


def scan_of(data: bytes) -> tuple[bytes, bytes]:
    """A JPEG's header with that of its one scan, and the coded blocks without the end marker."""
    at = data.index(b"\xff\xda")
    at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:at], data[at:-2]


def restart_marker(number: int) -> bytes:
    return bytes((0xFF, 0xD0 + number % 8))
