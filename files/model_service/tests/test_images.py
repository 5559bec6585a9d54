# SPDX-License-Identifier: GPL-3.0-or-later
import io
import struct
import tracemalloc

import numpy as np
import pytest
from model_service import images
from model_service.errors import Refused
from PIL import Image
from service_fakes import encoded, huge_png, picture, png_chunk, tiff

LIMIT = 40_000_000
JPEG = encoded(picture())
PNG = encoded(picture(), "PNG")
TIFF = encoded(picture(), "TIFF")

MODES = {
    "JPEG": ["L", "RGB", "1", "CMYK"],
    "PNG": ["L", "RGB", "1", "P", "LA", "RGBA"],
    "TIFF": ["L", "RGB", "1", "P", "LA", "RGBA", "CMYK"],
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in MODES for mode in MODES[kind]])
def test_decodes_every_mode_to_gray(kind: str, mode: str) -> None:
    gray = images.decode(encoded(picture(mode=mode), kind), LIMIT)
    assert (gray.mode, gray.size) == ("L", (320, 240))
    if mode != "1":
        assert np.abs(np.asarray(gray, float) - np.asarray(picture(), float)).mean() < 3


def test_sixteen_bits_are_stretched_not_clipped() -> None:
    values = np.linspace(1000, 5095, 320 * 240).reshape(240, 320).astype(np.uint16)
    gray = np.asarray(images.decode(encoded(Image.fromarray(values), "PNG"), LIMIT))
    assert (gray.min(), gray.max()) == (0, 255)
    assert abs(int(gray[120, 160]) - 127) <= 2


def test_a_blank_sixteen_bit_image_does_not_divide_by_zero() -> None:
    blank = Image.fromarray(np.full((240, 320), 700, np.uint16))
    assert np.asarray(images.decode(encoded(blank, "PNG"), LIMIT)).max() == 0


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_decodes_every_usual_tiff(compression: str) -> None:
    gray = images.decode(encoded(picture(), "TIFF", compression=compression), LIMIT)
    assert np.abs(np.asarray(gray, float) - np.asarray(picture(), float)).mean() < 3


def test_a_sixteen_bit_tiff_may_count_from_white() -> None:
    values = Image.fromarray(np.linspace(1000, 5095, 320 * 240).reshape(240, 320).astype(np.uint16))
    data = encoded(values, "TIFF")
    photometric = struct.pack("<HHIH", 262, 3, 1, 1)
    assert photometric in data
    inverted = data.replace(photometric, struct.pack("<HHIH", 262, 3, 1, 0))
    total = sum(np.asarray(images.decode(each, LIMIT), int) for each in (data, inverted))
    assert np.abs(total - 255).max() <= 1


def test_a_floating_point_image_without_numbers_is_refused() -> None:
    pixels = np.linspace(0, 1, 320 * 240, dtype=np.float32).reshape(240, 320)
    assert images.decode(encoded(Image.fromarray(pixels), "TIFF"), LIMIT).getextrema()[1] > 0
    pixels[3, 3] = np.nan
    with pytest.raises(Refused, match="no numbers"):
        images.decode(encoded(Image.fromarray(pixels), "TIFF"), LIMIT)


def test_refuses_a_jpeg_of_endless_scans() -> None:
    progressive = encoded(picture(), progressive=True)
    assert images.decode(progressive, LIMIT).size == (320, 240)
    last = progressive.rindex(b"\xff\xda")
    with pytest.raises(Refused, match="at most 100 scans in a JPEG, got 2"):
        images.decode(progressive[:last] + progressive[last:-2] * 200 + progressive[-2:], LIMIT)


def test_a_name_does_not_matter() -> None:
    assert images.read(TIFF, LIMIT).kind == "TIFF"
    assert images.read(JPEG, LIMIT).dataset is None


