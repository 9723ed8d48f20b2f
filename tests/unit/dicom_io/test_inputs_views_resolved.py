"""The view resolver on phantom studies under headers as hospitals write them."""

from collections import Counter
from pathlib import Path

import pytest

from dicom_io.header import read_instance
from dicom_io.inputs.looking import HEADERS_ALONE, look
from dicom_io.inputs.refusal import Declined
from dicom_io.inputs.view import Views, select_views
from dicom_io.options import Disagreement, PictureOptions, ViewRules
from tests.data.films import real_films
from tests.data.headers import Outcome, judge, look_at, write_study

STUDIES = 60
"""`make views` resolves 2,000."""
SEED = 90_000


def test_of_sixty_studies_none_is_read_wrongly_and_most_are_read(
    tmp_path: Path,
) -> None:
    by_header, by_both = Counter[Outcome](), Counter[Outcome]()
    for seed in range(SEED, SEED + STUDIES):
        images = write_study(tmp_path, seed)
        by_header[judge(images, HEADERS_ALONE)[0]] += 1
        outcome, said = judge(images, look_at(images))
        assert outcome is not Outcome.WRONG, said
        by_both[outcome] += 1
    assert by_header[Outcome.WRONG] > 0
    assert by_both[Outcome.CORRECT] > by_header[Outcome.CORRECT]


@pytest.mark.parametrize("policy", list(Disagreement))
def test_the_pixels_of_no_real_film_contradict_its_true_header(
    policy: Disagreement,
) -> None:
    for path in real_films("dicom"):
        film = read_instance(path)
        seen = look((), [film], PictureOptions())
        chosen = select_views([film], seen, ViewRules(disagreement=policy))
        if path.name == "sim_lidc_lat.dcm":
            assert isinstance(chosen, Declined)
        else:
            assert isinstance(chosen, Views), (path.name, chosen)
            assert not any("by the pixels (" in flag for flag in chosen.flags)
