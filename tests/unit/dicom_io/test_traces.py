import pytest

from dicom_io.traces import frames_of


def _fail(name: str) -> None:
    try:
        int(name)
    except ValueError as error:
        raise KeyError(name) from error


def test_the_way_of_an_error_and_its_cause_is_told_without_their_words() -> None:
    with pytest.raises(KeyError) as raised:
        _fail("Doe^" + "Jane")
    told = frames_of(raised.value)
    assert told.startswith("KeyError\n")
    assert "from ValueError\n" in told
    assert told.count("in _fail") == 2
    assert "Doe^Jane" not in told


def test_an_error_without_end_of_causes_is_told_in_part() -> None:
    error = ValueError()
    error.__cause__ = error
    assert frames_of(error).count("ValueError") == 5
