# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that is part of the pixels: which pixels it covers, wherever it stands, large or small, dark or bright.

The detector is the text detection network of PP-OCRv4 (Apache-2.0) out of the wheel of `rapidocr-onnxruntime`, whose
own code is not used. It looks at the whole image made small, for large text, and at full size wherever anything is
as thin as a letter's stroke, for small text: most of an X-ray is smooth and need not be looked at twice.
"""

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels; the last two are outside

PACKAGE, WEIGHTS = "rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"
STRIDE = 32  # the network takes multiples of this
SMALL, SMALL_PART = (384, 640), 4  # longest side of the image for large text: a part of its own, within limits
TILE, MARGIN = 320, 16  # largest side of what is looked at once at full size, and what is added around it
# How tiles are looked at, until there is nothing left that may be text: (enlarged, turned). Lines that run upwards are
# found for sure only when they are turned, faint letters of 10 pixels only when they are enlarged.
WAYS = ((1, False), (1, True), (2, True), (2, False))
AGAIN_PART = 8  # after the first, only the smallest tiles, together this part of the image's pixels
CELL = 4  # text is outlined as finely as this
STROKE = 7  # widest stroke, in pixels, of the letters that are looked for at full size
CONTRAST = 18  # gray levels of a letter against its ground
# Pixels of strokes in a block of STRIDE x STRIDE, and in three blocks in a row: few words have less.
BLOCK_STROKES, ROW_STROKES = 20, 180
GRAIN = 3  # strokes are this many times stronger than what a quarter of their block stays below
GROUND, GAIN = 16, 2  # the network overlooks faint letters: levels against those around them, twice as strong
WEAK, STRONG = 0.25, 0.5  # probabilities: a line of text has a strong pixel and extends over weak ones
# The network takes some lungs for text. Real lines are hardly ever thicker, nor does less of them lie at sharp edges.
THICKEST, LEAST_SHARP, LEAST_SHARP_SMALL = 52, 0.15, 0.3


class TextDetectorError(Exception):
    """There is no detector; the text says what was expected where."""


def weights() -> Path:
    """The network's file, found without importing its package. Raises TextDetectorError."""
    package = find_spec(PACKAGE)
    folders = package.submodule_search_locations if package else None
    path = Path(next(iter(folders or ()), PACKAGE), WEIGHTS)
    if not path.is_file():
        raise TextDetectorError(f"expected {WEIGHTS} of the package rapidocr-onnxruntime, got no file {path}")
    return path


