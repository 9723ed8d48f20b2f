"""Generated cases of every kind before the validators; `python -m
tests.conformance` takes ten times as many, and every shared film.
"""

from pathlib import Path

import pytest

from dicom_io.results.encode import encode_results
from dicom_io.results.kinds import ResultKind
from tests.conformance.generated import GREYS, encoded, frame_of, generated
from tests.conformance.validators import DOCUMENTS, by_pixelmed, complaints, greys
from tests.data.reports import context, evidence, film, film_file, report

pytestmark = pytest.mark.peers

NUMBERS = [0, 1, 4, 11, 20, 40, 183, *range(100, 113)]
"""Twenty cases; the number of boxes is the remainder of 41."""


@pytest.mark.parametrize("number", NUMBERS)
def test_no_validator_complains_of_a_generated_case(
    number: int, tmp_path: Path
) -> None:
    _, made = encoded(generated(number), tmp_path)

    found = []
    for each in made:
        path = tmp_path / f"{each.kind}.dcm"
        path.write_bytes(each.data)
        found += complaints(each.kind, path)
    assert found == []


@pytest.mark.slow
def test_pixelmed_finds_no_error_in_five_documents(tmp_path: Path) -> None:
    paths = []
    for number in (1, 43, 85):
        for each in encoded(generated(number), tmp_path)[1]:
            if each.kind in DOCUMENTS:
                path = tmp_path / f"{number}-{each.kind}.dcm"
                path.write_bytes(each.data)
                paths.append(path)

    assert by_pixelmed(paths[:5]) == []
    assert len(paths) >= 5


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("name", GREYS)
def test_greys_are_the_same_with_and_without_the_state(
    name: str, photometric: str, tmp_path: Path
) -> None:
    source = film(rows=30, columns=200, PhotometricInterpretation=photometric)
    GREYS[name](source)
    image = film_file(tmp_path, source)
    seen = evidence(rows=30, columns=200)
    assert frame_of(source) == seen.frame
    state = tmp_path / "state.dcm"
    made = encode_results(image, report(), seen, context())
    (data,) = (each.data for each in made if each.kind is ResultKind.GSPS)
    state.write_bytes(data)

    plain = greys(image)

    assert plain == greys(image, state)
    # a picture of one grey would be equal to anything of one grey
    assert isinstance(plain, bytes)
    assert len(set(plain[-6000:])) > 50
