# SPDX-License-Identifier: GPL-3.0-or-later
"""The heat map glows where the score comes from, and nowhere else."""

import io
from pathlib import Path

import numpy as np
import pytest
from model_service import images
from model_service.explain import LEGEND_SIZE, explained, heat_map
from model_service.model import Model
from numpy.typing import NDArray
from PIL import Image
from service_fakes import picture


def spot(row: int, column: int, value: float = 40.0) -> NDArray[np.float32]:
    heat = np.full((7, 7), -3.0, np.float32)
    heat[row, column] = value
    return heat


def opacity(data: bytes) -> NDArray[np.int_]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), int)[..., 3]


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 5), (6, 2)])
def test_it_glows_where_the_heat_is(row: int, column: int) -> None:
    seen = opacity(heat_map(spot(row, column), (700, 490)))
    assert seen.shape == (358, 512)
    y, x = np.unravel_index(seen.argmax(), seen.shape)
    assert (y * 7 // 358, x * 7 // 512) == (row, column)
    assert seen.max() > 120
    assert (seen > 0).mean() < 0.1


def test_nothing_glows_where_nothing_speaks_for_pneumonia() -> None:
    assert opacity(heat_map(np.full((7, 7), -1.0, np.float32), (300, 300))).max() == 0
    assert opacity(heat_map(spot(3, 3, 1.0), (300, 300))).max() < 30


@pytest.mark.parametrize("size", [(64, 900), (2000, 64), (100, 100), (4300, 3500)])
def test_it_keeps_the_shape_of_the_image_and_stays_small(size: tuple[int, int]) -> None:
    data = heat_map(spot(3, 3), size)
    width, height = Image.open(io.BytesIO(data)).size
    assert max(width, height) == min(512, max(size))
    assert abs(width / height - size[0] / size[1]) / (size[0] / size[1]) < 0.05
    assert len(data) < 100_000


def test_it_shows_no_pixel_of_the_xray() -> None:
    colours = np.asarray(Image.open(io.BytesIO(heat_map(spot(3, 3), (300, 300)))).convert("RGBA"))
    assert (colours[..., 0] > colours[..., 2] + 50).all()


def test_it_moves_with_what_the_model_sees(model_file: Path) -> None:
    """A bright spot is what this model takes for a finding."""
    model, places = Model(model_file), []
    for left, top in ((64, 64), (128, 96)):
        image = Image.new("L", (224, 224), 100)
        image.paste(240, (left, top, left + 32, top + 32))
        seen = opacity(heat_map(model.scores(images.model_input(image)).heat, image.size))
        places.append(np.unravel_index(seen.argmax(), seen.shape))
    (first_y, first_x), (second_y, second_x) = places
    assert abs(second_x - first_x - 64) < 16
    assert abs(second_y - first_y - 32) < 16


def test_it_is_drawn_over_the_xray_with_a_legend() -> None:
    gray = picture(1024, 700)
    drawn = explained(gray, spot(0, 0))
    assert drawn.size == (512, 350 + LEGEND_SIZE[1])
    pixels = np.asarray(drawn, int)
    assert (np.ptp(pixels[200:350], axis=2) == 0).all()
    assert np.ptp(pixels[:50, :73], axis=2).max() > 60
    assert pixels[350:].max() > 200
    assert explained(picture(64, 600), spot(0, 0)).size[0] == LEGEND_SIZE[0]
