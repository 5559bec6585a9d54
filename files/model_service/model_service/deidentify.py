# SPDX-License-Identifier: GPL-3.0-or-later
"""A study without its patient: what becomes of its file, and under which name it may be kept.

Pictures lose everything but their pixels; DICOM elements go by the policy. Text that is part of the pixels is blackened
where `text_boxes` finds it, unless the policy says that pixels stay as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from PIL import Image

from . import images
from .errors import Refused, TryLater
from .events import Study
from .policy import Policy, PolicyError
from .pseudonyms import Pseudonyms
from .text import Box

if TYPE_CHECKING:
    from .profile import Profile

TextBoxes = Callable[[Image.Image], list[Box]]
DICOM_TYPE = "application/dicom"


@dataclass(frozen=True)
class Anonymized:
    key: str
    data: bytes
    content_type: str


@dataclass(frozen=True)
class Deidentifier:
    """`mode` says of which studies an anonymized copy is wanted: all, unsure (as the original demo) or none."""

    policy: Policy
    pseudonyms: Pseudonyms
    mode: str = "all"
    text_boxes: TextBoxes | None = None

    def wants(self, label: str) -> bool:
        return self.mode == "all" or (self.mode == "unsure" and label == "Unsure")

    def check(self) -> None:
        """Raises TryLater where no study could be de-identified."""
        if self.mode != "none":
            self.pseudonyms.key()

    def anonymize(self, study: Study, xray: images.Xray) -> Anonymized:
        """May use up the X-ray's elements. Raises Refused or TryLater."""
        image = self.pseudonyms.name("image", study.bucket, study.key)
        identity = patient_of(study, xray, self.policy)
        patient = self.pseudonyms.name("patient", identity) if identity else ""
        name = f"{patient}-{image}" if patient else image
        clean = self.policy.options["clean_pixel_data"] and self.text_boxes is not None
        boxes = self.text_boxes(xray.gray) if clean and self.text_boxes else []
        if xray.dataset is not None:
            data = self.dicom(xray, patient or image, image, boxes, clean)
            return Anonymized(f"{name}.dcm", data, DICOM_TYPE)
        if xray.kind == "JPEG" and not boxes:
            return Anonymized(f"{name}.jpeg", xray.jpeg, "image/jpeg")
        key = f"{name}.{'jpeg' if xray.kind == 'JPEG' else 'png'}"
        return Anonymized(key, *images.encode(blackened(xray.gray, boxes), key))

    def dicom(self, xray: images.Xray, patient: str, image: str, boxes: list[Box], clean: bool) -> bytes:
        from . import dicom

        try:
            dicom.put_pixels(xray.dataset, xray.stored, boxes)
            return self.profile.apply(xray.dataset, patient, image, clean)
        except (MemoryError, TryLater):
            raise
        except PolicyError as error:
            raise TryLater(f"RISK_ASSESSMENT_POLICY: {error}.") from None
        except Exception as error:
            raise Refused(
                f"The DICOM file could not be written without its patient ({type(error).__name__})."
            ) from None

    @cached_property
    def profile(self) -> "Profile":
        from .profile import Profile

        return Profile(self.policy, self.pseudonyms)


def patient_of(study: Study, xray: images.Xray, policy: Policy) -> str | None:
    """What tells one patient from another in the file or, where it holds nothing, in the object's key."""
    told = str(xray.dataset.get("PatientID") or "").strip() if xray.dataset is not None else ""
    return told or policy.patient_of_key(study.key)


def blackened(gray: Image.Image, boxes: list[Box]) -> Image.Image:
    if not boxes:
        return gray
    picture = gray.copy()
    for box in boxes:
        picture.paste(0, box)
    return picture
