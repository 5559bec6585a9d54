# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a patient in the anonymized copy: nothing, under any option, but what the option names."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import yaml
from dicom_files import in_syntax, radiograph, saved
from model_service import dicom, images
from model_service.deidentify import Anonymized, Deidentifier
from model_service.errors import TryLater
from model_service.events import Study
from model_service.policy import OPTIONS, PolicyError, make_policy, read_policy
from model_service.profile import Profile
from model_service.pseudonyms import Pseudonyms
from model_service.settings import POLICY
from PIL import Image
from pydicom.dataset import Dataset
from service_fakes import MemoryStore, encoded, picture, record

LIMIT = 40_000_000
STUDY = Study("xray-source", "ward/x.dcm", "e1")
DEMO = "demo_Barbara Campbell_5798_1962-07-16_2016-11-07.jpeg"
SECRETS = (b"Barbara", b"Campbell", b"5798", b"1962", b"2016", b"1.2.3.4")


def policy_with(**options: bool) -> Any:
    loaded = yaml.safe_load(POLICY.read_text())
    loaded["options"] |= options
    return make_policy(loaded)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("k" * 32)
    return path


@pytest.fixture
def anonymize(key: Path) -> Callable[..., Anonymized]:
    def work(data: bytes, study: Study = STUDY, text_boxes: Any = None, **options: bool) -> Anonymized:
        deidentifier = Deidentifier(policy_with(**options), Pseudonyms(key), "all", text_boxes)
        return deidentifier.anonymize(study, images.read(data, LIMIT))

    return work


def read(copy: Anonymized) -> Dataset:
    assert (copy.content_type, copy.key[-4:]) == ("application/dicom", ".dcm")
    return pydicom.dcmread(io.BytesIO(copy.data))