def test_turns_an_image_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert images.decode(encoded(picture(), exif=exif), LIMIT).size == (240, 320)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty object"),
        (b"not an image", r"something else \(12 bytes\)"),
        (bytes(128) + b"DICM" + bytes(100), "transfer syntax|little-endian"),
        (b"%PDF-1.7", "PDF"),
        (TIFF[: len(TIFF) // 2], "TIFF is truncated|a TIFF damaged"),
        (TIFF[:100], "TIFF"),
        (encoded(picture(), "TIFF", save_all=True, append_images=[picture(seed=1)]), "several pages"),
        (tiff(320, 240, 60_000), "tiles of at most"),
        (tiff(60_000, 60_000, 64), "at most 40000000 pixels"),
        (encoded(picture(), "GIF"), "GIF"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[:-2], "truncated"),
        (JPEG[:20], "a JPEG damaged in its header"),
        (PNG[: len(PNG) // 2], "truncated"),
        (PNG[:40], "a PNG damaged in its header"),
        (PNG[:-60] + bytes(60), "damaged"),
        (encoded(picture(63, 300)), "at least 64 x 64"),
        (encoded(picture(1, 1), "PNG"), "at least 64 x 64"),
        (encoded(picture(), "PNG", save_all=True, append_images=[picture(seed=1)]), "animated"),
    ],
)
def test_refuses_bad_files_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        images.decode(data, LIMIT)


def test_refuses_200_megapixels_before_spending_memory() -> None:
    data = huge_png()
    assert len(data) < 100_000
    tracemalloc.start()
    with pytest.raises(Refused, match="at most 40000000 pixels, got 20000 x 10000"):
        images.decode(data, LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_compressed_colour_profile_cannot_explode() -> None:
    import zlib

    bomb = b"x\0\0" + zlib.compress(bytes(200_000_000), 9)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 8, 0, 0, 0, 0))
    rows = png_chunk(b"IDAT", zlib.compress(bytes(240 * 321)))
    tail = png_chunk(b"IEND", b"")
    with pytest.raises(Refused, match="a PNG damaged in its header"):
        images.decode(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"iCCP", bomb) + rows + tail, LIMIT)


@pytest.mark.parametrize("size", [(224, 224), (64, 900), (2000, 1500)])
def test_the_model_sees_a_square_of_gray_levels(size: tuple[int, int]) -> None:
    pixels = images.model_input(picture(*size))
    assert (pixels.shape, pixels.dtype) == ((1, 1, 224, 224), np.float32)
    assert 0 <= pixels.min() < pixels.max() <= 255


def test_the_finding_covers_no_pixel() -> None:
    gray = picture(800, 600)
    drawn = images.draw_finding(gray, "Pneumonia   risk 0.93")
    strip = np.asarray(drawn.crop((0, 600, *drawn.size)))
    assert drawn.crop((0, 0, 800, 600)).tobytes() == gray.tobytes()
    assert strip.max() > 200
    assert (strip == 0).mean() > 0.5


@pytest.mark.parametrize(
    ("key", "came_as", "content_type"),
    [
        ("a.PNG", "JPEG", "image/png"),
        ("a.jpeg", "DICOM", "image/jpeg"),
        ("a", "JPEG", "image/jpeg"),
        ("a", "DICOM", "image/png"),
        ("a.dcm.png", "DICOM", "image/png"),
    ],
)
def test_encodes_as_the_key_says(key: str, came_as: str, content_type: str) -> None:
    data, told = images.encode(picture(), key, came_as)
    assert told == content_type
    assert images.read(data, LIMIT).kind == told.removeprefix("image/").upper()


@pytest.mark.parametrize("size", [(64, 64), (65, 130), (1, 1)])
@pytest.mark.parametrize("spread", [0, 40, 255])
def test_a_png_holds_every_pixel(size: tuple[int, int], spread: int) -> None:
    levels = np.random.default_rng(0).integers(0, spread + 1, size, dtype=np.uint8)
    with Image.open(io.BytesIO(images.png(levels))) as read:
        assert read.mode == "L"
        assert np.array_equal(np.asarray(read), levels)
    assert images.png(levels) == images.png(levels), "the same study must give the same object"


@pytest.mark.parametrize("height", [64, 65, 71, 72, 127, 128, 130])
def test_a_jpeg_with_the_finding_is_put_together_from_encoded_rows(height: int) -> None:
    xray = images.read(encoded(picture(440, height)), LIMIT)
    data, _ = images.picture_of(xray, "Unsure   risk 0.70", "a.jpeg")
    with Image.open(io.BytesIO(data)) as read:
        put_together = np.asarray(read)
    at_once = Image.open(io.BytesIO(images.jpeg(images.draw_finding(xray.gray, "Unsure   risk 0.70"))))
    assert np.array_equal(put_together, np.asarray(at_once))


def test_a_picture_of_any_shape_is_not_too_large_to_draw() -> None:
    for size in ((images.MAX_SIDE, 64), (64, images.MAX_SIDE)):
        xray = images.read(encoded(Image.new("L", size), "PNG"), LIMIT)
        for key in ("a.jpeg", "a.png"):
            with Image.open(io.BytesIO(images.picture_of(xray, "Rejected", key)[0])) as drawn:
                assert drawn.height - size[1] in (20, images.MAX_STRIP)
    with pytest.raises(Refused, match="at most 30000 pixels a side, got 64 x 30001"):
        images.read(encoded(Image.new("L", (64, images.MAX_SIDE + 1)), "PNG"), LIMIT)
