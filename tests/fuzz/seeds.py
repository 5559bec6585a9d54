# SPDX-License-Identifier: GPL-3.0-or-later
"""Well-formed files to begin with: every kind, mode and DICOM transfer syntax that the function takes.

Made here but for the streams that nothing here can encode (JPEG-LS, lossless and 12-bit JPEG): those come from
pydicom's own package.
"""

import io

import numpy as np
import pydicom
from dicom_files import JPEG_2000, compressed, example, in_syntax, radiograph, saved
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from service_fakes import encoded, picture

SIDES = 96, 80
JPEG_2000_LOSSY = "1.2.840.10008.1.2.4.91"
LOSSLESS_ANY_PREDICTOR = "1.2.840.10008.1.2.4.57"
OF_PYDICOM = {  # transfer syntax by its last numbers: an example
    "51": "JPEG-lossy.dcm",
    "70": "SC_rgb_jpeg_gdcm.dcm",
    "80": "MR_small_jpeg_ls_lossless.dcm",
    "81": "SC_rgb_jls_lossy_line.dcm",
    "50-rgb": "SC_rgb_jpeg_dcmtk.dcm",
    "rle-rgb": "SC_rgb_rle_16bit.dcm",
    "90-signed": "MR_small_jp2klossless.dcm",
}


def seeds() -> dict[str, bytes]:
    return jpegs() | pngs() | tiffs() | dicoms()


def jpegs() -> dict[str, bytes]:
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "jpeg": encoded(picture(*SIDES), exif=turned, comment=b"a comment"),
        "jpeg-rgb": encoded(picture(*SIDES, "RGB"), subsampling=2),
        "jpeg-cmyk": encoded(picture(*SIDES, "CMYK")),
        "jpeg-progressive": encoded(picture(*SIDES, "RGB"), progressive=True),
        "jpeg-restarts": encoded(picture(*SIDES), restart_marker_blocks=3, optimize=True),
    }


def pngs() -> dict[str, bytes]:
    made = {f"png-{mode}": encoded(picture(*SIDES, mode), "PNG") for mode in ("L", "1", "P", "LA", "RGB", "RGBA")}
    sixteen = Image.effect_noise(SIDES, 50).convert("I").point(lambda level: level * 257).convert("I;16")
    profile = encoded(picture(*SIDES, "RGB"), "PNG", icc_profile=bytes(3000), dpi=(300, 300))
    return made | {"png-16": encoded(sixteen, "PNG"), "png-profile": profile}


def tiffs() -> dict[str, bytes]:
    methods = ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg")
    made = {f"tiff-{method}": encoded(picture(*SIDES), "TIFF", compression=method) for method in methods}
    made["tiff-group4"] = encoded(picture(*SIDES, "1"), "TIFF", compression="group4")
    made["tiff-rgb"] = encoded(picture(*SIDES, "RGB"), "TIFF", compression="tiff_lzw")
    for mode in ("F", "I", "CMYK", "P"):
        made[f"tiff-{mode}"] = encoded(picture(*SIDES, mode), "TIFF")
    return made


def dicoms() -> dict[str, bytes]:
    made = {f"dicom-{name}": saved(in_syntax(name)) for name in ("implicit", "explicit", "rle", "jpeg", "jpeg2000")}
    made |= {f"dicom-{name}": example(file) for name, file in OF_PYDICOM.items()}
    lossless = pydicom.dcmread(io.BytesIO(made["dicom-70"]))
    lossless.file_meta.TransferSyntaxUID = LOSSLESS_ANY_PREDICTOR
    wavelets = encoded(picture(*SIDES), "JPEG2000", no_jp2=True, irreversible=True)
    lossy = radiograph(*SIDES, bits=8)
    made["dicom-57"] = saved(lossless)
    made["dicom-91"] = saved(compressed(lossy, JPEG_2000_LOSSY, wavelets))
    made["dicom-tiled"] = saved(compressed(radiograph(*SIDES, bits=8), JPEG_2000, tiled()))
    return made | {"dicom-rich": saved(rich())}


def tiled() -> bytes:
    return encoded(picture(*SIDES), "JPEG2000", no_jp2=True, tile_size=(32, 32), progression="RPCL")


def rich() -> Dataset:
    """With all that changes how pixels look, and with sequences in sequences."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 12])
    item.add_new("LUTData", "OW", np.arange(4096, dtype="<u2").tobytes())
    inner, outer = Dataset(), Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.3"
    outer.ReferencedImageSequence = Sequence([inner])
    return radiograph(
        *SIDES, PhotometricInterpretation="MONOCHROME1", RescaleSlope="1.5", RescaleIntercept="-3", WindowCenter="2000",
        WindowWidth="1500", VOILUTFunction="SIGMOID", VOILUTSequence=Sequence([item]), PixelPaddingValue=0,
        PixelPaddingRangeLimit=3, ReferencedStudySequence=Sequence([outer]), ContentDate="20160101",
        SourceImageSequence=Sequence([inner]), PatientComments="none", NumberOfFrames="1",
    )  # fmt: skip
