import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.grounding import (
    ALL_TAGS,
    coordinate_bin,
    coordinate_value,
    parse_findings,
    read_answer,
    write_findings,
)
from model.report import FlagKind, GroundedPhrase, NormalizedBox, Task

# (12 + 0.5) / 100 and so on: the middle of each bin.
BOX = NormalizedBox(x_min=0.125, y_min=0.345, x_max=0.565, y_max=0.785)
BOX_TEXT = "<box><x12><y34><x56><y78></box>"

BINS = st.integers(min_value=0, max_value=99)
SENTENCES = st.text(
    st.characters(exclude_characters="<>", exclude_categories=["Cs"]), min_size=1
).map(str.strip)
BOXES = st.builds(
    lambda a, b, c, d: NormalizedBox(
        x_min=coordinate_value(a),
        y_min=coordinate_value(b),
        x_max=coordinate_value(c),
        y_max=coordinate_value(d),
    ),
    BINS,
    BINS,
    BINS,
    BINS,
)
PHRASES = st.builds(
    GroundedPhrase, text=SENTENCES, boxes=st.lists(BOXES, max_size=3).map(tuple)
)
FRAGMENTS = st.one_of(st.sampled_from([*ALL_TAGS, "</s>", " ", "\n"]), st.text())


def kinds(text: str, *, cut_off: bool = False) -> list[FlagKind]:
    return [flag.kind for flag in parse_findings(text, cut_off=cut_off).flags]


@given(st.lists(PHRASES, min_size=1, max_size=5).map(tuple))
def test_what_is_written_is_read_back(phrases: tuple[GroundedPhrase, ...]) -> None:
    assert parse_findings(write_findings(phrases)).phrases == phrases


@given(st.lists(FRAGMENTS).map("".join), st.sampled_from(Task))
def test_any_text_is_read(text: str, task: Task) -> None:
    for cut_off in (False, True):
        reading = read_answer(task, text, cut_off=cut_off)
        assert reading.phrases or reading.flags


@given(BINS)
def test_each_bin_holds_its_own_middle(place: int) -> None:
    assert coordinate_bin(coordinate_value(place)) == place


@pytest.mark.parametrize(("value", "place"), [(0.0, 0), (0.5, 50), (1.0, 99)])
def test_a_share_falls_into_its_hundredth(value: float, place: int) -> None:
    assert coordinate_bin(value) == place


def test_a_sentence_with_boxes_is_stripped_and_one_without_only_on_the_left() -> None:
    reading = parse_findings(f"<obj> a {BOX_TEXT}</obj><obj> b </obj>")
    assert reading.phrases == (
        GroundedPhrase(text="a", boxes=(BOX,)),
        GroundedPhrase(text="b "),
    )
    assert reading.flags == ()


def test_text_without_tags_is_one_phrase_without_a_flag() -> None:
    reading = parse_findings("  Clear lungs.\nNormal heart. ")
    assert reading.phrases == (GroundedPhrase(text="Clear lungs.\nNormal heart."),)
    assert reading.flags == ()


@pytest.mark.parametrize("text", ["", " \n "])
def test_an_empty_text_is_flagged(text: str) -> None:
    assert parse_findings(text).phrases == ()
    assert kinds(text) == [FlagKind.EMPTY]


def test_an_inverted_box_is_kept_as_generated_and_flagged() -> None:
    reading = parse_findings("<obj>a<box><x56><y78><x12><y34></box></obj>")
    assert reading.phrases[0].boxes[0].ordered() == BOX
    assert [flag.kind for flag in reading.flags] == [FlagKind.INVERTED_BOX]


def test_a_box_without_area_is_flagged() -> None:
    text = "<obj>a<box><x12><y34><x12><y78></box></obj>"
    assert kinds(text) == [FlagKind.BOX_WITHOUT_AREA]


@pytest.mark.parametrize("digits", ["100", "9" * 5000])
def test_a_coordinate_out_of_range_drops_the_box_alone(digits: str) -> None:
    reading = parse_findings(
        f"<obj>a<box><x{digits}><y2><x3><y4></box>{BOX_TEXT}</obj>"
    )
    assert reading.phrases == (GroundedPhrase(text="a", boxes=(BOX,)),)
    assert [flag.kind for flag in reading.flags] == [FlagKind.COORDINATE_OUT_OF_RANGE]


