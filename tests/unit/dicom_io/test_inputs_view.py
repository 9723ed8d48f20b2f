from dataclasses import replace
from datetime import date, time

import pytest

from dicom_io.evidence import Rejection
from dicom_io.header import Instance, read_instance
from dicom_io.inputs.film import FilmReading, Shown
from dicom_io.inputs.looking import HEADERS_ALONE, Seen
from dicom_io.inputs.refusal import Declined, DeclineReason
from dicom_io.inputs.view import Views, select_views
from dicom_io.options import Disagreement, ViewRules
from tests.data.films import (
    CR,
    SECONDARY_CAPTURE,
    film_instance,
    real_film,
    real_films,
)


def choose(*instances: Instance, quality_control: bool = False) -> Views | Declined:
    rules = ViewRules(quality_control=quality_control)
    return select_views(instances, HEADERS_ALONE, rules)


def reason(*instances: Instance, quality_control: bool = False) -> DeclineReason:
    declined = choose(*instances, quality_control=quality_control)
    assert isinstance(declined, Declined), declined
    return declined.reason


def frontal(*instances: Instance) -> Instance:
    views = choose(*instances)
    assert isinstance(views, Views), views
    return views.frontal


def is_read(*instances: Instance) -> bool:
    return isinstance(choose(*instances), Views)


def lateral_film(**changes: object) -> Instance:
    film = film_instance(sop_instance_uid="1.2.3.5", view_position="LL")
    return replace(film, patient_orientation=("A", "F"), **changes)  # type: ignore[arg-type]


def test_every_real_film_but_the_lateral_is_a_frontal() -> None:
    for path in real_films("dicom"):
        views = choose(read_instance(path))
        if path.name == "sim_lidc_lat.dcm":
            assert isinstance(views, Declined)
            assert views.reason is DeclineReason.NO_FRONTAL
        else:
            assert isinstance(views, Views), path


def test_the_pair_of_a_study_goes_to_the_right_slots() -> None:
    names = ("dicom/sim_lidc_lat.dcm", "dicom/sim_lidc_pa.dcm")
    views = choose(*(read_instance(real_film(name)) for name in names))
    assert isinstance(views, Views)
    assert views.frontal.path.name == "sim_lidc_pa.dcm"
    assert views.lateral is not None
    assert views.lateral.path.name == "sim_lidc_lat.dcm"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dog_lateral_thorax_dx_mono1.dcm", DeclineReason.NOT_HUMAN),
        ("cr_cspine_ll_16px.dcm", DeclineReason.NOT_CHEST),
        ("chrJapMulti.dcm", DeclineReason.NO_PIXELS),
        ("chrKoreanMulti.dcm", DeclineReason.NO_PIXELS),
    ],
)
def test_odd_films_are_declined_with_their_reason(
    name: str, expected: DeclineReason
) -> None:
    assert reason(read_instance(real_film(f"odd/{name}"))) is expected


def test_an_animal_declines_even_beside_a_film() -> None:
    dog = film_instance(acquisition_device_processing="CANINE THORAX")
    assert reason(film_instance(), dog) is DeclineReason.NOT_HUMAN
    assert reason(film_instance(species="Felis catus")) is DeclineReason.NOT_HUMAN
    assert is_read(film_instance(species="Homo sapiens"))


def test_no_evidence_of_the_view_is_no_frontal() -> None:
    blank = film_instance(view_position=None, patient_orientation=())
    assert reason(blank) is DeclineReason.NO_FRONTAL


def test_the_default_orientation_alone_is_no_evidence() -> None:
    assert reason(film_instance(view_position=None)) is DeclineReason.NO_FRONTAL


