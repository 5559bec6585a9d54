# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM images, from their bytes to gray levels, and why some are refused."""

import contextlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from dicom_files import JPEG_8_BIT, PATIENT, RLE, compressed, example, in_syntax, radiograph, saved
from model_service import images
from model_service.errors import Refused
from pydicom.dataset import Dataset
from service_fakes import encoded, picture

LIMIT = 40_000_000


def levels(data: bytes) -> np.ndarray:
    return np.asarray(images.decode(data, LIMIT), float)


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "rle", "jpeg", "jpeg2000"])
def test_every_syntax_shows_the_same_picture(syntax: str) -> None:
    shown = levels(saved(in_syntax(syntax)))
    expected = np.asarray(picture(), float)
    expected = (expected - expected.min()) * 255 / np.ptp(expected)
    assert shown.shape == (240, 320)
    assert np.abs(shown - expected).mean() < 2


@pytest.mark.parametrize(
    "name",
    ["MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_implicit.dcm"],
)
def test_lossless_syntaxes_agree_to_the_bit(name: str) -> None:
    assert np.array_equal(levels(example(name)), levels(example("MR_small.dcm")))


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "SC_rgb_jpeg_dcmtk.dcm"])
def test_decodes_lossy_files_of_others(name: str) -> None:
    assert np.ptp(levels(example(name))) > 100


