"""Which context a study is given when it is asked about again."""

from itertools import chain, repeat

import numpy as np

from model.phantom.findings import Kind
from model.phantom.generator import PhantomOptions, PhantomStudy, make_phantom
from model.phantom.sensitivity import (
    Prior,
    compare_priors,
    compare_views,
    given_prior,
)
from model.phantom.text import inputs_of, true_phrases
from model.report import GroundedPhrase, ReportInputs
from tests.data.engines import CannedEngine

SMALL = PhantomOptions(short_side=64, with_prior=True, normal=False)
STUDY, DONOR, OTHER = (make_phantom(seed, SMALL) for seed in (1, 2, 3))
ALONE = make_phantom(4, PhantomOptions(short_side=64, with_prior=False))
BEHIND_HEART = "There is a nodule behind the heart, seen on the lateral view only."


def _given(prior: Prior) -> ReportInputs:
    return given_prior(STUDY, (DONOR, OTHER), prior)


def _shows(inputs: ReportInputs, study: PhantomStudy) -> bool:
    """Whether the prior image is that of `study`."""
    wanted = inputs_of(study).prior_frontal
    assert inputs.prior_frontal is not None
    assert wanted is not None
    return np.array_equal(inputs.prior_frontal, wanted)


def test_the_right_prior_is_the_studys_own() -> None:
    given = _given(Prior.RIGHT)
    assert _shows(given, STUDY)
    assert given.prior_report == STUDY.prior_report


def test_a_swapped_prior_is_image_and_report_of_one_other_phantom() -> None:
    given = _given(Prior.SWAPPED)
    assert _shows(given, DONOR)
    assert given.prior_report == DONOR.prior_report


def test_a_foreign_prior_is_the_image_of_one_and_the_report_of_another() -> None:
    given = _given(Prior.FOREIGN)
    assert _shows(given, DONOR)
    assert given.prior_report == OTHER.prior_report


def test_without_prior_all_else_stays_as_it_was() -> None:
    given = _given(Prior.MISSING)
    assert given.prior_frontal is None
    assert given.prior_report is None
    assert given.comparison == STUDY.comparison
    assert np.array_equal(given.current_frontal, inputs_of(STUDY).current_frontal)


def test_each_study_is_asked_about_once_with_each_prior() -> None:
    engine = CannedEngine(phrases=true_phrases(STUDY))
    (answers,) = compare_priors(engine, [ALONE, DONOR, OTHER, STUDY], 5)
    assert set(answers) == set(Prior)
    assert len(engine.asked) == len(Prior)


def test_a_guesser_is_as_right_with_another_prior() -> None:
    engine = CannedEngine(phrases=true_phrases(STUDY))
    (answers,) = compare_priors(engine, [DONOR, OTHER, STUDY], 5)
    for answer in answers.values():
        assert answer.score.changes
        assert all(answer.score.changes)
        assert answer.compares


def test_no_more_studies_are_asked_about_than_wanted() -> None:
    studies = chain([DONOR, OTHER], repeat(STUDY))
    assert len(compare_priors(CannedEngine(), studies, 2)) == 2


def test_a_finding_of_the_lateral_is_asked_about_with_it_and_without() -> None:
    engine = CannedEngine(phrases=(GroundedPhrase(text=BEHIND_HEART),))
    (answer,) = compare_views(engine, seed=1, limit=1)
    laterals = [request.inputs.current_lateral for request in engine.asked]
    assert [image is not None for image in laterals] == [True, False]
    assert (answer.with_lateral, answer.without_lateral) == (True, True)


def test_studies_for_the_lateral_have_a_finding_that_only_it_shows() -> None:
    engine = CannedEngine()
    compare_views(engine, seed=1, limit=1)
    asked = engine.asked[0].inputs.current_frontal
    first = 1 << 20
    drawn = (
        make_phantom(number, PhantomOptions(with_lateral=True))
        for number in range(first, first + 100)
    )
    shown = next(
        study
        for study in drawn
        if np.array_equal(inputs_of(study).current_frontal, asked)
    )
    assert Kind.RETROCARDIAC_NODULE in {finding.kind for finding in shown.findings}
