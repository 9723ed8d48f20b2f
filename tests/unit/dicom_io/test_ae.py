import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.ae import AETitle


def test_padding_of_a_title_is_not_significant() -> None:
    assert AETitle("  MAIRA_GW ") == "MAIRA_GW"


@pytest.mark.parametrize(
    "text", ["", "   ", "SEVENTEEN_LETTERS", "A\\B", "A\nB", "A\x00", "Ä", "\x7f"]
)
def test_what_is_no_title_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="AE title"):
        AETitle(text)


@given(st.text())
def test_any_text_is_a_title_or_refused(text: str) -> None:
    try:
        title = AETitle(text)
    except ValueError:
        return
    assert 1 <= len(title) <= 16
    assert title == title.strip(" ")
    assert title.isascii()
