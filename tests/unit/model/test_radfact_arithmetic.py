"""RadFact's measures on cases worked out by hand; pixels are of a 224 raster."""

from collections.abc import Sequence
from math import isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.radfact.arithmetic import covered_share, f1, measure, raster, score_study
from model.radfact.bootstrap import mean_measures
from model.radfact.errors import JudgeFailure
from model.radfact.judge import ExactJudge
from model.radfact.values import (
    NOT_ENTAILED,
    SIX_MEASURES,
    JudgedSentence,
    Measures,
    Rectangle,
    Report,
    Sentence,
    Spatial,
    StudyScore,
    Verdict,
)


class Told:
    """Answers as told: sentence -> evidence (places), or None for a failure."""

    name = "told"

    def __init__(self, answers: dict[str, tuple[int, ...] | None]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def entails(self, sentence: str, report: Sequence[str]) -> Verdict:
        assert report
        self.asked.append(sentence)
        evidence = self.answers.get(sentence, ())
        if evidence is None:
            raise JudgeFailure("it said nothing")
        return Verdict(entailed=True, evidence=evidence) if evidence else NOT_ENTAILED

    def split(self, text: str) -> tuple[str, ...]:
        return (text,)


def box(x_min: float, y_min: float, x_max: float, y_max: float) -> Rectangle:
    return Rectangle(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)


def said(text: str, *boxes: Rectangle) -> Sentence:
    return Sentence(text=text, boxes=boxes)


LEFT, RIGHT = box(0.0, 0.0, 0.5, 1.0), box(0.5, 0.0, 1.0, 1.0)
WHOLE = box(0.0, 0.0, 1.0, 1.0)


def scored(
    candidate: Report, reference: Report, **answers: tuple[int, ...] | None
) -> StudyScore:
    return score_study("1", candidate, reference, Told(answers))


def six(score: StudyScore) -> list[float]:
    return [getattr(score.measures, name) for name in SIX_MEASURES]


def same(found: list[float], wanted: list[float]) -> bool:
    return all(
        a == pytest.approx(b) or (isnan(a) and isnan(b))
        for a, b in zip(found, wanted, strict=True)
    )


def test_sentences_without_boxes_have_logical_measures_alone() -> None:
    # Of a, b the reference supports a (1/2); of c, d, e the candidate c and d (2/3).
    score = scored(
        (said("a"), said("b")),
        (said("c"), said("d"), said("e")),
        a=(0,),
        c=(0,),
        d=(1,),
    )
    assert same(six(score), [1 / 2, 2 / 3, nan, nan, nan, nan])


def test_nothing_entailed_gives_zero_and_no_grounding() -> None:
    # Boxed but not entailed: spatial 0/1, grounding 0/0.
    score = scored((said("a", LEFT),), (said("b", LEFT),))
    assert same(six(score), [0.0, 0.0, 0.0, 0.0, nan, nan])


def test_an_empty_report_is_entailed_by_nothing_and_nobody_is_asked() -> None:
    judge = Told({"a": (0,)})
    score = score_study("1", (said("a"),), (), judge)
    assert judge.asked == []
    assert same(six(score), [0.0, nan, nan, nan, nan, nan])


def test_two_empty_reports_have_no_measure() -> None:
    assert all(isnan(value) for value in six(scored((), ())))


def test_boxes_may_be_covered_by_several_evidence_sentences_together() -> None:
    # WHOLE has 224 * 224 pixels; LEFT alone covers exactly half, both cover all.
    reference = (said("b", LEFT), said("c", RIGHT))
    both = scored((said("a", WHOLE),), reference, a=(0, 1))
    one = scored((said("a", WHOLE),), reference, a=(0,))
    assert both.measures.spatial_precision == both.measures.grounding_precision == 1.0
    assert one.measures.spatial_precision == 0.0


def test_exactly_one_half_is_not_enough() -> None:
    assert covered_share([WHOLE], [LEFT]) == 0.5
    score = scored((said("a", WHOLE),), (said("b", LEFT),), a=(0,), b=(0,))
    # The other way round LEFT lies wholly in WHOLE.
    assert same(six(score), [1.0, 1.0, 0.0, 1.0, 0.0, 1.0])


def test_one_pixel_column_over_one_half_is_enough() -> None:
    # 113 of 224 columns.
    wider = box(0.0, 0.0, 113 / 224, 1.0)
    assert covered_share([WHOLE], [wider]) == pytest.approx(113 / 224)
    score = scored((said("a", WHOLE),), (said("b", wider),), a=(0,))
    assert score.measures.spatial_precision == 1.0


def test_a_partial_overlap_counts_pixels_of_the_asked_boxes() -> None:
    # 0.25 to 0.75 is columns 56..167; LEFT ends at 112: 56 of 112 columns.
    assert covered_share([box(0.25, 0.0, 0.75, 1.0)], [LEFT]) == 0.5
    # 0.2 to 0.6: int(44.8) = 44 to int(134.4) = 134; 68 of 90 columns are left.
    assert covered_share([box(0.2, 0.0, 0.6, 1.0)], [LEFT]) == pytest.approx(68 / 90)


def test_overlapping_boxes_of_one_sentence_are_counted_once() -> None:
    # The union of LEFT and WHOLE is WHOLE: half of it, not two thirds, is in RIGHT.
    assert covered_share([LEFT, WHOLE], [RIGHT]) == 0.5


def test_a_box_that_truncation_reduces_to_nothing_is_not_supported() -> None:
    # int(0.1 * 224) = 22 and int(0.101 * 224) = int(22.6) = 22: no column is left.
    thin = box(0.1, 0.0, 0.101, 1.0)
    assert not raster([thin]).any()
    assert isnan(covered_share([thin], [WHOLE]))
    score = scored((said("a", thin),), (said("b", WHOLE),), a=(0,))
    assert score.measures.spatial_precision == 0.0


def test_evidence_without_boxes_supports_no_box() -> None:
    score = scored((said("a", LEFT),), (said("b"),), a=(0,))
    assert score.measures.logical_precision == 1.0
    assert score.measures.spatial_precision == 0.0


def test_only_boxes_of_the_named_evidence_count() -> None:
    reference = (said("b", RIGHT), said("c", LEFT))
    score = scored((said("a", LEFT),), reference, a=(0,))
    assert score.measures.spatial_precision == 0.0


def test_grounding_counts_among_entailed_boxed_sentences_spatial_among_boxed() -> None:
    # Boxed: a, b, c. Entailed and boxed: a, b. Supported: a. Without box: d.
    candidate = (said("a", LEFT), said("b", RIGHT), said("c", LEFT), said("d"))
    score = scored(candidate, (said("r", LEFT),), a=(0,), b=(0,), d=(0,))
    assert score.measures.logical_precision == 3 / 4
    assert score.measures.spatial_precision == 1 / 3
    assert score.measures.grounding_precision == 1 / 2
    assert [each.spatial for each in score.candidate] == [
        Spatial.ENTAILED,
        Spatial.NOT_ENTAILED,
        Spatial.NOT_ENTAILED,
        Spatial.NO_BOXES,
    ]


def test_a_failed_call_counts_as_not_entailed_and_is_counted() -> None:
    score = scored((said("a"), said("b")), (said("c"),), a=(0,), b=None, c=(0,))
    assert score.failed_calls == 1
    assert score.measures.logical_precision == 1 / 2
    assert score.candidate[1].verdict.failure == "it said nothing"


def test_a_mean_is_over_the_studies_that_have_the_measure() -> None:
    means = mean_measures(
        [
            Measures(logical_precision=1.0, num_candidate_phrases=2),
            Measures(logical_precision=0.5, spatial_recall=0.25),
            Measures(),
        ]
    )
    assert means.logical_precision == 0.75
    assert means.spatial_recall == 0.25
    assert isnan(means.spatial_precision)


def test_f1_of_two_zeros_is_zero_and_of_a_missing_value_missing() -> None:
    assert f1(0.5, 1.0) == pytest.approx(2 / 3)
    assert f1(0.0, 0.0) == 0.0
    assert isnan(f1(nan, 1.0))


def test_an_entailment_without_evidence_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="evidence"):
        Verdict(entailed=True)


