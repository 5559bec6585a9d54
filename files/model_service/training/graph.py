# SPDX-License-Identifier: GPL-3.0-or-later
"""EfficientNet-Lite0 with our classifier on top, as one ONNX graph. Knows no images and no files of training data.

Source of the architecture: tensorflow/tpu, models/official/efficientnet/lite (no squeeze-and-excite, ReLU6 for swish,
stem and head not scaled); of the parameters' names: PyPI's efficientnet-lite-pytorch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 224
FEATURES = 1280
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
class Head:
    """logit = features @ weights + bias; prob = sigmoid(slope * logit + offset), fitted by Platt scaling."""

    weights: NDArray[np.float64]  # (1280,)
    bias: float
    slope: float
    offset: float


class Builder:
    """Appends nodes that all read the value `last`."""

    def __init__(self, parameters: Mapping[str, NDArray[Any]]) -> None:
        self.parameters = parameters
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "gray"

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def add(self, op: str, *others: str, output: str = "", **attributes: Any) -> str:
        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *others], [output], **attributes))
        self.last = output
        return output

    def conv(self, name: str, norm: str, stride: int = 1, *, depthwise: bool = False, relu6: bool = True) -> None:
        """A convolution with its batch norm folded in; padded as TensorFlow's SAME does for even sizes."""
        weight, bias = fold(self.parameters, name, norm)
        kernel = weight.shape[2]
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        self.add(
            "Conv",
            self.constant(weight),
            self.constant(bias),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=len(weight) if depthwise else 1,
        )
        if relu6:
            self.add("Clip", self.constant(0), self.constant(6))

    def block(self, prefix: str, stage: Stage, stride: int, *, skip: bool) -> None:
        source = self.last
        if stage.expand > 1:
            self.conv(f"{prefix}._expand_conv", f"{prefix}._bn0")
        self.conv(f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride, depthwise=True)
        self.conv(f"{prefix}._project_conv", f"{prefix}._bn2", relu6=False)
        if skip:
            self.add("Add", source)


def fold(parameters: Mapping[str, NDArray[Any]], name: str, norm: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """(weight, bias) of a convolution that does its batch norm as well."""
    weight = parameters[f"{name}.weight"].astype(np.float64)
    gamma, beta, mean, variance = (
        parameters[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + EPSILON)
    return weight * factor[:, None, None, None], beta - mean * factor


def gray_stem(parameters: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The parameters with the stem's three colour channels added up: the same answer for a gray image."""
    stem = parameters["_conv_stem.weight"].sum(axis=1, keepdims=True, dtype=np.float64)
    return {**parameters, "_conv_stem.weight": stem}


def build_backbone(parameters: Mapping[str, NDArray[Any]]) -> Builder:
    """Input `gray` (N, 1, 224, 224), levels 0..255; last value `features` (N, 1280)."""
    graph = Builder(gray_stem(parameters))
    graph.add("Sub", graph.constant(MEAN))
    graph.add("Mul", graph.constant(SCALE))
    graph.conv("_conv_stem", "_bn0", 2)
    number = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            graph.block(f"_blocks.{number}", stage, stride, skip=repeat > 0)
            number += 1
    graph.conv("_conv_head", "_bn1")
    graph.add("GlobalAveragePool")
    graph.add("Flatten", output="features", axis=1)
    return graph


def finish(graph: Builder, outputs: Mapping[str, int], metadata: Mapping[str, str]) -> onnx.ModelProto:
    """A checked model with these outputs (name: width)."""
    gray = helper.make_tensor_value_info("gray", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in outputs.items()]
    body = helper.make_graph(graph.nodes, "pneumonia", [gray], results, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="training")
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model


def feature_model(parameters: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    return finish(build_backbone(parameters), {"features": FEATURES}, {})


def pneumonia_model(parameters: Mapping[str, NDArray[Any]], head: Head, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Outputs `logit` and `prob`, both (N, 1)."""
    graph = build_backbone(parameters)
    graph.add("Gemm", graph.constant(head.weights[:, None]), graph.constant([head.bias]), output="logit")
    graph.add("Mul", graph.constant(head.slope))
    graph.add("Add", graph.constant(head.offset))
    graph.add("Sigmoid", output="prob")
    return finish(graph, {"logit": 1, "prob": 1}, metadata)
