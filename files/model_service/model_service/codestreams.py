# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compressed image says of itself, read from its markers before any memory is spent on it. Pure, bytes only."""

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
