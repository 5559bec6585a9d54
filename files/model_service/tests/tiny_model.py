# SPDX-License-Identifier: GPL-3.0-or-later
"""A model with the real one's inputs, outputs and metadata that knows nothing of chests, written without onnx.

Each of the 7 x 7 parts of the image adds to the logit what it is brighter than middle gray. A corner that is white
makes the picture one of the unwanted kinds.
"""

import struct
from collections.abc import Iterable, Mapping
from itertools import chain

SIDE, CELLS = 224, 7
CORNERS = {"inverted": (0, 0), "sideways": (0, 6), "upside_down": (6, 0), "other": (6, 6)}
VIEWS = ("frontal", *CORNERS)
FLOAT, INT64 = 1, 7


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    low = bytearray()
    while number > 127:
        low.append(number & 127 | 128)
        number >>= 7
    return bytes([*low, number])


def field(number: int, value: "int | str | bytes") -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: Iterable[float], shape: tuple[int, ...], kind: int = FLOAT) -> bytes:
    raw = b"".join(struct.pack("<f" if kind == FLOAT else "<q", value) for value in values)
    return b"".join(field(1, side) for side in shape) + field(2, kind) + field(8, name) + field(9, raw)


def node(kind: str, inputs: str, output: str, **attributes: "int | list[int]") -> bytes:
    parts = [field(1, name) for name in inputs.split()] + [field(2, output), field(4, kind)]
    for name, value in attributes.items():
        numbers = value if isinstance(value, list) else [value]
        told = b"".join(field(8 if isinstance(value, list) else 3, number) for number in numbers)
        parts.append(field(5, field(1, name) + told + field(20, 7 if isinstance(value, list) else 2)))
    return b"".join(parts)


def value(name: str, *sides: int) -> bytes:
    shape = b"".join(field(1, field(1, side) if side else field(2, "n")) for side in sides)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def view_weights() -> Iterable[float]:
    """(49, 5): a corner that is 250 or brighter makes its kind all but certain."""
    for row in range(CELLS):
        for column in range(CELLS):
            yield from (4.0 if CORNERS.get(view) == (row, column) else 0.0 for view in VIEWS)


def tiny_model(metadata: Mapping[str, str] | None = None) -> bytes:
    nodes = [
        node("AveragePool", "gray", "cells", kernel_shape=[32, 32], strides=[32, 32]),
        node("Reshape", "cells square", "levels"),
        node("Sub", "levels middle", "brighter"),
        node("Mul", "brighter slope", "heat"),
        node("Reshape", "heat flat", "row"),
        node("ReduceMean", "row", "logit", axes=[1], keepdims=1),
        node("Sigmoid", "logit", "prob"),
        node("Reshape", "levels flat", "brightness"),
        node("Gemm", "brightness weights bias", "kinds"),
        node("Softmax", "kinds", "view", axis=1),
    ]
    constants = [
        tensor("square", [-1, CELLS, CELLS], (3,), INT64),
        tensor("flat", [-1, CELLS * CELLS], (2,), INT64),
        tensor("middle", [128.0], (1,)),
        tensor("slope", [0.1], (1,)),
        tensor("weights", view_weights(), (CELLS * CELLS, len(VIEWS))),
        tensor("bias", [0.0] + [-1000.0] * len(CORNERS), (len(VIEWS),)),
    ]
    outputs = value("prob", 0, 1), value("heat", 0, CELLS, CELLS), value("view", 0, len(VIEWS)), value("logit", 0, 1)
    graph = b"".join(
        chain(
            (field(1, one) for one in nodes),
            [field(2, "tiny")],
            (field(5, one) for one in constants),
            [field(11, value("gray", 0, 1, SIDE, SIDE))],
            (field(12, one) for one in outputs),
        )
    )
    told = {"views": ",".join(VIEWS), "view_threshold": "0.5"} if metadata is None else metadata
    properties = b"".join(field(14, field(1, key) + field(2, text)) for key, text in told.items())
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17)) + properties