def test_an_orientation_that_differs_from_the_laterals_is_evidence() -> None:
    unlabelled = film_instance(view_position=None)
    views = choose(unlabelled, lateral_film())
    assert isinstance(views, Views)
    assert views.frontal == unlabelled
    assert "differs" in views.reasons[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"patient_orientation": ("A", "F")},
        {"series_description": "CHEST LAT"},
        {"view_codes": (("399173006", "SCT"),)},
    ],
)
def test_witnesses_that_disagree_are_not_weighed_but_refused(
    changes: dict[str, object],
) -> None:
    declined = choose(film_instance(**changes))
    assert isinstance(declined, Declined)
    assert "contradicted" in declined.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"view_codes": (("272479007", "SCT"),)},
        {"view_codes": (("R-10206", "SNM3"),)},
        {"series_description": "W033 Chest P.A."},
        {"protocol_name": "Thorax ap im Bett"},
        {"study_description": "CHEST PORTABLE 1 VIEW"},
    ],
)
def test_codes_and_texts_say_frontal_where_view_position_is_empty(
    changes: dict[str, object],
) -> None:
    assert is_read(film_instance(view_position=None, **changes))


def test_the_studys_text_says_nothing_where_it_has_two_images() -> None:
    one = film_instance(view_position=None, study_description="CHEST PA")
    assert reason(one, replace(one, sop_instance_uid="1.9")) is DeclineReason.NO_FRONTAL


@pytest.mark.parametrize("position", ["LLD", "RLD", "LLO", "RAO"])
def test_decubitus_and_oblique_are_no_frontal(position: str) -> None:
    assert reason(film_instance(view_position=position)) is DeclineReason.NO_FRONTAL


def test_a_lateral_decubitus_in_words_is_neither() -> None:
    decubitus = film_instance(view_position=None, series_description="LAT DECUBITUS")
    views = choose(film_instance(sop_instance_uid="1.9"), decubitus)
    assert isinstance(views, Views)
    assert views.lateral is None


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"view_position": "AP"}),
        ({}, {"presentation_intent": None}),
        ({}, {"image_type": ("DERIVED", "PRIMARY")}),
        ({}, {"series_description": "Chest PA bone suppressed"}),
        ({"acquired_time": time(11)}, {"rows": 4000}),
        ({"rows": 4000}, {}),
    ],
)
def test_of_several_frontals_the_better_one_is_chosen(
    better: dict[str, object], worse: dict[str, object]
) -> None:
    first = film_instance(sop_instance_uid="1.1", **better)
    second = film_instance(sop_instance_uid="1.9", **worse)
    assert frontal(first, second) == first
    assert frontal(second, first) == first


def test_a_class_or_a_modality_makes_a_radiograph() -> None:
    assert is_read(film_instance(sop_class_uid=CR, modality=None))
    assert is_read(film_instance(sop_class_uid="1.2.9", modality="CR"))
    assert reason(film_instance(sop_class_uid="1.2.9", modality="CT"))


def test_a_capture_of_a_film_is_read_and_one_of_a_report_is_not() -> None:
    film = film_instance(sop_class_uid=SECONDARY_CAPTURE, modality="CR")
    assert is_read(film)
    for changes in (
        {"series_description": "CAD Summary"},
        {"text_values": (("ConversionType", "WSD"),)},
        {"modality": "OT", "view_position": None},
        {"model_name": "maira-gateway"},
    ):
        captured = replace(film, **changes)
        assert reason(captured) is DeclineReason.SECONDARY_CAPTURE, changes


@pytest.mark.parametrize(
    "changes",
    [
        {"body_part": "HAND"},
        {"body_part": "EXTREMETY"},
        {"body_part": "TSPINE"},
        {"series_description": "RIBS LEFT PA"},
        {"body_part": None, "study_description": "Knee AP"},
        {"body_part": None, "study_description": None},
    ],
)
def test_what_is_not_said_to_be_the_chest_is_declined(
    changes: dict[str, object],
) -> None:
    assert reason(film_instance(**changes)) is DeclineReason.NOT_CHEST


def test_other_names_of_the_chest_are_known() -> None:
    for body_part in ("THORAX", "NON GRID CHEST", "PORTABLE CHEST", "LUNG"):
        assert is_read(film_instance(body_part=body_part))
    described = film_instance(body_part=None, study_description="Rx Tórax / CXR")
    assert is_read(described)


def test_each_engine_reads_its_own_domain() -> None:
    phantom = film_instance(quality_control_image=True)
    assert reason(phantom) is DeclineReason.OUTSIDE_DOMAIN
    assert reason(film_instance(), quality_control=True) is DeclineReason.OUTSIDE_DOMAIN
    assert isinstance(choose(phantom, quality_control=True), Views)


