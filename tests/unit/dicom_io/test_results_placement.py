"""Which sentence gets which boxes, and their identities."""

from dataclasses import replace

from dicom_io.coordinates import ImageFrame, PixelBox
from dicom_io.results.placement import PlacedFinding, corners, place_findings
from model.report import GroundedPhrase, NormalizedBox, Task
from tests.data.reports import EFFUSIONS, NO_PNEUMOTHORAX, OPACITY, context, report

SQUARE = ImageFrame(rows=1000, columns=1000)


def place(*phrases: GroundedPhrase) -> tuple[PlacedFinding, ...]:
    return place_findings(report(phrases), SQUARE, context())


def test_sentences_are_numbered_in_the_order_of_the_model() -> None:
    placed = place(NO_PNEUMOTHORAX, OPACITY)

    assert [(finding.number, finding.sentence) for finding in placed] == [
        (1, NO_PNEUMOTHORAX.text),
        (2, OPACITY.text),
    ]


def test_a_box_of_a_square_image_is_its_share_of_the_pixels() -> None:
    (finding,) = place(OPACITY)

    # 0.2, 0.5, 0.3, 0.65 of 1000 pixels, to the single precision of VR FL
    box = finding.boxes[0].box
    assert round(box.left, 3) == 200
    assert round(box.top, 3) == 500
    assert round(box.right, 3) == 300
    assert round(box.bottom, 3) == 650


def test_each_box_has_its_own_tracking_uid_and_identifier() -> None:
    (finding,) = place(EFFUSIONS)

    first, second = finding.boxes
    assert first.tracking_uid != second.tracking_uid
    assert first.identifier == "Finding 1 box 1/2"
    assert second.identifier == "Finding 1 box 2/2"


def test_a_single_box_needs_no_count() -> None:
    assert place(OPACITY)[0].boxes[0].identifier == "Finding 1"


def test_a_box_without_area_is_not_drawn_but_counted() -> None:
    line = NormalizedBox(x_min=0.2, y_min=0.5, x_max=0.2, y_max=0.6)

    (finding,) = place(GroundedPhrase(text="A line.", boxes=(line,)))

    assert finding.boxes == ()
    assert finding.dropped == 1


def test_an_inverted_box_is_put_in_order() -> None:
    inverted = NormalizedBox(x_min=0.3, y_min=0.65, x_max=0.2, y_max=0.5)

    (finding,) = place(GroundedPhrase(text="Opacity.", boxes=(inverted,)))

    assert finding.boxes[0].box == place(OPACITY)[0].boxes[0].box


def test_a_sentence_without_text_and_box_is_left_out() -> None:
    assert place(GroundedPhrase(text=" \x00 ")) == ()


def test_a_box_without_text_is_kept_and_says_so() -> None:
    (finding,) = place(GroundedPhrase(text="", boxes=OPACITY.boxes))

    assert finding.sentence == "(no text)"


def test_another_revision_has_other_tracking_uids() -> None:
    first = place_findings(report((OPACITY,)), SQUARE, context(revision=1))
    second = place_findings(report((OPACITY,)), SQUARE, context(revision=2))

    assert first[0].boxes[0].tracking_uid != second[0].boxes[0].tracking_uid


def test_another_asked_phrase_has_other_tracking_uids() -> None:
    asked = report((OPACITY,), task=Task.PHRASE_GROUNDING, phrase="opacity")
    other = replace(asked, phrase="density")

    uids = {
        place_findings(said, SQUARE, context())[0].boxes[0].tracking_uid
        for said in (asked, other)
    }
    assert len(uids) == 2


def test_the_outline_is_closed_and_clockwise_from_the_upper_left() -> None:
    box = PixelBox(left=1.0, top=2.0, right=3.0, bottom=5.0)

    assert corners(box) == ((1, 2), (3, 2), (3, 5), (1, 5), (1, 2))
