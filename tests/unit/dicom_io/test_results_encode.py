"""Which objects a report becomes, and what all of them carry."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.errors import NotEncodable, UnreadableHeader
from dicom_io.options import DecodeLimits
from dicom_io.results.encode import Outputs, encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.values import EncodedInstance
from model.report import (
    UNFINISHED,
    FlagKind,
    GroundedPhrase,
    GroundedReport,
    NormalizedBox,
    Task,
)
from tests.data.reports import (
    NO_PNEUMOTHORAX,
    context,
    evidence,
    film,
    film_file,
    instance,
    report,
)

REPORT = report()
NOT_MANDATORY = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "Manufacturer",
    "ReferringPhysicianName",
    "StudyDescription",
    "StudyID",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "BodyPartExamined",
    "PatientOrientation",
    "PixelSpacing",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "Modality",
)


@pytest.fixture
def frontal(tmp_path: Path) -> Path:
    return film_file(tmp_path)


def encode(frontal: Path, said: GroundedReport = REPORT) -> tuple[EncodedInstance, ...]:
    return encode_results(frontal, said, evidence(), context())


def encode_film(folder: Path, ds: Dataset) -> dict[ResultKind, Dataset]:
    return opened(encode(film_file(folder, ds)))


def opened(encoded: tuple[EncodedInstance, ...]) -> dict[ResultKind, Dataset]:
    return {made.kind: dcmread(BytesIO(made.data)) for made in encoded}


def kinds(encoded: tuple[EncodedInstance, ...]) -> list[ResultKind]:
    return [made.kind for made in encoded]


def test_grounded_findings_give_findings_boxes_and_narrative(frontal: Path) -> None:
    assert kinds(encode(frontal)) == [
        ResultKind.FINDINGS_SR,
        ResultKind.GSPS,
        ResultKind.NARRATIVE_SR,
    ]


def test_grounded_findings_without_any_box_give_the_narrative_alone(
    frontal: Path,
) -> None:
    assert kinds(encode(frontal, report((NO_PNEUMOTHORAX,)))) == [
        ResultKind.NARRATIVE_SR
    ]


def test_boxes_without_area_do_not_count_as_boxes(frontal: Path) -> None:
    point = NormalizedBox(x_min=0.5, y_min=0.5, x_max=0.5, y_max=0.5)
    said = report((GroundedPhrase(text="Dot.", boxes=(point,)),))

    assert kinds(encode(frontal, said)) == [ResultKind.NARRATIVE_SR]


def test_plain_findings_give_the_narrative_alone(frontal: Path) -> None:
    assert kinds(encode(frontal, report(task=Task.FINDINGS))) == [
        ResultKind.NARRATIVE_SR
    ]


def test_a_grounded_phrase_gives_findings_and_boxes_in_series_of_their_own(
    frontal: Path,
) -> None:
    asked = report(task=Task.PHRASE_GROUNDING, phrase="opacity")

    made = encode(frontal, asked)

    assert kinds(made) == [ResultKind.FINDINGS_SR, ResultKind.GSPS]
    series = {one.series_instance_uid for one in (*made, *encode(frontal))}
    assert len(series) == 5


@pytest.mark.parametrize("task", Task)
def test_every_task_has_a_capture_and_none_without_boxes_has_key_objects(
    frontal: Path, task: Task
) -> None:
    said = report((NO_PNEUMOTHORAX,), task=task, phrase="air")
    wanted = frozenset({ResultKind.CAPTURE, ResultKind.KEY_OBJECTS})

    made = encode_results(frontal, said, evidence(), context(), Outputs(kinds=wanted))

    assert kinds(made) == [ResultKind.CAPTURE]


def test_key_objects_come_with_boxes_and_after_the_picture(frontal: Path) -> None:
    every = Outputs(kinds=frozenset(ResultKind))

    assert kinds(encode_results(frontal, REPORT, evidence(), context(), every)) == [
        ResultKind.FINDINGS_SR,
        ResultKind.FINDINGS_SR_2D,
        ResultKind.GSPS,
        ResultKind.NARRATIVE_SR,
        ResultKind.CAPTURE,
        ResultKind.KEY_OBJECTS,
    ]


def test_all_kinds_have_the_same_bytes_each_time(frontal: Path) -> None:
    every = Outputs(kinds=frozenset(ResultKind))

    first = encode_results(frontal, REPORT, evidence(), context(), every)

    assert first == encode_results(frontal, REPORT, evidence(), context(), every)


def test_pixels_that_cannot_be_decoded_refuse_the_capture_alone(
    tmp_path: Path,
) -> None:
    path = film_file(tmp_path, film(PixelData=bytes(10)))
    capture = Outputs(kinds=frozenset({ResultKind.CAPTURE}))

    with pytest.raises(NotEncodable, match="no picture can be drawn"):
        encode_results(path, REPORT, evidence(), context(), capture)
    assert len(encode(path)) == 3


def test_a_picture_over_the_decoding_limits_is_refused(frontal: Path) -> None:
    outputs = Outputs(
        kinds=frozenset({ResultKind.CAPTURE}), limits=DecodeLimits(max_pixels=1000)
    )

    with pytest.raises(NotEncodable, match="is over 1000"):
        encode_results(frontal, REPORT, evidence(), context(), outputs)


def test_the_same_inputs_give_the_same_bytes(frontal: Path) -> None:
    assert encode(frontal) == encode(frontal)


def test_a_new_revision_is_a_new_object_in_a_new_series(frontal: Path) -> None:
    first = encode_results(frontal, REPORT, evidence(), context(revision=1))
    second = encode_results(frontal, REPORT, evidence(), context(revision=2))

    for before, after in zip(first, second, strict=True):
        assert before.sop_instance_uid != after.sop_instance_uid
        assert before.series_instance_uid != after.series_instance_uid


def test_the_value_names_what_the_file_holds(frontal: Path) -> None:
    for made in encode(frontal):
        ds = dcmread(BytesIO(made.data))
        assert made.data[:132] == bytes(128) + b"DICM"
        assert made.sop_class_uid == ds.file_meta.MediaStorageSOPClassUID
        assert made.sop_class_uid == ds.SOPClassUID
        assert made.sop_instance_uid == ds.SOPInstanceUID
        assert made.series_instance_uid == ds.SeriesInstanceUID


def test_patient_and_study_are_those_of_the_film(frontal: Path) -> None:
    source = film()

    for ds in opened(encode(frontal)).values():
        for keyword in (
            "PatientID",
            "PatientName",
            "PatientBirthDate",
            "PatientSex",
            "StudyInstanceUID",
            "StudyDate",
            "StudyDescription",
            "AccessionNumber",
        ):
            assert ds[keyword].value == source[keyword].value


def test_every_object_says_that_it_is_research(frontal: Path) -> None:
    for ds in opened(encode(frontal)).values():
        assert ds.ContentQualification == "RESEARCH"
        assert ds.SeriesDescription.startswith("RESEARCH ")
        assert "RESEARCH" in ds.SeriesDescription
        assert len(ds.SeriesDescription) <= 64


def test_times_come_from_the_context_alone(frontal: Path) -> None:
    for ds in opened(encode(frontal)).values():
        assert ds.InstanceCreationDate == "20260304"
        assert str(ds.InstanceCreationTime).startswith("050607")


def test_the_model_is_a_contributing_equipment_with_its_digest(frontal: Path) -> None:
    for ds in opened(encode(frontal)).values():
        model, modality = ds.ContributingEquipmentSequence
        assert model.ManufacturerModelName == "MAIRA-2"
        assert model.SoftwareVersions == REPORT.provenance.weights_digest
        assert modality.Manufacturer == "Synthetic"


def test_another_weights_digest_is_another_device(frontal: Path) -> None:
    other = replace(
        REPORT, provenance=replace(REPORT.provenance, weights_digest="12" * 32)
    )

    def device(said: GroundedReport) -> str:
        ds = opened(encode(frontal, said))[ResultKind.GSPS]
        return str(ds.ContributingEquipmentSequence[0].DeviceUID)

    assert device(REPORT) != device(other)


@pytest.mark.parametrize("kind", sorted(UNFINISHED))
def test_a_text_that_was_stopped_makes_the_documents_partial(
    frontal: Path, kind: FlagKind
) -> None:
    made = opened(encode(frontal, report(flags=[kind])))

    assert made[ResultKind.FINDINGS_SR].CompletionFlag == "PARTIAL"
    assert made[ResultKind.NARRATIVE_SR].CompletionFlag == "PARTIAL"


@pytest.mark.parametrize(
    "name",
    [
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "Παπαδόπουλος^Γιώργος",
        "Иванов^Иван",
        "العربية^اسم",
        "สมชาย^ใจดี",
        "Zoe\u0308^Cafe\u0301",
    ],
)
def test_names_in_any_script_come_back_unchanged(tmp_path: Path, name: str) -> None:
    for ds in encode_film(tmp_path, film(PatientName=name)).values():
        assert str(ds.PatientName) == name


def test_a_name_in_an_older_character_set_comes_back_as_unicode(
    tmp_path: Path,
) -> None:
    source = film(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")

    for ds in encode_film(tmp_path, source).values():
        assert str(ds.PatientName) == "Müller^Jörg"


def test_a_bare_header_is_enough(tmp_path: Path) -> None:
    bare = film()
    for keyword in NOT_MANDATORY:
        delattr(bare, keyword)

    made = encode_film(tmp_path, bare)

    assert len(made) == 3
    assert made[ResultKind.GSPS].BodyPartExamined == "CHEST"
    assert made[ResultKind.FINDINGS_SR].PatientID == ""


def test_a_date_that_is_not_one_is_left_empty(tmp_path: Path) -> None:
    source = film()
    source["StudyDate"]._value = "yesterday"  # what a broken modality stores

    made = encode_film(tmp_path, source)

    assert made[ResultKind.NARRATIVE_SR].StudyDate == ""


def test_another_instance_in_the_file_is_refused(frontal: Path) -> None:
    with pytest.raises(NotEncodable, match="report is about"):
        encode_results(frontal, REPORT, evidence(instance("other")), context())


def test_a_file_that_is_not_dicom_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frontal.dcm"
    path.write_bytes(b"not a film")

    with pytest.raises(UnreadableHeader):
        encode(path)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        replace(context(), created_at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("source", "offset", "day", "hour"),
    [
        ("+0900", "+0900", "20260304", "14"),
        ("-0700", "-0700", "20260303", "22"),
        ("+9900", "+0000", "20260304", "05"),
        ("Berlin", "+0000", "20260304", "05"),
        ("", "+0000", "20260304", "05"),
    ],
)
def test_the_content_time_is_in_the_zone_that_the_object_names(
    source: str, offset: str, day: str, hour: str, tmp_path: Path
) -> None:
    made = encode_film(tmp_path, film(TimezoneOffsetFromUTC=source))
    for ds in made.values():
        assert ds.TimezoneOffsetFromUTC == offset
        assert ds.InstanceCreationDate == day
        assert ds.InstanceCreationTime.startswith(f"{hour}0607")


def test_without_a_zone_in_the_source_the_time_keeps_its_own(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=-3, minutes=-30))
    local = replace(context(), created_at=datetime(2026, 1, 1, 8, tzinfo=zone))
    made = opened(encode_results(film_file(tmp_path), REPORT, evidence(), local))
    ds = made[ResultKind.NARRATIVE_SR]
    assert (ds.TimezoneOffsetFromUTC, ds.ContentTime[:4]) == ("-0330", "0800")