@pytest.mark.parametrize(
    "content", ["<x1><y2><x3>", "<y1><x2><y3><x4>", "", "<x1> <y2><x3><y4>"]
)
def test_a_box_without_four_coordinates_leaves_the_sentence(content: str) -> None:
    reading = parse_findings(f"<obj>a<box>{content}</box></obj>")
    assert reading.phrases == (GroundedPhrase(text="a"),)
    found = [flag.kind for flag in reading.flags]
    assert found == [FlagKind.BOX_WITHOUT_FOUR_COORDINATES]


def test_a_cut_off_box_keeps_its_sentence() -> None:
    reading = parse_findings("<obj>a</obj><obj>b<box><x1><y2>", cut_off=True)
    assert [phrase.text for phrase in reading.phrases] == ["a", "b"]
    assert FlagKind.CUT_OFF in [flag.kind for flag in reading.flags]


def test_an_unfinished_finding_without_a_limit_is_a_stray_tag() -> None:
    assert parse_findings("<obj>a").phrases == (GroundedPhrase(text="a"),)
    assert kinds("<obj>a") == [FlagKind.STRAY_TAG]


def test_a_box_without_its_end_is_recovered() -> None:
    reading = parse_findings("<obj>a<box><x12><y34><x56><y78></obj>")
    assert reading.phrases == (GroundedPhrase(text="a", boxes=(BOX,)),)
    assert [flag.kind for flag in reading.flags] == [FlagKind.STRAY_TAG]


@pytest.mark.parametrize(
    "text", ["before <obj>a</obj>", "<obj>before</obj>a", "before<obj>a"]
)
def test_text_outside_the_tags_is_kept_as_a_sentence(text: str) -> None:
    texts = {phrase.text for phrase in parse_findings(text).phrases}
    assert texts == {"before", "a"}
    assert kinds(text)


def test_a_blank_between_findings_is_flagged_and_adds_no_sentence() -> None:
    text = "<obj>a</obj> <obj>b</obj>"
    assert [phrase.text for phrase in parse_findings(text).phrases] == ["a", "b"]
    assert kinds(text) == [FlagKind.STRAY_TEXT]


def test_an_end_of_text_token_is_no_sentence() -> None:
    assert parse_findings("<obj>a</obj></s>").phrases == (GroundedPhrase(text="a"),)
    assert kinds("<obj>a</obj></s>") == [FlagKind.STRAY_TAG]


def test_a_nested_finding_becomes_two() -> None:
    text = "<obj>outer <obj>inner</obj></obj>"
    texts = [phrase.text for phrase in parse_findings(text).phrases]
    assert texts == ["outer", "inner"]
    assert kinds(text) == [FlagKind.STRAY_TAG, FlagKind.STRAY_TAG]


def test_a_box_outside_every_finding_keeps_its_place() -> None:
    reading = parse_findings(f"effusion {BOX_TEXT}")
    assert reading.phrases == (GroundedPhrase(text="effusion", boxes=(BOX,)),)
    assert FlagKind.STRAY_TAG in [flag.kind for flag in reading.flags]


def test_more_than_four_coordinates_are_flagged() -> None:
    text = "<obj>a<box><x12><y34><x56><y78><x9><y9></box></obj>"
    assert parse_findings(text).phrases[0].boxes == (BOX,)
    assert kinds(text) == [FlagKind.STRAY_TAG]


def test_plain_findings_lose_their_boxes_with_a_flag() -> None:
    reading = read_answer(Task.FINDINGS, f"<obj>a{BOX_TEXT}</obj><obj>b</obj>")
    assert reading.phrases == (GroundedPhrase(text="a b"),)
    assert [flag.kind for flag in reading.flags] == [FlagKind.STRAY_TAG]


def test_a_grounded_answer_without_tags_is_flagged() -> None:
    reading = read_answer(Task.GROUNDED_FINDINGS, "Clear lungs.")
    assert reading.phrases == (GroundedPhrase(text="Clear lungs."),)
    assert [flag.kind for flag in reading.flags] == [FlagKind.STRAY_TEXT]


def test_a_sentence_with_a_tag_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="tag"):
        write_findings([GroundedPhrase(text="a <obj> b")])