def test_monochrome1_is_turned_over() -> None:
    straight, inverted = radiograph(), radiograph(PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(levels(saved(inverted)), 255 - levels(saved(straight)))


def test_signed_values_and_rescale_keep_their_order() -> None:
    values = np.linspace(-2000, 2000, 320 * 240).astype(np.int16).reshape(240, 320)
    dataset = radiograph(
        PixelData=values.tobytes(), PixelRepresentation=1, BitsStored=16, HighBit=15, RescaleSlope="0.5",
        RescaleIntercept="-10",
    )  # fmt: skip
    shown = levels(saved(dataset))
    assert (np.diff(shown.ravel()) >= 0).all()
    assert (shown.min(), shown.max()) == (0, 255)


@pytest.mark.parametrize(
    ("function", "expected"), [("LINEAR", [0, 127, 255]), ("LINEAR_EXACT", [0, 127, 255]), ("SIGMOID", [30, 127, 225])]
)
def test_a_window_cuts_off_what_lies_outside(function: str, expected: list[int]) -> None:
    values = np.full((240, 320), 2000, np.uint16)
    values[:80], values[80:160] = 1500, 1750
    dataset = radiograph(
        PixelData=values.tobytes(), WindowCenter=["1750", "1"], WindowWidth=["500", "1"], VOILUTFunction=function
    )
    shown = levels(saved(dataset))
    assert shown[[0, 100, 200], 0] == pytest.approx(expected, abs=1.5)


def test_a_window_that_shows_nothing_is_not_used() -> None:
    shown = levels(saved(radiograph(WindowCenter="-9000", WindowWidth="10")))
    assert (shown.min(), shown.max()) == (0, 255)


def test_a_voi_lut_is_applied() -> None:
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [4096, 0, 12], np.arange(4096, dtype="<u2")[::-1].tobytes()
    assert np.array_equal(levels(saved(radiograph(VOILUTSequence=[lut]))), 255 - levels(saved(full_range())))


def full_range() -> Dataset:
    return radiograph(WindowCenter="2048", WindowWidth="4096")


def test_padding_is_black_and_does_not_stretch() -> None:
    values = np.linspace(1000, 2000, 320 * 240).astype(np.uint16).reshape(240, 320)
    plain = levels(saved(radiograph(PixelData=values.tobytes())))
    values[:, :40] = 4095
    padded = levels(saved(radiograph(PixelData=values.tobytes(), PixelPaddingValue=4095)))
    assert (padded[:, :40] == 0).all()
    assert np.abs(padded[:, 40:] - plain[:, 40:]).max() <= 1


def test_a_tiff_in_the_preamble_does_not_matter() -> None:
    data = saved(radiograph())
    assert np.array_equal(levels(b"II*\0" + bytes(124) + data[128:]), levels(data))


HUGE = {"Rows": 60_000, "Columns": 60_000}
REFUSED = {
    "frames": (radiograph(NumberOfFrames=20), "single image, got a DICOM file of 20 frames"),
    "no pixels": (radiograph(PixelData=None), "Pixel Data in the first"),
    "3600 MP": (radiograph(**HUGE), "at most 40000000 pixels, got 60000 x 60000"),
    "fewer pixels": (radiograph(Rows=300), "truncated: expected 192000 bytes of pixels, got 153600"),
    "palette": (radiograph(PhotometricInterpretation="PALETTE COLOR"), "got PALETTE COLOR"),
    "32 bits": (radiograph(BitsAllocated=32), "8 or 16 bits"),
    "no rows": (radiograph(Rows=None), "truncated or damaged"),
    "zero rows": (radiograph(Rows=0), "at least 64 x 64|damaged"),
    "high bits": (radiograph(HighBit=15), "low bits used"),
    "no number": (radiograph(RescaleSlope="nan", RescaleIntercept="0"), "no usable numbers"),
    "another size": (compressed(radiograph(bits=8), JPEG_8_BIT, encoded(picture(640, 480))), "640 x 480 x 1"),
    "no JPEG": (compressed(radiograph(bits=8), JPEG_8_BIT, b"nothing at all.."), "damaged"),
    "an RLE bomb": (compressed(radiograph(), RLE, struct.pack("<16I", 2, 64, 128, *[0] * 13) + bytes(900_000)), "RLE"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_a_reason(name: str) -> None:
    dataset, reason = REFUSED[name]
    tracemalloc.start()
    with pytest.raises(Refused, match=reason):
        images.decode(saved(dataset), LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("end", [133, 200, 400, 700, -100])
def test_refuses_a_truncated_file(end: int) -> None:
    with pytest.raises(Refused):
        images.decode(saved(radiograph())[:end], LIMIT)


def test_refuses_a_deflated_file_unopened() -> None:
    data = saved(radiograph()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"[:20])
    with pytest.raises(Refused, match="Expected uncompressed little-endian"):
        images.decode(data, LIMIT)


def test_refuses_two_files_in_one() -> None:
    data = saved(radiograph())
    with pytest.raises(Refused, match="another kind of file at once"):
        images.decode(encoded(picture())[:128].ljust(128) + data[128:], LIMIT)


def test_refuses_elements_without_number() -> None:
    head, tail = saved(radiograph()).split(struct.pack("<HH", 0x0010, 0x0010), 1)
    many = b"".join(struct.pack("<HH2sH", 0x0009, number, b"LO", 0) for number in range(0x1000, 0x1000 + 6000))
    with pytest.raises(Refused, match="at most 5000 elements"):
        images.decode(head + many + struct.pack("<HH", 0x0010, 0x0010) + tail, LIMIT)


def test_tells_nobody_the_patient(caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder) -> None:
    data = saved(radiograph()).replace(b"19620716", b"Barbara!").replace(b"1.2.3.4.5", b"Barbara.x")
    images.decode(data, LIMIT)
    told = caplog.text + "".join(str(warning.message) for warning in recwarn)
    assert "Barbara" not in told
    assert PATIENT not in told


def test_mutated_files_are_refused_or_decoded() -> None:
    """Seconds of a fuzzer that ran for longer elsewhere: any other error is a bug."""
    random = np.random.default_rng(1)
    for name in ("explicit", "rle", "jpeg", "jpeg2000"):
        data = saved(in_syntax(name))
        for _ in range(40):
            mutated = bytearray(data)
            for at in random.integers(128, min(len(data), 2000), 4):
                mutated[at] = random.integers(256)
            with contextlib.suppress(Refused):
                images.decode(bytes(mutated), LIMIT)


def test_a_real_chest_is_white_on_black(chest_images: list[Path]) -> None:
    for path in (chest_images[0].parents[2] / "dicom").glob("pydicom-data__RG1*.dcm"):
        shown = levels(path.read_bytes())
        assert shown[200:260, 900:960].mean() > shown[800:860, 400:460].mean() + 40, path.name
