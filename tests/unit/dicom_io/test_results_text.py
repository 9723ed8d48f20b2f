"""Model text becomes a valid value and stays the same text where it can."""

from hypothesis import given
from hypothesis import strategies as st

from dicom_io.results.text import clean, long_string, shorten, wrap


def test_markup_backslashes_and_line_ends_stay_as_they_are() -> None:
    text = "<b>Mass</b> & \\ 50%\r\nnext line"

    assert clean(text) == text


def test_control_characters_go_and_a_tab_becomes_a_space() -> None:
    assert clean("a\x00b\x1b[31m\tc\x7f\x85d") == "ab[31m cd"


def test_letters_of_any_script_and_direction_marks_stay() -> None:
    text = "Ελληνικά русский العربية ไทย 日本 e\u0301 \u202eabc"

    assert clean(text) == text


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert clean("a\ud800b") == "a\ufffdb"


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_a_long_line_is_shortened_to_the_limit() -> None:
    assert shorten("one two three", 10) == "one two..."


def test_a_line_that_fits_is_kept() -> None:
    assert shorten(" one\n two ", 10) == "one two"


def test_a_long_string_is_one_value_of_64_characters() -> None:
    value = long_string("a\\b" * 60)

    assert len(value) <= 64
    assert "\\" not in value


@given(st.text(), st.integers(8, 80))
def test_lines_are_short_and_lose_nothing_but_spaces(text: str, width: int) -> None:
    line = shorten(text, 1024)

    lines = wrap(line, width)

    assert all(0 < len(each) <= width for each in lines)
    assert "".join(lines).replace(" ", "") == line.replace(" ", "")


def test_lines_break_at_spaces() -> None:
    assert wrap("one two three four", 9) == ("one two", "three", "four")


def test_a_word_longer_than_a_line_is_broken() -> None:
    assert wrap("a bbbbbbbb c", 3) == ("a", "bbb", "bbb", "bb", "c")


def test_an_accent_stays_with_its_letter() -> None:
    accented = "e\u0301" * 6

    assert wrap(accented, 5) == ("e\u0301e\u0301",) * 3
    assert shorten(accented, 8) == "e\u0301e\u0301..."


def test_accents_without_end_are_broken_all_the_same() -> None:
    assert wrap("\u0301" * 6, 4) == ("\u0301" * 4, "\u0301" * 2)
