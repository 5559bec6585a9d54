# SPDX-License-Identifier: GPL-3.0-or-later
"""Text burned into the pixels cannot be read any more, says a reader that is not the detector; lungs stay."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from burned_text import TESSERACT, burn, chest, close_up, is_readable, read
from model_service import images, text
from model_service.text import TextDetector, TextDetectorError
from PIL import Image

SIZES = ((1100, 760), (1500, 1200), (2000, 1800), (700, 600))
LIMIT = 40_000_000
# Of the texts that can be read before. Measured on 250 images: 0.5 to 2 %, all of them faint or hardly 10 pixels high.
MOST_LEFT = 0.04

needs_reader = pytest.mark.skipif(TESSERACT is None, reason="no tesseract to read with: apt-get install tesseract-ocr")


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector()


def blackened(image: Image.Image, detector: TextDetector) -> Image.Image:
    copy = image.copy()
    for box in detector.boxes(image):
        copy.paste(0, box)
    return copy


def texts_read_and_left(
    pictures: list[Image.Image], seed: int, detector: TextDetector, folder: Path
) -> tuple[int, list]:
    rng = random.Random(seed)
    before, after, burned = [], [], []
    for picture in pictures:
        image = picture.copy()
        texts = burn(rng, image)
        copy = blackened(image, detector)
        before += [close_up(image, one) for one in texts]
        after += [close_up(copy, one) for one in texts]
        burned += texts
    seen = list(zip(burned, read(before, folder), read(after, folder), strict=True))
    read_before = [each for each in seen if is_readable(each[0].text, each[1])]
    return len(read_before), [each for each in read_before if is_readable(each[0].text, each[2])]


@needs_reader
def test_no_text_burned_into_a_made_up_chest_can_be_read(detector: TextDetector, tmp_path: Path) -> None:
    rng = random.Random(11)
    count, left = texts_read_and_left([chest(rng, *SIZES[n % 4]) for n in range(12)], 12, detector, tmp_path)
    assert count > 40
    assert len(left) <= MOST_LEFT * count, left


@needs_reader
def test_no_text_burned_into_a_real_x_ray_can_be_read(
    detector: TextDetector, chest_images: list[Path], tmp_path: Path
) -> None:
    pictures = [images.decode(path.read_bytes(), LIMIT) for path in chest_images[::7]]
    count, left = texts_read_and_left(pictures, 13, detector, tmp_path)
    assert count > 35
    assert len(left) <= MOST_LEFT * count, left


def test_lungs_stay_as_they_were(detector: TextDetector, chest_images: list[Path]) -> None:
    """Markers at the edge are text and go. The middle of a chest holds none."""
    removed = []
    for path in chest_images[::5]:
        gray = images.decode(path.read_bytes(), LIMIT)
        kept = np.asarray(blackened(gray, detector)) == np.asarray(gray)
        height, width = kept.shape
        removed.append(1 - kept[height // 4 : -height // 4, width // 5 : -width // 5].mean())
    assert np.mean(removed) < 0.005
    assert np.median(removed) == 0


def test_a_made_up_chest_without_text_stays_as_it_is(detector: TextDetector) -> None:
    for number, size in enumerate(SIZES):
        assert detector.boxes(chest(random.Random(number), *size)) == []


@pytest.mark.parametrize("name", ["GREYSCALE", "RGB"])
def test_an_ultrasound_keeps_none_of_its_text(detector: TextDetector, name: str, data_folder: Path) -> None:
    """Real burned-in text; one of the files has an empty BurnedInAnnotation, so that no tag can be relied on."""
    path = data_folder / "dicom" / f"deid-data__ultrasounds_{name}_IMAGE.dcm"
    if not path.is_file():
        pytest.skip(f"no {path}: set XRAYLAB_DATA to the folder that holds dicom/")
    from model_service import dicom

    gray, _ = dicom.gray(dicom.read(path.read_bytes()), LIMIT)
    found = detector.boxes(gray)
    assert found
    steep = text.steepness(np.asarray(gray)) > 100
    left = text.steepness(np.asarray(blackened(gray, detector))) > 100
    top = slice(0, gray.height // 12)
    assert steep[top].sum() > 200 > left[top].sum()


def test_strokes_are_found_and_smooth_ground_is_not() -> None:
    levels = np.full((320, 320), 90, np.uint8)
    levels += np.linspace(0, 100, 320).astype(np.uint8)[:, None]
    assert not text.crowded_blocks(text.strokes(levels)).any()
    levels[100:116, 40:200:4] = 255
    marked = text.crowded_blocks(text.strokes(levels))
    assert marked[3, 1:6].all()
    assert marked.sum() <= 14


def test_tiles_hold_every_marked_block_and_stay_small() -> None:
    blocks = np.zeros((40, 30), bool)
    blocks[2, 3] = blocks[10:36, 5] = blocks[36, 5:29] = True
    seen = np.zeros((40 * 32, 30 * 32), bool)
    for left, top, right, bottom in text.tiles(blocks, (30 * 32 - 7, 40 * 32 - 7)):
        assert right - left <= 352
        assert bottom - top <= 352
        seen[top:bottom, left:right] = True
    assert seen[:-7, :-7][np.kron(blocks, np.ones((32, 32), bool))[:-7, :-7]].all()


def test_a_missing_detector_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "PACKAGE", "no_such_package")
    with pytest.raises(TextDetectorError, match=r"expected models/.*onnx of the package rapidocr-onnxruntime, got no"):
        TextDetector()


def test_the_smallest_image_is_taken(detector: TextDetector) -> None:
    for size in ((64, 64), (64, 3000), (2999, 65)):
        assert detector.boxes(Image.new("L", size, 40)) == []


def test_threads_share_a_detector(detector: TextDetector) -> None:
    gray = chest(random.Random(1), 900, 700)
    burn(random.Random(2), gray, sizes=(20, 40))
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(detector.boxes, (gray, gray))
    assert one == other != []
