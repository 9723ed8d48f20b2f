import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.status import Status, StoreVerdict, outcome_of


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        # PS3.4 table B.2-1 and PS3.7 Annex C.
        (0x0000, StoreVerdict.STORED),
        (0xB000, StoreVerdict.WARNING),
        (0xB006, StoreVerdict.WARNING),
        (0xB007, StoreVerdict.WARNING),
        (0x0107, StoreVerdict.WARNING),
        (0x0111, StoreVerdict.WARNING),
        (0xA700, StoreVerdict.TRANSIENT),
        (0xA702, StoreVerdict.TRANSIENT),
        (0x0110, StoreVerdict.TRANSIENT),
        (0x0213, StoreVerdict.TRANSIENT),
        (0xA900, StoreVerdict.PERMANENT),
        (0xC000, StoreVerdict.PERMANENT),
        (0xC111, StoreVerdict.PERMANENT),
        (0x0122, StoreVerdict.PERMANENT),
        (0x0124, StoreVerdict.PERMANENT),
        (0x1234, StoreVerdict.PERMANENT),
    ],
)
def test_an_answered_status_is_classified(code: int, verdict: StoreVerdict) -> None:
    assert outcome_of(code) is verdict


@given(st.integers(0, 0xFFFF))
def test_only_success_and_warnings_count_as_stored(code: int) -> None:
    is_warning = code >> 12 == 0xB or code in (0x0001, 0x0107, 0x0111, 0x0116)
    assert outcome_of(code).is_stored == (code == 0 or is_warning)


def test_each_status_says_what_it_means_and_where_that_stands() -> None:
    assert all(each.meaning and each.section.startswith("PS3.") for each in Status)


def test_the_codes_are_those_of_the_standard() -> None:
    assert Status(0xA700) is Status.OUT_OF_RESOURCES
    assert int(Status.NOT_AUTHORISED) == 0x0124