def identified() -> Dataset:
    """The patient in every place where one has been seen in real files."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3.4.5"
    item.PatientName = "Barbara"
    nested = Dataset()
    nested.PatientID, nested.TextValue, nested.PixelData = "5798", "Barbara", b"Campbell"
    nested["PixelData"].VR = "OB"
    step = Dataset()
    step.ViewCodeSequence, step.CodeMeaning = [nested], "postero-anterior"
    dataset = radiograph(
        OtherPatientIDs="5798", PatientComments="Barbara", InstitutionName="Campbell", AccessionNumber="5798",
        ReferringPhysicianName="Campbell", StudyTime="201600", StationName="Barbara", DeviceSerialNumber="5798",
        AcquisitionDateTime="20161107101500.5", StudyDescription="of Barbara", SourceImageSequence=[item],
        ViewCodeSequence=[step], RequestAttributesSequence=[step], KVP="60", ViewPosition="PA", Manufacturer="Philips",
    )  # fmt: skip
    block = dataset.private_block(0x0009, "Barbara's own", create=True)
    block.add_new(1, "LO", "Campbell")
    dataset.add_new(0x60003000, "OW", b"Campbell")
    dataset.add_new(0x50003000, "OW", b"Campbell")
    dataset.add_new(0x0010FFFE, "LO", "Barbara")
    return dataset


@pytest.mark.parametrize("syntax", ["implicit", "explicit"])
def test_no_trace_of_the_patient_is_left(anonymize: Callable[..., Anonymized], syntax: str) -> None:
    dataset = identified()
    dataset.file_meta.TransferSyntaxUID = in_syntax(syntax).file_meta.TransferSyntaxUID
    data = b"Campbell".ljust(128) + saved(dataset)[128:] + b"\xfc\xff\xfc\xffOB\0\0\x08\0\0\0Campbell"
    copy = anonymize(data)
    assert [secret for secret in SECRETS if secret in copy.data or secret in copy.key.encode()] == []
    left = read(copy)
    assert (left.KVP, left.ViewPosition, left.Manufacturer, left.StudyDate) == (60, "PA", "Philips", "")
    assert (left.PatientIdentityRemoved, left.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert [item.CodeValue for item in left.DeidentificationMethodCodeSequence] == ["113100"]
    assert left.ViewCodeSequence[0].CodeMeaning == "postero-anterior"
    assert left.PatientID == left.PatientName == copy.key.partition("-")[0]


@pytest.mark.parametrize("syntax", ["implicit", "rle", "jpeg", "jpeg2000"])
def test_the_pixels_stay_as_they_were(anonymize: Callable[..., Anonymized], syntax: str) -> None:
    dataset = in_syntax(syntax)
    before, after = dataset.pixel_array.astype(int), read(anonymize(saved(dataset))).pixel_array
    assert np.abs(before - after).max() <= (1 if syntax == "jpeg" else 0)  # JPEG decoders round in their own ways


def test_an_anonymized_copy_scores_as_the_original(anonymize: Callable[..., Anonymized]) -> None:
    data = saved(radiograph(PhotometricInterpretation="MONOCHROME1", WindowCenter="2000", WindowWidth="3000"))
    shown, copied = (np.asarray(images.decode(each, LIMIT)) for each in (data, anonymize(data).data))
    assert np.array_equal(shown, copied)


def test_uids_are_remapped_the_same_way_everywhere(anonymize: Callable[..., Anonymized]) -> None:
    first, second = read(anonymize(saved(identified()))), read(anonymize(saved(radiograph(SOPInstanceUID="1.2.3.9"))))
    assert first.StudyInstanceUID == second.StudyInstanceUID != "1.2.3.4"
    assert first.SOPInstanceUID == first.SourceImageSequence[0].ReferencedSOPInstanceUID != second.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert first.SourceImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.1"
    assert first.SOPInstanceUID.is_valid


def test_the_same_patient_has_one_pseudonym_for_one_key(anonymize: Callable[..., Anonymized], key: Path) -> None:
    names = [anonymize(saved(radiograph()), Study("b", f"{number}.dcm")).key for number in range(2)]
    names.append(anonymize(encoded(picture()), Study("b", DEMO)).key)
    assert len({name.partition("-")[0] for name in names}) == 1
    assert len(set(names)) == 3
    key.write_text("l" * 32)
    assert anonymize(saved(radiograph()), Study("b", "0.dcm")).key.partition("-")[0] not in names[0]


def test_options_keep_what_they_name(anonymize: Callable[..., Anonymized]) -> None:
    data = saved(identified())
    left = read(anonymize(data, retain_uids=True, retain_device_identity=True, retain_dates_shifted=True))
    assert (left.StudyInstanceUID, left.StationName, left.DeviceSerialNumber) == ("1.2.3.4", "Barbara", "5798")
    codes = [item.CodeValue for item in left.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113109", "113110"]
    assert (left.StudyTime, left.PatientBirthDate, left.LongitudinalTemporalInformationModified[:8]) == (
        "201600", "", "MODIFIED"
    )  # fmt: skip
    assert left.StudyDate < "20161107"
    assert left.AcquisitionDateTime == f"{left.StudyDate}101500.5"
    assert b"Campbell" not in anonymize(data, **dict.fromkeys(OPTIONS, True)).data


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("representation", [0, 1])
def test_burned_in_text_is_blackened(
    anonymize: Callable[..., Anonymized], photometric: str, representation: int
) -> None:
    window = {"WindowCenter": "0" if representation else "2048", "WindowWidth": "4096"}
    dataset = radiograph(PhotometricInterpretation=photometric, PixelRepresentation=representation, **window)
    copy = anonymize(saved(dataset), text_boxes=lambda gray: [(10, 20, 60, 40)])
    before, after = (np.asarray(images.decode(each, LIMIT)) for each in (saved(dataset), copy.data))
    assert (after[20:40, 10:60] == 0).all()
    after = after.copy()
    after[20:40, 10:60] = before[20:40, 10:60]
    assert np.array_equal(before, after)
    left = read(copy)
    assert left.BurnedInAnnotation == "NO"
    assert [item.CodeValue for item in left.DeidentificationMethodCodeSequence] == ["113100", "113101"]


def test_a_picture_keeps_its_pixels_only(anonymize: Callable[..., Anonymized]) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Barbara"
    for kind, name in (("JPEG", "jpeg"), ("PNG", "png"), ("TIFF", "png")):
        data = encoded(picture(), kind, exif=exif, comment=b"Campbell") + b"Barbara"
        copy = anonymize(data, Study("b", DEMO), text_boxes=lambda gray: [(0, 200, 100, 240)])
        assert [secret for secret in SECRETS if secret in copy.data or secret in copy.key.encode()] == []
        assert copy.key.endswith(f".{name}")
        assert np.asarray(images.decode(copy.data, LIMIT))[210:230, 10:80].max() < 20


def test_a_file_without_an_identity_has_a_name_still(anonymize: Callable[..., Anonymized]) -> None:
    copy = anonymize(saved(radiograph(PatientID="", PatientName="", SOPInstanceUID=None)))
    assert read(copy).PatientID == copy.key.removesuffix(".dcm")


def test_elements_that_cannot_be_read_are_removed(anonymize: Callable[..., Anonymized]) -> None:
    data = saved(radiograph(KVP="4711", ExposureTime="4712")).replace(b"4711", b"\xffBa!").replace(b"4712", b"Bar!")
    left = anonymize(data).data
    assert b"Bar!" not in left
    assert b"Ba!" not in left


def test_a_key_that_is_missing_or_short_is_named(tmp_path: Path) -> None:
    pseudonyms = Pseudonyms(tmp_path / "key")
    with pytest.raises(TryLater, match="No key for pseudonyms: expected at least 32 secret bytes"):
        pseudonyms.key()
    (tmp_path / "key").write_text("short")
    with pytest.raises(TryLater, match="got 5"):
        pseudonyms.key()
    (tmp_path / "key").write_text("k" * 32)
    assert len(pseudonyms.name("patient", "5798")) == 16
    assert pseudonyms.name("patient", "1", "23") != pseudonyms.name("patient", "12", "3")
    assert 1 <= pseudonyms.days("x") <= 3650


def test_a_policy_that_cannot_work_is_named(tmp_path: Path, key: Path) -> None:
    for content in ("[]", "{", "options: {}", POLICY.read_text().replace("(?P<patient>", "(")):
        (tmp_path / "policy.yaml").write_text(content)
        with pytest.raises(PolicyError, match=r"policy\.yaml"):
            read_policy(tmp_path / "policy.yaml")
    with pytest.raises(PolicyError, match="cannot read"):
        read_policy(tmp_path / "none.yaml")
    unknown = policy_with()
    unknown.actions["PatientsNam"] = "remove"
    with pytest.raises(PolicyError, match="PatientsNam"):
        Profile(unknown, Pseudonyms(key))


def test_the_policy_treats_what_the_standard_names() -> None:
    actions = read_policy(POLICY).actions
    assert len(actions) > 600
    expected = {"PatientBirthDate": "empty", "InstitutionName": "dummy", "OtherPatientIDs": "remove", "UID": "uid"}
    assert {name: actions[name] for name in expected} == expected


def test_unused_bits_hold_nothing() -> None:
    dataset = radiograph()
    stored = np.full((240, 320), 0xF123, np.uint16)
    dicom.put_pixels(dataset, stored, [])
    assert set(np.frombuffer(dataset.PixelData, "<u2")) == {0x123}


ANONYMIZED = "xray-source-anonymized"


def test_every_study_leaves_an_anonymized_copy(announce: Callable[..., Any], store: MemoryStore) -> None:
    store.objects["xray-source", DEMO] = encoded(picture())
    assert announce(record(DEMO)).status_code == 204
    (name,) = [key for bucket, key in store.objects if bucket == ANONYMIZED]
    assert f'"anonymized_key": "{name}"'.encode() in store.objects["xray-source-processed", record_of(DEMO)]
    assert announce(record(name, bucket=ANONYMIZED)).status_code == 422


def record_of(key: str) -> str:
    return key.replace(".jpeg", "-processed.jpeg.json")
