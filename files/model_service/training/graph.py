# SPDX-License-Identifier: GPL-3.0-or-later
"""EfficientNet-Lite0 with our classifier on top, as one ONNX graph. Knows no images and no files of training data.

Source of the architecture: tensorflow/tpu, models/official/efficientnet/lite (no squeeze-and-excite, ReLU6 for swish,
stem and head not scaled); of the parameters' names: PyPI's efficientnet-lite-pytorch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 224
FEATURES = 1280
CELLS = 7  # a side of the last feature map
EPSILON = 1e-3
MEAN, SCALE = 127.0, 1 / 128.0


@dataclass(frozen=True)
class Stage:
    """A row of EfficientNet-B0's table."""

    repeats: int
    kernel: int
    stride: int
    expand: int


STAGES = (
    Stage(1, 3, 1, 1), Stage(2, 3, 2, 6), Stage(2, 5, 2, 6), Stage(3, 3, 2, 6),
    Stage(3, 5, 1, 6), Stage(4, 5, 2, 6), Stage(1, 3, 1, 6),
)  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A convolution, by the name of its parameters."""

    name: str
    kernel: int
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True

    @property
    def pads(self) -> tuple[int, int]:
        """(before, after), as TensorFlow's SAME pads even sizes."""
        return (self.kernel - self.stride) // 2, (self.kernel - self.stride + 1) // 2


@dataclass(frozen=True)
class Block:
    """Layers one after the other, and whether their input is added to what they make."""

    layers: tuple[Layer, ...]
    skip: bool


STEM, LAST = Layer("_conv_stem", 3, 2), Layer("_conv_head", 1)


@dataclass(frozen=True)
class Head:
    """logit = features @ weights + bias; prob = sigmoid(slope * logit + offset), fitted by Platt scaling."""

    weights: NDArray[np.float64]  # (1280,)
    bias: float
    slope: float
    offset: float


@dataclass(frozen=True)
class ViewHead:
    """Which kind of picture: softmax(features @ weights + bias), a column for each name, the wanted one first."""

    names: tuple[str, ...]
    weights: NDArray[np.float64]  # (1280, names)
    bias: NDArray[np.float64]


class Builder:
    """Appends nodes that all read the value `last`."""

    def __init__(self, parameters: Mapping[str, NDArray[Any]]) -> None:
        self.parameters = parameters
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "gray"
        self.map = ""  # the last feature map, before pooling

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, np.int64), name))
        return name

    def add(self, op: str, *others: str, output: str = "", **attributes: Any) -> str:
        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *others], [output], **attributes))
        self.last = output
        return output

    def conv(self, layer: Layer) -> None:
        before, after = layer.pads
        weight = self.parameters[f"{layer.name}.weight"]
        self.add(
            "Conv",
            self.constant(weight),
            self.constant(self.parameters[f"{layer.name}.bias"]),
            kernel_shape=[layer.kernel, layer.kernel],
            strides=[layer.stride, layer.stride],
            pads=[before, before, after, after],
            group=len(weight) if layer.depthwise else 1,
        )
        if layer.relu6:
            self.add("Clip", self.constant(0), self.constant(6))

    def block(self, block: Block) -> None:
        source = self.last
        for layer in block.layers:
            self.conv(layer)
        if block.skip:
            self.add("Add", source)


def blocks() -> list[Block]:
    """The sixteen blocks, first to last."""
    found: list[Block] = []
    for stage in STAGES:
        for repeat in range(stage.repeats):
            prefix = f"_blocks.{len(found)}"
            expand = [Layer(f"{prefix}._expand_conv", 1)] if stage.expand > 1 else []
            stride = stage.stride if repeat == 0 else 1
            depthwise = Layer(f"{prefix}._depthwise_conv", stage.kernel, stride, depthwise=True)
            found.append(Block((*expand, depthwise, Layer(f"{prefix}._project_conv", 1, relu6=False)), repeat > 0))
    return found


def folded(checkpoint: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Weight and bias of every convolution with its batch norm in them, for gray pictures, by the layer's name.

    The stem's three colour channels are added up: the same answer for a gray image.
    """
    stem = checkpoint["_conv_stem.weight"].sum(axis=1, keepdims=True, dtype=np.float64)
    checkpoint = {**checkpoint, "_conv_stem.weight": stem}
    norms = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    for block in blocks():
        first = 0 if len(block.layers) == 3 else 1  # the block without an expansion has no _bn0
        for number, layer in enumerate(block.layers, first):
            norms[layer.name] = f"{layer.name.rpartition('.')[0]}._bn{number}"
    arrays: dict[str, NDArray[Any]] = {}
    for name, norm in norms.items():
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = fold(checkpoint, name, norm)
    return arrays


def fold(parameters: Mapping[str, NDArray[Any]], name: str, norm: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """(weight, bias) of a convolution that does its batch norm as well."""
    weight = parameters[f"{name}.weight"].astype(np.float64)
    gamma, beta, mean, variance = (
        parameters[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + EPSILON)
    return weight * factor[:, None, None, None], beta - mean * factor


def build_backbone(parameters: Mapping[str, NDArray[Any]]) -> Builder:
    """Input `gray` (N, 1, 224, 224), levels 0..255; last value `features` (N, 1280)."""
    graph = Builder(parameters)
    graph.add("Sub", graph.constant(MEAN))
    graph.add("Mul", graph.constant(SCALE))
    graph.conv(STEM)
    for block in blocks():
        graph.block(block)
    graph.conv(LAST)
    graph.map = graph.last
    graph.add("GlobalAveragePool")
    graph.add("Flatten", output="features", axis=1)
    return graph


def finish(graph: Builder, outputs: Mapping[str, Sequence[int]], metadata: Mapping[str, str]) -> onnx.ModelProto:
    """A checked model with these outputs (name: shape of one image's)."""
    gray = helper.make_tensor_value_info("gray", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *one]) for name, one in outputs.items()]
    body = helper.make_graph(graph.nodes, "pneumonia", [gray], results, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="training")
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model


def feature_model(parameters: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    return finish(build_backbone(parameters), {"features": [FEATURES]}, {})


def pneumonia_model(
    parameters: Mapping[str, NDArray[Any]], head: Head, view: ViewHead, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """Outputs `logit` and `prob` (n, 1), `heat` (n, 7, 7) with mean(heat) + bias = logit, `view` (n, kinds)."""
    graph = build_backbone(parameters)
    features = graph.last
    graph.add("Gemm", graph.constant(head.weights[:, None]), graph.constant([head.bias]), output="logit")
    graph.add("Mul", graph.constant(head.slope))
    graph.add("Add", graph.constant(head.offset))
    graph.add("Sigmoid", output="prob")
    graph.last = graph.map
    graph.add("Conv", graph.constant(head.weights[None, :, None, None]), kernel_shape=[1, 1])
    graph.add("Squeeze", graph.integers([1]), output="heat")
    graph.last = features
    graph.add("Gemm", graph.constant(view.weights), graph.constant(view.bias))
    graph.add("Softmax", output="view", axis=1)
    shapes = {"prob": [1], "logit": [1], "heat": [CELLS, CELLS], "view": [len(view.names)]}
    return finish(graph, shapes, metadata)
