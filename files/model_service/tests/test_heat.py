# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped model's heat map moves with what drove the score, and its views tell what is no upright chest X-ray."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from model_service import images
from model_service.images import SIDE
from numpy.typing import NDArray
from PIL import Image

MODEL = Path(images.__file__).parent / "model.onnx"
CELL = SIDE // 7
Pixels = NDArray[np.float32]


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(MODEL.read_bytes())


@pytest.fixture(scope="module")
def chests(chest_images: list[Path]) -> Pixels:
    """Every fourth of the full-size X-rays, as the model sees them."""
    return np.concatenate([images.model_input(images.decode(path.read_bytes(), 10**8)) for path in chest_images[::4]])


def run(session: onnxruntime.InferenceSession, name: str, pixels: Pixels) -> NDArray[np.float32]:
    return session.run([name], {"gray": pixels})[0]


def test_the_heat_adds_up_to_the_logit(session: onnxruntime.InferenceSession) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, SIDE, SIDE)).astype(np.float32)
    pixels[1] = pixels[1].mean()
    heat, logit = session.run(["heat", "logit"], {"gray": pixels})
    bias = logit[:, 0] - heat.mean((1, 2))
    assert heat.shape == (4, 7, 7)
    assert np.ptp(logit) > 0.1
    assert np.ptp(bias) < 1e-3


def test_a_mirrored_chest_has_the_mirrored_map(session: onnxruntime.InferenceSession, chests: Pixels) -> None:
    straight = run(session, "heat", chests)
    mirrored = run(session, "heat", np.ascontiguousarray(chests[..., ::-1]))
    agree = [np.corrcoef(a.ravel(), b[:, ::-1].ravel())[0, 1] for a, b in zip(straight, mirrored, strict=True)]
    unturned = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(straight, mirrored, strict=True)]
    assert np.median(agree) > 0.7
    assert np.median(agree) > np.median(unturned) + 0.2


def test_covering_the_hot_part_lowers_the_logit_more_than_a_cold_one(
    session: onnxruntime.InferenceSession, chests: Pixels
) -> None:
    heat, logit = run(session, "heat", chests), run(session, "logit", chests)[:, 0]
    ill = logit > 0
    flat = heat[ill].reshape(-1, 49)
    hot, cold = covered(chests[ill], flat.argmax(1)), covered(chests[ill], flat.argmin(1))
    fallen_hot, fallen_cold = (logit[ill] - run(session, "logit", pixels)[:, 0] for pixels in (hot, cold))
    assert fallen_hot.mean() > fallen_cold.mean()
    assert (fallen_hot > fallen_cold).mean() > 0.7


def covered(pixels: Pixels, cells: NDArray[np.intp]) -> Pixels:
    """Each picture with its mean gray over the 3 x 3 cells around one."""
    pixels = pixels.copy()
    for picture, cell in zip(pixels, cells, strict=True):
        row, column = divmod(int(cell), 7)
        rows, columns = (slice(max(0, at - 1) * CELL, (at + 2) * CELL) for at in (row, column))
        picture[0, rows, columns] = picture.mean()
    return pixels


@pytest.mark.parametrize("view", ["frontal", "inverted", "sideways", "upside_down"])
def test_it_knows_which_way_a_chest_is_shown(session: onnxruntime.InferenceSession, chests: Pixels, view: str) -> None:
    metadata = session.get_modelmeta().custom_metadata_map
    names, threshold = metadata["views"].split(","), float(metadata["view_threshold"])
    shown = {"frontal": chests, "inverted": 255 - chests, "sideways": np.rot90(chests, 1, (2, 3)),
             "upside_down": np.rot90(chests, 2, (2, 3))}[view]  # fmt: skip
    views = run(session, "view", np.ascontiguousarray(shown))
    assert names[0] == "frontal"
    assert ((views[:, 0] >= threshold) == (view == "frontal")).mean() > 0.9
    assert (views.argmax(1) == names.index(view)).mean() > 0.9


@pytest.mark.parametrize("what", ["blank", "noise", "stripes"])
def test_what_is_no_x_ray_is_not_frontal(session: onnxruntime.InferenceSession, what: str) -> None:
    shown = {
        "blank": Image.new("L", (300, 300), 90),
        "noise": Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)),
        "stripes": Image.fromarray((np.indices((300, 300))[1] // 20 % 2 * 255).astype(np.uint8)),
    }[what]
    threshold = float(session.get_modelmeta().custom_metadata_map["view_threshold"])
    assert run(session, "view", images.model_input(shown))[0, 0] < threshold
