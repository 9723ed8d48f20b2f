import pytest

from dicom_io.inputs.film import FilmReading, Shown
from dicom_io.inputs.projection import View, ViewVerdict
from dicom_io.inputs.weighing import find_oddity, weigh
from dicom_io.options import Disagreement

DECLINE, FLAG, TRUST = (
    Disagreement.DECLINE,
    Disagreement.FLAG,
    Disagreement.TRUST_HEADER,
)
FRONTAL, LATERAL = Shown.FRONTAL, Shown.LATERAL


def header(view: View) -> ViewVerdict:
    start = "contradicted: " if view is View.CONTRADICTED else f"{view} by "
    return ViewVerdict(view=view, reason=f"{start}ViewPosition")


def reading(shown: Shown, **odd: object) -> FilmReading:
    return FilmReading(shown=shown, likelihood=0.9, **odd)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "shown", "policy", "view", "is_disputed"),
    [
        (View.PA, FRONTAL, DECLINE, View.PA, False),
        (View.LATERAL, LATERAL, DECLINE, View.LATERAL, False),
        (View.PA, LATERAL, DECLINE, View.CONTRADICTED, False),
        (View.PA, LATERAL, FLAG, View.LATERAL, True),
        (View.PA, LATERAL, TRUST, View.PA, True),
        (View.LATERAL, FRONTAL, DECLINE, View.CONTRADICTED, False),
        (View.LATERAL, FRONTAL, FLAG, View.FRONTAL, True),
        (View.LATERAL, FRONTAL, TRUST, View.LATERAL, True),
        (View.UNKNOWN, FRONTAL, DECLINE, View.FRONTAL, False),
        (View.UNKNOWN, LATERAL, TRUST, View.LATERAL, False),
        (View.CONTRADICTED, FRONTAL, DECLINE, View.CONTRADICTED, False),
        (View.CONTRADICTED, FRONTAL, FLAG, View.FRONTAL, True),
        (View.OTHER, FRONTAL, FLAG, View.OTHER, False),
        (View.PA, Shown.UNSURE, FLAG, View.PA, False),
        (View.PA, Shown.NO_CHEST, TRUST, View.PA, True),
    ],
)
def test_header_and_pixels_give_one_verdict(
    said: View, shown: Shown, policy: Disagreement, view: View, is_disputed: bool
) -> None:
    verdict = weigh(header(said), reading(shown), policy)
    assert (verdict.view, verdict.is_disputed) == (view, is_disputed)


def test_a_verdict_names_both_witnesses() -> None:
    agreed = weigh(header(View.PA), reading(FRONTAL), DECLINE)
    assert agreed.reason == "PA by ViewPosition; agrees with the pixels"
    differ = weigh(header(View.PA), reading(LATERAL), DECLINE)
    assert differ.reason == (
        "contradicted: PA by ViewPosition; but lateral by the pixels (0.90)"
    )


def test_what_was_not_looked_at_keeps_the_headers_verdict() -> None:
    assert weigh(header(View.PA), None, DECLINE) == header(View.PA)


@pytest.mark.parametrize(
    ("odd", "word"),
    [
        ({"quarter_turns": 1}, "turned by 90"),
        ({"quarter_turns": 2}, "turned by 180"),
        ({"is_mirrored": True}, "mirrored"),
        ({"is_inverted": True}, "inverted"),
    ],
)
def test_a_film_that_lies_otherwise_is_told_and_disputed(
    odd: dict[str, object], word: str
) -> None:
    film = reading(FRONTAL, **odd)
    assert word in (find_oddity(film) or "")
    verdict = weigh(header(View.PA), film, FLAG)
    assert verdict.is_disputed
    assert word in verdict.reason


def test_pixels_that_are_unsure_do_not_say_how_the_film_lies() -> None:
    assert find_oddity(reading(Shown.UNSURE, quarter_turns=1)) is None
    assert find_oddity(reading(FRONTAL)) is None