def test_a_rectangle_outside_of_its_frame_cannot_be_built() -> None:
    for corners in ((0.5, 0.0, 0.4, 1.0), (0.0, 0.0, 1.1, 1.0), (nan, 0.0, 1.0, 1.0)):
        with pytest.raises(ValueError, match="rectangle"):
            box(*corners)


shares = st.floats(0.0, 1.0)


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    x_min, x_max = sorted((draw(shares), draw(shares)))
    y_min, y_max = sorted((draw(shares), draw(shares)))
    return box(x_min, y_min, x_max, y_max)


sentences = st.builds(
    lambda text, boxes: said(text, *boxes),
    st.sampled_from("abcdef"),
    st.lists(rectangles(), max_size=3),
)
reports = st.lists(sentences, max_size=6).map(tuple)


@settings(max_examples=60, deadline=None)
@given(reports, reports)
def test_every_measure_is_a_share_or_missing(one: Report, other: Report) -> None:
    score = score_study("1", one, other, ExactJudge())
    assert all(isnan(value) or 0.0 <= value <= 1.0 for value in six(score))


@settings(max_examples=60, deadline=None)
@given(reports, reports)
def test_swapping_the_reports_swaps_precision_and_recall(
    one: Report, other: Report
) -> None:
    there = score_study("1", one, other, ExactJudge())
    back = score_study("1", other, one, ExactJudge())
    swapped = [six(back)[place] for place in (1, 0, 3, 2, 5, 4)]
    assert same(six(there), swapped)


@settings(max_examples=60, deadline=None)
@given(reports)
def test_spatial_never_exceeds_grounding(report: Report) -> None:
    score = score_study("1", report, report[::2], ExactJudge())
    for side in ("precision", "recall"):
        spatial = getattr(score.measures, f"spatial_{side}")
        grounding = getattr(score.measures, f"grounding_{side}")
        assert isnan(grounding) or spatial <= grounding


@settings(max_examples=60, deadline=None)
@given(reports)
def test_a_report_against_itself_is_perfect(report: Report) -> None:
    # Boxes that truncation reduces to nothing are left out: they support nothing.
    visible = tuple(
        said(each.text, *(b for b in each.boxes if raster([b]).any()))
        for each in report
    )
    score = score_study("1", visible, visible, ExactJudge())
    assert all(isnan(value) or value == 1.0 for value in six(score))
    assert isnan(score.measures.logical_precision) == (not visible)


def test_measure_counts_sentences_and_those_with_boxes() -> None:
    judged = JudgedSentence(
        sentence=said("a"), verdict=NOT_ENTAILED, spatial=Spatial.NO_BOXES
    )
    found = measure([judged, judged], [])
    assert (found.num_candidate_phrases, found.num_reference_phrases) == (2, 0)
    assert found.num_candidate_phrases_with_boxes == 0
