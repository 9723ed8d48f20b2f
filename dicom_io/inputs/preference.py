"""Which of several images of one view is read; pure, with reasons."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time

from dicom_io.header import Instance
from dicom_io.inputs.projection import View, ViewVerdict

_PROCESSED = re.compile(
    r"suppress|subtract|soft ?tissue|dual ?energy"
    r"|\b(cad|invert\w*|enhanced?|edge|tube|companion|processed)\b"
)
_PORTABLE = re.compile(r"portable|bedside|mobile|im bett|\bicu\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image that may be read, with what is known of its view."""

    instance: Instance
    verdict: ViewVerdict

    def line(self) -> str:
        """Say which image it is and what shows its view."""
        return f"{self.instance.sop_instance_uid}: {self.verdict.reason}"


_MERITS = (
    "that one is for presentation",
    "this one is processed",
    "this one is derived",
    "the pixels show the view of that one",
    "that one is PA",
    "this one is portable",
    "that one is a later exposure: this one was repeated",
    "that one is a later exposure: this one was repeated",
    "that one is larger",
    "equal in all else",
)
"""In the order of `_rank`: what it means to be behind in it."""


def best(candidates: Iterable[Candidate]) -> Candidate | None:
    """Return the image that comes first, None of none."""
    return max(candidates, key=_rank, default=None)


def why_behind(candidate: Candidate, chosen: Candidate) -> str:
    """Say in what an image comes behind the chosen one of its view."""
    pairs = zip(_rank(candidate), _rank(chosen), strict=True)
    named = zip(_MERITS, pairs, strict=True)
    return next((merit for merit, (own, other) in named if own != other), _MERITS[-1])


def _rank(candidate: Candidate) -> tuple[object, ...]:
    """Order: for presentation, unprocessed, seen, PA, not portable, latest, largest."""
    instance = candidate.instance
    described = f"{instance.series_description} {instance.protocol_name}".casefold()
    return (
        instance.presentation_intent == "FOR PRESENTATION",
        _PROCESSED.search(described) is None,
        instance.image_type[:1] != ("DERIVED",),
        candidate.verdict.is_seen,
        candidate.verdict.view is View.PA,
        _PORTABLE.search(f"{described} {instance.body_part}".casefold()) is None,
        instance.acquired_date or date.min,
        instance.acquired_time or time.min,
        (instance.rows or 0) * (instance.columns or 0),
        instance.sop_instance_uid,
    )
