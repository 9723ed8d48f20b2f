"""What header and pixels say of one image, weighed; pure, with reasons."""

from dataclasses import replace

from dicom_io.inputs.film import FilmReading, Shown
from dicom_io.inputs.projection import View, ViewVerdict, side_of
from dicom_io.options import Disagreement

_VIEWS = {Shown.FRONTAL: View.FRONTAL, Shown.LATERAL: View.LATERAL}


def shows_chest(reading: FilmReading | None) -> bool:
    """Tell whether the pixels clearly show a chest, in either view."""
    return reading is not None and reading.shown in _VIEWS


def denies_chest(reading: FilmReading | None) -> bool:
    """Tell whether the pixels clearly show something else."""
    return reading is not None and reading.shown is Shown.NO_CHEST


def find_oddity(reading: FilmReading | None) -> str | None:
    """Return how a chest lies otherwise than a film should, or None.

    Pixels that do not say what they show do not say how it lies either.
    """
    if reading is None or not shows_chest(reading):
        return None
    if reading.quarter_turns % 4:
        return f"the picture lies turned by {90 * (reading.quarter_turns % 4)} degrees"
    if reading.is_mirrored:
        return "the picture is mirrored: the heart lies on the patient's right"
    return "the picture is inverted: bones are dark" if reading.is_inverted else None


def weigh(
    header: ViewVerdict, reading: FilmReading | None, policy: Disagreement
) -> ViewVerdict:
    """Return one verdict on the view of an image.

    A clear reading decides where the header is silent; where both speak and differ,
    the policy does, and so where the header contradicts itself: the pixels then
    differ from a part of it. Pixels that are unsure change nothing, and neither do
    clear ones where the header names a view that is not read: an oblique film may
    look frontal.
    """
    if denies_chest(reading):
        return _doubt(header, "the pixels show no chest")
    if reading is None or not shows_chest(reading) or header.view is View.OTHER:
        return header
    verdict = _weigh_view(header, reading, policy)
    oddity = find_oddity(reading)
    return verdict if oddity is None else _doubt(verdict, oddity)


def _weigh_view(
    header: ViewVerdict, reading: FilmReading, policy: Disagreement
) -> ViewVerdict:
    seen = _VIEWS[reading.shown]
    likely = f"{seen} by the pixels ({reading.likelihood:.2f})"
    if header.view is View.UNKNOWN:
        return ViewVerdict(view=seen, reason=f"{likely}; {header.reason}", is_seen=True)
    if side_of(header.view) is seen:
        agreed = f"{header.reason}; agrees with the pixels"
        return replace(header, reason=agreed, is_seen=True)
    said = f"{header.reason}; but {likely}"
    if policy is Disagreement.DECLINE:
        return ViewVerdict(view=View.CONTRADICTED, reason=_contradicted(said))
    if policy is Disagreement.FLAG:
        said = f"{likely}; but {header.reason}"
        return ViewVerdict(view=seen, reason=said, is_disputed=True, is_seen=True)
    return ViewVerdict(view=header.view, reason=said, is_disputed=True)


def _contradicted(said: str) -> str:
    return said if said.startswith("contradicted: ") else f"contradicted: {said}"


def _doubt(verdict: ViewVerdict, why: str) -> ViewVerdict:
    return replace(verdict, reason=f"{verdict.reason}; {why}", is_disputed=True)