class TextDetector:
    """Loaded when it is first used; may be called from several threads at once. Raises TextDetectorError."""

    def __init__(self) -> None:
        self.path, self.lock = weights(), threading.Lock()
        self.loaded: onnxruntime.InferenceSession | None = None

    def session(self) -> onnxruntime.InferenceSession:
        with self.lock:
            if self.loaded is None:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = options.inter_op_num_threads = 1
                options.enable_mem_pattern = False  # made for one shape, and every tile has its own
                self.loaded = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        return self.loaded

    def boxes(self, gray: Image.Image) -> list[Box]:
        """Rectangles that cover all text."""
        longest = max(gray.size)
        scale = min(1.0, min(max(longest // SMALL_PART, SMALL[0]), SMALL[1]) / longest)
        small = gray.resize([max(1, round(side * scale)) for side in gray.size], Image.Resampling.BOX, reducing_gap=2.0)
        found = [tuple(round(side / scale) for side in box) for box in self.lines(np.array(small), LEAST_SHARP_SMALL)]
        thin = strokes(np.asarray(gray))
        room = gray.width * gray.height // AGAIN_PART
        for zoom, turned in WAYS:
            for left, top, right, bottom in (clipped(box, gray.size) for box in found):
                thin[top:bottom, left:right] = False
            for tile in sorted(tiles(crowded_blocks(thin), gray.size), key=area):
                room -= zoom**2 * area(tile) if (zoom, turned) != WAYS[0] else 0
                if room >= 0:
                    found += self.lines_in_tile(gray.crop(tile), tile, zoom, turned)
        return [clipped(box, gray.size) for box in found]

    def lines_in_tile(self, part: Image.Image, tile: Box, zoom: int, turned: bool) -> Iterator[Box]:
        """The lines in a tile of the image, where these stand in the image."""
        part = part.resize((part.width * zoom, part.height * zoom), Image.Resampling.BICUBIC) if zoom > 1 else part
        height = part.height
        part = part.transpose(Image.Transpose.ROTATE_270) if turned else part
        for left, top, right, bottom in self.lines(np.array(part)):
            box = (top, height - right, bottom, height - left) if turned else (left, top, right, bottom)
            x0, y0, x1, y1 = (side // zoom for side in box)
            yield tile[0] + x0, tile[1] + y0, tile[0] + x1, tile[1] + y1

    def lines(self, levels: NDArray[np.uint8], least_sharp: float = LEAST_SHARP) -> Iterator[Box]:
        """Rectangles that cover the lines of text which the network finds at this size."""
        cells = self.probability(levels)
        rows = np.maximum.reduce([cells[row::CELL] for row in range(CELL)])  # in two steps: much faster than in one
        outlined = list(cores(np.maximum.reduce([rows[:, column::CELL] for column in range(CELL)])))
        if not outlined:
            return
        sharp = steepness(levels) > CONTRAST
        for left, top, right, bottom in (tuple(CELL * side for side in core) for core in outlined):
            thickness = min(right - left, bottom - top)
            if thickness <= THICKEST and sharp[top:bottom, left:right].mean() >= least_sharp:
                wider = CELL + (thickness if right - left > thickness else thickness // 2)
                higher = CELL + (thickness if bottom - top > thickness else thickness // 2)
                yield left - wider, top - higher, right + wider, bottom + higher

    def probability(self, levels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of text, for each pixel and beyond the edges up to a multiple of STRIDE, where it is 0.

        The network marks only the core of a line, less than half as high as the line.
        """
        height, width = levels.shape
        ground = np.asarray(Image.fromarray(levels).filter(ImageFilter.BoxBlur(GROUND)), np.float32)
        raised = ((levels - ground) * GAIN + 127.5).clip(0, 255)
        padding = ((0, -height % STRIDE), (0, -width % STRIDE))
        plane = np.pad(raised, padding, mode="edge") / 127.5 - 1
        pixels = np.ascontiguousarray(np.broadcast_to(plane, (1, 3, *plane.shape)))
        found: NDArray[np.float32] = self.session().run(None, {"x": pixels})[0][0, 0]
        found[height:] = found[:, width:] = 0
        return found


def steepness(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How much a pixel's neighbours differ, left from right or above from below."""
    found = np.zeros(levels.shape, np.uint8)
    found[:, 1:-1] = difference(levels[:, 2:], levels[:, :-2])
    found[1:-1] = np.maximum(found[1:-1], difference(levels[2:], levels[:-2]))
    return found


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.maximum(one, other) - np.minimum(one, other)


def strokes(levels: NDArray[np.uint8]) -> Mask:
    """Which pixels are as thin as a letter's strokes, bright or dark, and stronger than the grain of their block."""
    opened = extreme(extreme(levels, np.minimum), np.maximum)
    closed = extreme(extreme(levels, np.maximum), np.minimum)
    blocks = in_blocks(np.maximum(levels - opened, closed - levels))
    sample = blocks[:, ::4, :, ::4].swapaxes(1, 2).reshape(blocks.shape[0], blocks.shape[2], -1)
    quarter = np.partition(sample, sample.shape[2] // 4, axis=2)[:, :, sample.shape[2] // 4].astype(np.uint16)
    least = np.maximum(CONTRAST, GRAIN * quarter).clip(max=255).astype(np.uint8)[:, None, :, None]
    return (blocks > least).reshape(blocks.shape[0] * STRIDE, -1)[: levels.shape[0], : levels.shape[1]]


def crowded_blocks(thin: Mask) -> Mask:
    """Which blocks may hold letters."""
    columns = in_blocks(thin.view(np.uint8)).sum(axis=1, dtype=np.uint8)  # in two steps, as above
    counts = columns.sum(axis=2, dtype=np.int64)
    around = np.pad(counts, 1)
    across = around[1:-1, :-2] + counts + around[1:-1, 2:]
    down = around[:-2, 1:-1] + counts + around[2:, 1:-1]
    return (counts >= BLOCK_STROKES) & (np.maximum(across, down) >= ROW_STROKES)


def in_blocks(pixels: NDArray[Any]) -> NDArray[Any]:
    """(rows of blocks, STRIDE, columns of blocks, STRIDE), filled up with zeros."""
    height, width = pixels.shape
    filled = np.pad(pixels, ((0, -height % STRIDE), (0, -width % STRIDE)))
    return filled.reshape(filled.shape[0] // STRIDE, STRIDE, -1, STRIDE)


def extreme(levels: NDArray[np.uint8], of_two: np.ufunc) -> NDArray[np.uint8]:
    """The least or largest level in the square of STROKE x STROKE around each pixel."""
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (STROKE // 2, STROKE // 2)
        levels, reach = np.pad(levels, padding, mode="edge").swapaxes(0, axis), 1
        while reach < STROKE:
            step = min(reach, STROKE - reach)
            levels, reach = of_two(levels[:-step], levels[step:]), reach + step
        levels = levels.swapaxes(0, axis)
    return levels


def tiles(blocks: Mask, size: tuple[int, int]) -> Iterator[Box]:
    """Parts of the image that hold all marked blocks, those that hang together in one where it is not too large."""
    step = TILE // STRIDE
    for left, top, right, bottom in cores(blocks):
        for row in range(top, bottom, step):
            for column in range(left, right, step):
                part = blocks[row : min(row + step, bottom), column : min(column + step, right)]
                if part.any():
                    box = column, row, column + part.shape[1], row + part.shape[0]
                    sides = [int(side) * STRIDE for side in box]
                    yield clipped((sides[0] - MARGIN, sides[1] - MARGIN, sides[2] + MARGIN, sides[3] + MARGIN), size)


def cores(cells: NDArray[Any]) -> Iterator[Box]:
    """What hangs together and is strong somewhere, as rectangles of cells."""
    strong, left = cells > STRONG, set(map(tuple, np.argwhere(cells > WEAK).tolist()))
    while left:
        waiting, rows, columns, wanted = [left.pop()], [], [], False
        while waiting:
            row, column = waiting.pop()
            rows.append(row)
            columns.append(column)
            wanted = wanted or bool(strong[row, column])
            around = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= around
            waiting += around
        if wanted:
            yield min(columns), min(rows), max(columns) + 1, max(rows) + 1


def area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def clipped(box: Box, size: tuple[int, int]) -> Box:
    return max(0, box[0]), max(0, box[1]), min(size[0], box[2]), min(size[1], box[3])