def test_an_image_for_processing_is_not_read() -> None:
    raw = film_instance(presentation_intent="FOR PROCESSING")
    assert reason(raw) is DeclineReason.NO_FRONTAL


def test_an_empty_study_has_no_frontal() -> None:
    assert reason() is DeclineReason.NO_FRONTAL


def test_a_detail_quotes_words_and_no_descriptions() -> None:
    named = film_instance(series_description="RIBS of Jane Doe")
    declined = choose(named)
    assert isinstance(declined, Declined)
    assert "Doe" not in declined.detail


def test_images_of_two_patients_decline_the_study() -> None:
    stranger = replace(film_instance().patient, patient_id="P2")
    lateral = lateral_film(patient=stranger)
    assert reason(film_instance(), lateral) is DeclineReason.PATIENT_CONFLICT


def test_only_veterinary_words_in_an_institution_make_an_animal() -> None:
    assert is_read(film_instance(institution="White Horse Hospital"))
    for place in ("Veterinary Clinic", "Animal Hospital", "Tierklinik Hund"):
        animal = film_instance(institution=place)
        assert reason(animal) is DeclineReason.NOT_HUMAN


def test_an_image_that_a_note_rejects_is_not_used() -> None:
    bad = film_instance(sop_instance_uid="1.2.3.5", instance_number=2)
    seen = Seen(rejected={"1.2.3.5": "rejected for quality reasons"})
    chosen = select_views([film_instance(), bad], seen, ViewRules())
    assert isinstance(chosen, Views)
    assert chosen.frontal.sop_instance_uid == "1.2.3.4"
    assert chosen.rejected == (
        Rejection(what="1.2.3.5", reason="rejected for quality reasons"),
    )


def test_a_study_whose_only_frontal_is_rejected_is_declined() -> None:
    seen = Seen(rejected={"1.2.3.4": "rejected for quality reasons"})
    declined = select_views([film_instance()], seen, ViewRules())
    assert isinstance(declined, Declined)
    assert declined.reason is DeclineReason.REJECTED
    assert "quality" in declined.detail


def test_the_frontal_that_comes_second_is_told_with_its_reason() -> None:
    second = film_instance(sop_instance_uid="1.2.3.5", view_position="AP")
    chosen = choose(film_instance(), second)
    assert isinstance(chosen, Views)
    (rejected,) = chosen.rejected
    assert rejected.what == "1.2.3.5"
    assert "AP by ViewPosition" in rejected.reason


@pytest.mark.parametrize(("limit", "is_read"), [(18, False), (17, True), (0, True)])
def test_a_patient_under_the_limit_is_declined(limit: int, is_read: bool) -> None:
    patient = replace(film_instance().patient, birth_date=date(2006, 3, 3))
    young = film_instance(patient=patient)
    chosen = select_views([young], HEADERS_ALONE, ViewRules(minimum_age_years=limit))
    assert isinstance(chosen, Views) is is_read
    if isinstance(chosen, Declined):
        assert chosen.reason is DeclineReason.TOO_YOUNG


def test_a_patient_of_unknown_age_is_read() -> None:
    patient = replace(film_instance().patient, birth_date=None)
    assert isinstance(choose(film_instance(patient=patient)), Views)


def test_a_frontal_that_is_named_both_pa_and_ap_is_flagged() -> None:
    chosen = choose(film_instance(view_position="PA", series_description="Chest AP"))
    assert isinstance(chosen, Views)
    (flag,) = chosen.flags
    assert "PA and AP are both named" in flag


def test_a_frontal_that_is_named_once_has_no_flag() -> None:
    chosen = choose(film_instance(view_position="PA", series_description="frontal"))
    assert isinstance(chosen, Views)
    assert chosen.flags == ()


def by_pixels(
    film: Instance,
    disagreement: Disagreement = Disagreement.DECLINE,
    shown: Shown = Shown.FRONTAL,
    **odd: object,
) -> Views | Declined:
    reading = FilmReading(shown=shown, likelihood=0.9, **odd)  # type: ignore[arg-type]
    seen = Seen(readings={film.sop_instance_uid: reading})
    return select_views([film], seen, ViewRules(disagreement=disagreement))


