# SPDX-License-Identifier: GPL-3.0-or-later
"""A DICOM file without its patient: the elements by the policy, the pixels as they were decoded (PS3.15, annex E).

Imported, like `dicom`, when the first DICOM file comes.
"""

import io
from datetime import date, timedelta
from typing import Any

from pydicom import DataElement, dcmwrite
from pydicom.datadict import dictionary_has_tag, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from .policy import Policy, PolicyError
from .pseudonyms import Pseudonyms

BASIC, CLEAN_PIXELS = "113100", "113101"
RETAINED = {"retain_dates_shifted": "113107", "retain_device_identity": "113109", "retain_uids": "113110"}
MEANINGS = {
    BASIC: "Basic Application Confidentiality Profile",
    CLEAN_PIXELS: "Clean Pixel Data Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
}
REPEATING = (0x5000, 0x6000)  # curves and overlays: drawings on the image, or its patient's name
DATES = ("DA", "DT")
NUMBERS = ("DS", "IS")
DEEPEST = 20


class Profile:
    """Raises PolicyError for a keyword that DICOM does not know."""

    def __init__(self, policy: Policy, pseudonyms: Pseudonyms) -> None:
        unknown = [keyword for keyword in policy.actions if tag_for_keyword(keyword) is None]
        if unknown:
            raise PolicyError(f"the policy names what DICOM does not know: {', '.join(unknown[:5])}")
        self.policy, self.pseudonyms = policy, pseudonyms

    def apply(self, dataset: Dataset, patient: str, image: str, pixels_cleaned: bool) -> bytes:
        """The whole file; `dataset` holds uncompressed pixels, and is used up."""
        self.treat(dataset, patient, 0)
        dataset.PatientID = dataset.PatientName = patient
        dataset.SOPClassUID = dataset.get("SOPClassUID") or ComputedRadiographyImageStorage
        dataset.SOPInstanceUID = dataset.get("SOPInstanceUID") or self.pseudonyms.uid(image)
        if pixels_cleaned:
            dataset.BurnedInAnnotation = "NO"
        self.sign(dataset, pixels_cleaned)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        buffer = io.BytesIO()
        dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
        return buffer.getvalue()

    def treat(self, dataset: Dataset, patient: str, depth: int) -> None:
        for tag in list(dataset.keys()):
            if depth > DEEPEST or tag.group < 8 or tag.group & 0xFF00 in REPEATING or not dictionary_has_tag(tag):
                del dataset[tag]
                continue
            try:
                element = dataset[tag]
            except Exception:  # a value that cannot be read cannot be judged either
                del dataset[tag]
            else:
                self.treat_element(dataset, element, patient, depth)

    def treat_element(self, dataset: Dataset, element: DataElement, patient: str, depth: int) -> None:
        keyword, vr = keyword_for_tag(element.tag), str(element.VR)
        if keyword == "PixelData" and not depth:
            return
        if keyword == "PixelData" or (vr in NUMBERS and not is_number(element.value)):
            del dataset[element.tag]
            return
        action = self.action(keyword, vr)
        if action == "remove":
            del dataset[element.tag]
        elif action == "empty":
            element.value = [] if vr == "SQ" else None
        elif action == "dummy":
            element.value = [] if vr == "SQ" else self.dummy(vr)
        elif action == "pseudonym":
            element.value = patient
        elif action == "uid":
            element.value = each(element.value, lambda uid: self.pseudonyms.uid(str(uid)))
        elif action == "shift":
            days = self.pseudonyms.days(patient)
            element.value = each(element.value, lambda text: shifted(str(text), days))
        elif vr == "SQ":
            for item in element.value:
                self.treat(item, patient, depth + 1)

    def action(self, keyword: str, vr: str) -> str:
        listed = self.policy.actions.get(keyword)
        if listed is None:
            listed = "remove" if vr in self.policy.removed_vrs else "keep"
        if self.policy.options["retain_dates_shifted"] and keyword != "PatientBirthDate":
            if vr in DATES:
                return "shift"
            if vr == "TM":
                return "keep"
        return listed

    def dummy(self, vr: str) -> Any:
        if vr in ("OB", "OW", "UN"):
            return b"\0\0"
        if vr in ("US", "UL", "SS", "SL", "FL", "FD", "UV", "SV"):
            return 0
        return self.policy.dummies.get(vr, self.policy.dummies["default"])

    def sign(self, dataset: Dataset, pixels_cleaned: bool) -> None:
        """Says in the file what was done to it (PS3.15, E.3; codes: PS3.16, CID 7050)."""
        codes = [BASIC, *([CLEAN_PIXELS] if pixels_cleaned else [])]
        codes += [code for option, code in RETAINED.items() if self.policy.options[option]]
        dataset.PatientIdentityRemoved = "YES"
        shifted_dates = self.policy.options["retain_dates_shifted"]
        dataset.LongitudinalTemporalInformationModified = "MODIFIED" if shifted_dates else "REMOVED"
        dataset.DeidentificationMethodCodeSequence = [code_item(code) for code in codes]


def code_item(code: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", MEANINGS[code]
    return item


def is_number(value: Any) -> bool:
    """Whether the text of a DS or IS was one: pydicom hands over any other text as it is."""
    values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
    return not any(isinstance(one, str) and one for one in values)


def each(value: Any, change: Any) -> Any:
    """`change` of every value of an element, which may have none, one or several."""
    if value is None or value == "":
        return value
    return (
        [change(one) for one in value]
        if isinstance(value, (list, tuple)) or hasattr(value, "append")
        else change(value)
    )


def shifted(text: str, days: int) -> str:
    """A DA or DT moved back by days, its time of day kept; nothing where it is no full date."""
    try:
        moved = date(int(text[:4]), int(text[4:6]), int(text[6:8])) - timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved:%Y%m%d}".rjust(8, "0") + text[8:]
