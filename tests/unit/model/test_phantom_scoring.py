import pytest

from model.phantom.scoring import overlap, score, summarise
from model.report import GroundedPhrase, NormalizedBox

LEFT = "There is a small left pneumothorax."
RIGHT = "There is a small right pneumothorax."
NODULE = "There is a large nodule in the right upper zone, which is new."


def _box(x_min: float, y_min: float, x_max: float, y_max: float) -> NormalizedBox:
    return NormalizedBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)


def _said(text: str, *boxes: NormalizedBox) -> GroundedPhrase:
    return GroundedPhrase(text=text, boxes=boxes)


def test_overlap_is_intersection_over_union() -> None:
    # Halves of a unit square that share a quarter: 0.25 / (0.5 + 0.5 - 0.25).
    one, other = _box(0.0, 0.0, 0.5, 1.0), _box(0.25, 0.0, 0.75, 1.0)
    assert overlap(one, other) == pytest.approx(0.25 / 0.75)


def test_boxes_that_do_not_meet_overlap_by_nothing() -> None:
    assert overlap(_box(0.0, 0.0, 0.2, 0.2), _box(0.2, 0.0, 0.4, 0.2)) == 0.0


def test_an_inverted_box_is_read_as_its_rectangle() -> None:
    box = _box(0.1, 0.1, 0.4, 0.4)
    assert overlap(box, _box(0.4, 0.4, 0.1, 0.1)) == pytest.approx(1.0)


def test_a_report_equal_to_its_truth_is_perfect() -> None:
    truth = [_said(LEFT, _box(0.6, 0.1, 0.8, 0.4)), _said("No pleural effusion.")]
    summary = summarise([score(truth, truth)])
    assert summary.finding_f1 == 1.0
    assert summary.mean_iou == pytest.approx(1.0)
    assert summary.side_accuracy == 1.0
    assert summary.change_accuracy is None


def test_a_missed_and_an_invented_finding_both_count() -> None:
    box = _box(0.6, 0.1, 0.8, 0.4)
    scored = score([_said(LEFT, box), _said(NODULE, box)], [_said(LEFT, box)])
    invented = score([_said("No pneumothorax.")], [_said(LEFT, box)])
    summary = summarise([scored, invented])
    # One of two planted found; one of two answered planted.
    assert (summary.recall, summary.precision) == (0.5, 0.5)
    assert summary.finding_f1 == 0.5


def test_the_wrong_side_is_a_match_with_the_side_wrong() -> None:
    box = _box(0.6, 0.1, 0.8, 0.4)
    summary = summarise([score([_said(LEFT, box)], [_said(RIGHT, box)])])
    assert summary.finding_f1 == 1.0
    assert summary.side_accuracy == 0.0


def test_two_of_a_kind_are_paired_by_overlap() -> None:
    left, right = _box(0.6, 0.1, 0.8, 0.4), _box(0.2, 0.1, 0.4, 0.4)
    truth = [_said(RIGHT, right), _said(LEFT, left)]
    summary = summarise([score(truth, truth[::-1])])
    assert summary.side_accuracy == 1.0
    assert summary.mean_iou == pytest.approx(1.0)


def test_the_word_of_change_is_judged_where_there_was_a_prior() -> None:
    box = _box(0.2, 0.1, 0.3, 0.2)
    answer = NODULE.replace("new", "unchanged")
    assert score([_said(NODULE, box)], [_said(answer, box)]).changes == (False,)
    assert score([_said(NODULE, box)], [_said(NODULE, box)]).changes == (True,)


def test_a_resolved_finding_must_be_said_to_have_resolved() -> None:
    gone = [_said("The left pneumothorax has resolved.")]
    assert score(gone, gone).changes == (True,)
    assert score(gone, [_said("No pneumothorax.")]).changes == (False,)


def test_without_reports_there_are_no_figures() -> None:
    assert summarise([]).finding_f1 is None