def test_clear_pixels_speak_where_the_header_names_no_view_and_no_region() -> None:
    silent = film_instance(
        view_position=None,
        body_part=None,
        study_description=None,
        series_description=None,
    )
    assert isinstance(choose(silent), Declined)
    chosen = by_pixels(silent)
    assert isinstance(chosen, Views)
    assert "frontal by the pixels (0.90)" in chosen.reasons[0]
    assert "the chest by the pixels alone" in chosen.reasons[0]


def test_a_named_other_region_is_not_overruled_by_pixels() -> None:
    declined = by_pixels(film_instance(body_part="HAND"), Disagreement.FLAG)
    assert isinstance(declined, Declined)
    assert declined.reason is DeclineReason.NOT_CHEST


@pytest.mark.parametrize(
    ("shown", "odd", "expected"),
    [
        (Shown.LATERAL, {}, DeclineReason.NO_FRONTAL),
        (Shown.NO_CHEST, {}, DeclineReason.NOT_CHEST),
        (Shown.FRONTAL, {"quarter_turns": 3}, DeclineReason.UNSUPPORTED_ORIENTATION),
        (Shown.FRONTAL, {"is_mirrored": True}, DeclineReason.UNSUPPORTED_ORIENTATION),
        (Shown.FRONTAL, {"is_inverted": True}, DeclineReason.UNSUPPORTED_ORIENTATION),
    ],
)
def test_what_the_pixels_deny_is_declined_and_read_where_the_header_is_trusted(
    shown: Shown, odd: dict[str, object], expected: DeclineReason
) -> None:
    declined = by_pixels(film_instance(), Disagreement.DECLINE, shown, **odd)
    assert isinstance(declined, Declined)
    assert declined.reason is expected
    trusted = by_pixels(film_instance(), Disagreement.TRUST_HEADER, shown, **odd)
    assert isinstance(trusted, Views)
    assert len(trusted.flags) == 1


def test_a_frontal_by_pixels_is_read_with_a_flag_where_the_site_asks_for_it() -> None:
    mislabelled = film_instance(view_position="LL", patient_orientation=())
    assert isinstance(by_pixels(mislabelled), Declined)
    chosen = by_pixels(mislabelled, Disagreement.FLAG)
    assert isinstance(chosen, Views)
    (flag,) = chosen.flags
    assert "frontal by the pixels" in flag


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"presentation_intent": None}, "that one is for presentation"),
        ({"series_description": "Chest PA bone suppressed"}, "this one is processed"),
        ({"series_description": "Soft tissue PA"}, "this one is processed"),
        ({"image_type": ("DERIVED", "PRIMARY")}, "this one is derived"),
        ({"view_position": "AP"}, "that one is PA"),
        ({"body_part": "PORTABLE CHEST"}, "this one is portable"),
        ({"acquired_time": time(9)}, "this one was repeated"),
        ({"rows": 32}, "that one is larger"),
    ],
)
def test_the_image_that_is_not_read_is_told_in_what_it_comes_behind(
    changes: dict[str, object], why: str
) -> None:
    behind = film_instance(sop_instance_uid="1.2.3.5", **changes)
    chosen = choose(film_instance(), behind)
    assert isinstance(chosen, Views)
    (rejected,) = chosen.rejected
    assert rejected.what == "1.2.3.5"
    assert why in rejected.reason


def test_a_frontal_that_the_pixels_show_comes_before_one_that_is_only_named() -> None:
    named = film_instance(sop_instance_uid="1.2.3.5")
    shown = film_instance(view_position=None)
    reading = FilmReading(shown=Shown.FRONTAL, likelihood=0.9)
    seen = Seen(readings={shown.sop_instance_uid: reading})
    chosen = select_views([named, shown], seen, ViewRules())
    assert isinstance(chosen, Views)
    assert chosen.frontal == shown
    assert "the pixels show the view of that one" in chosen.rejected[0].reason
