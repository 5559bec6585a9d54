# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a picture is what the model was made for: an upright frontal chest X-ray. Pure; says why not in sentences."""

import re

import numpy as np
from numpy.typing import NDArray

MODALITIES = ("CR", "DX", "RG")  # of DICOM: the kinds of radiograph
# Gray levels between the darkest and the brightest hundredth of the pixels. The faintest X-ray at hand has 70.
BLANK, FAINT = 8, 32

NO_CHEST = "This is no frontal chest X-ray."
REASONS = {
    "inverted": "The brightness is inverted (air is white, bone is black) and the file does not declare it.",
    "sideways": "The chest X-ray lies on its side.",
    "upside_down": "The chest X-ray is upside down.",
}


def reasons_of_modality(modality: str) -> tuple[str, ...]:
    """Of a DICOM file."""
    if modality in MODALITIES:
        return ()
    seen = modality if re.fullmatch(r"[A-Z]{2,8}", modality) else "none"  # anything may stand there, even a name
    return (f"This is no chest X-ray: expected a DICOM image of modality {', '.join(MODALITIES)}, got {seen}.",)


def reasons_of_pixels(pixels: NDArray[np.float32]) -> tuple[str, ...]:
    """Why pixels (levels 0..255) are not worth scoring; nothing when they are."""
    below = np.bincount(pixels.astype(np.uint8).ravel(), minlength=256).cumsum()
    low, high = np.searchsorted(below, (0.01 * pixels.size, 0.99 * pixels.size))
    if high - low < BLANK:
        return (f"The image is blank: its pixels span {high - low} of 256 gray levels.",)
    if high - low < FAINT:
        return (f"The image has too little contrast: its pixels span {high - low} of 256 gray levels.",)
    return ()


def reasons_of_views(views: dict[str, float], threshold: float) -> tuple[str, ...]:
    """Why a picture with these probabilities by kind is not scored. The first kind is the wanted one."""
    wanted, *others = views
    if views[wanted] >= threshold:
        return ()
    return (REASONS.get(max(others, key=views.__getitem__), NO_CHEST),)
