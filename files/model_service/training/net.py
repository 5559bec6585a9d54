# SPDX-License-Identifier: GPL-3.0-or-later
"""EfficientNet-Lite0 in PyTorch, to be fine-tuned. Its state has the names and shapes that graph.py writes as ONNX."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .graph import FEATURES, LAST, MEAN, SCALE, STEM, Layer, blocks


class Convolution(nn.Conv2d):
    """Padded as TensorFlow's SAME does for even sizes; batch norm is in its weights already."""

    def __init__(self, layer: Layer, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        inside = weight.shape[1] * (len(weight) if layer.depthwise else 1)
        before, after = layer.pads
        even = before if before == after else 0
        groups = len(weight) if layer.depthwise else 1
        super().__init__(inside, len(weight), layer.kernel, layer.stride, even, groups=groups)
        self.uneven = None if before == after else (before, after, before, after)
        self.relu6 = layer.relu6
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(np.asarray(weight, np.float32)))
            self.bias.copy_(torch.from_numpy(np.asarray(bias, np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(functional.pad(x, self.uneven) if self.uneven else x)
        return functional.relu6(x) if self.relu6 else x


class Net(nn.Module):
    """`frozen`: how many blocks at the start are not trained, with the stem."""

    def __init__(self, parameters: Mapping[str, NDArray[Any]], frozen: int = 0) -> None:
        super().__init__()
        self.frozen, self.chains = frozen, blocks()
        layers = [STEM, LAST, *(layer for chain in self.chains for layer in chain.layers)]
        self.convolutions = nn.ModuleDict(
            {
                key(layer): Convolution(layer, parameters[f"{layer.name}.weight"], parameters[f"{layer.name}.bias"])
                for layer in layers
            }
        )
        self.classifier = nn.Linear(FEATURES, 1)

    def forward(self, gray: Tensor) -> Tensor:
        """Features (n, 1280) of levels 0..255 (n, 1, 224, 224)."""
        with torch.no_grad():
            x = self.convolutions[key(STEM)]((gray - MEAN) * SCALE)
            x = self.through(x, 0, self.frozen)
        return self.convolutions[key(LAST)](self.through(x, self.frozen, len(self.chains))).mean((2, 3))

    def through(self, x: Tensor, first: int, end: int) -> Tensor:
        for chain in self.chains[first:end]:
            source = x
            for layer in chain.layers:
                x = self.convolutions[key(layer)](x)
            x = x + source if chain.skip else x
        return x

    def trained(self) -> dict[str, nn.Parameter]:
        """Parameters behind the frozen part."""
        still = {key(STEM), *(key(layer) for chain in self.chains[: self.frozen] for layer in chain.layers)}
        return {name: value for name, value in self.named_parameters() if name.split(".")[1] not in still}

    def parameters_for_graph(self) -> dict[str, NDArray[Any]]:
        return {
            name.replace("/", "."): value.detach().numpy().copy()
            for name, value in self.convolutions.named_parameters()
        }

    def classifier_for_graph(self) -> tuple[NDArray[np.float64], float]:
        return self.classifier.weight.detach().numpy()[0].astype(np.float64), float(self.classifier.bias.detach())


def key(layer: Layer) -> str:
    """The layer's name as PyTorch lets it be: without dots."""
    return layer.name.replace(".", "/")
