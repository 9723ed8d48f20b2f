"""A finding as a sentence, and a sentence read back as a finding."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.phantom.anatomy import Side
from model.phantom.findings import SIDED, SIZED, ZONED, Change, Kind, Lesion, Size, Zone

PHRASES = {
    Kind.NODULE: "There is a {size} nodule in the {side} {zone} zone",
    Kind.CONSOLIDATION: "There is a {size} consolidation in the {side} {zone} zone",
    Kind.ATELECTASIS: "There is band atelectasis in the {side} {zone} zone",
    Kind.EFFUSION: "There is a {size} {side} pleural effusion",
    Kind.PNEUMOTHORAX: "There is a {size} {side} pneumothorax",
    Kind.CARDIOMEGALY: "The heart is enlarged",
    Kind.RETROCARDIAC_NODULE: (
        "There is a nodule behind the heart, seen on the lateral view only"
    ),
    Kind.PACEMAKER: "There is a {side} chest wall pacemaker",
}

RESOLVED = {
    Kind.NODULE: "The nodule in the {side} {zone} zone has resolved",
    Kind.CONSOLIDATION: "The consolidation in the {side} {zone} zone has resolved",
    Kind.EFFUSION: "The {side} pleural effusion has resolved",
    Kind.PNEUMOTHORAX: "The {side} pneumothorax has resolved",
}

CLEAR_LUNGS = "The lungs are clear."
NO_EFFUSION = "No pleural effusion."
NO_PNEUMOTHORAX = "No pneumothorax."
NORMAL_HEART = "The heart is normal in size."
NEGATIVES = (CLEAR_LUNGS, NO_EFFUSION, NO_PNEUMOTHORAX, NORMAL_HEART)

INDICATIONS = (
    "Cough and fever.",
    "Shortness of breath.",
    "Chest pain.",
    "Follow-up.",
    "Evaluate for pneumonia.",
    "Evaluate for pneumothorax.",
    "Known pleural effusion, follow-up.",
    "Preoperative examination.",
    "Fall, chest trauma.",
    "Weight loss, smoker.",
    "Quality control phantom.",
)
COMPARISONS = ("Prior frontal radiograph.", "Prior chest radiograph.", "Yesterday.")
NO_COMPARISON = ("None.", "No prior study.", None)

LUNG_KINDS = frozenset(
    {Kind.NODULE, Kind.CONSOLIDATION, Kind.ATELECTASIS, Kind.RETROCARDIAC_NODULE}
)
"""With one of these the lungs are not clear."""
_WORDS_OF_KIND = (
    ("lateral view", Kind.RETROCARDIAC_NODULE),
    ("atelectasis", Kind.ATELECTASIS),
    ("nodule", Kind.NODULE),
    ("consolidation", Kind.CONSOLIDATION),
    ("effusion", Kind.EFFUSION),
    ("pneumothorax", Kind.PNEUMOTHORAX),
    ("heart is enlarged", Kind.CARDIOMEGALY),
    ("pacemaker", Kind.PACEMAKER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a sentence about a finding says; None where it does not say it."""

    kind: Kind
    side: Side | None
    zone: Zone | None
    size: Size | None
    change: Change | None


def sentence(lesion: Lesion, change: Change | None) -> str:
    """Return the report's sentence. `change` is None without a prior image."""
    template = (RESOLVED if change is Change.RESOLVED else PHRASES)[lesion.kind]
    words = template.format(
        size=lesion.size,
        zone=lesion.zone,
        side="right" if lesion.side is Side.RIGHT else "left",
    )
    if change is None or change is Change.RESOLVED:
        return f"{words}."
    return f"{words}, which is {change}."


def without_change(text: str) -> str:
    """Return a sentence without its words of comparison."""
    return re.sub(r", which is \w+\.$", ".", text)


def negatives(present: Sequence[Lesion]) -> tuple[str, ...]:
    """Return the sentences on what is normal, given what is present now."""
    kinds = {lesion.kind for lesion in present}
    return tuple(
        text
        for text, hidden in (
            (CLEAR_LUNGS, bool(kinds & LUNG_KINDS)),
            (NO_EFFUSION, Kind.EFFUSION in kinds),
            (NO_PNEUMOTHORAX, Kind.PNEUMOTHORAX in kinds),
            (NORMAL_HEART, Kind.CARDIOMEGALY in kinds),
        )
        if not hidden
    )


def read(text: str) -> Statement | None:
    """Return what a sentence says of a finding; None for a normal statement."""
    lowered = text.lower()
    words = frozenset(re.findall(r"[a-z]+", lowered))
    if "no" in words or "normal" in words or "clear" in words:
        return None
    kind = next((kind for word, kind in _WORDS_OF_KIND if word in lowered), None)
    if kind is None:
        return None
    return Statement(
        kind=kind,
        side=next((s for s in Side if s.name.lower() in words), None)
        if kind in SIDED
        else None,
        zone=next((z for z in Zone if z in words), None) if kind in ZONED else None,
        size=next((s for s in Size if s in words), None) if kind in SIZED else None,
        change=next((c for c in Change if c in words), None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The report's sections that a referrer and a technologist fill in."""

    indication: str | None
    technique: str | None
    comparison: str | None


def draw_sections(
    rng: np.random.Generator, *, with_lateral: bool, with_prior: bool
) -> Sections:
    """Draw the texts that come with a study; each may be missing."""
    views = "PA and lateral views." if with_lateral else "PA view."
    if with_prior:
        comparison: str | None = COMPARISONS[int(rng.integers(len(COMPARISONS)))]
    else:
        comparison = NO_COMPARISON[int(rng.integers(len(NO_COMPARISON)))]
    indication = INDICATIONS[int(rng.integers(len(INDICATIONS)))]
    return Sections(
        indication=indication if rng.random() < 0.9 else None,
        technique=views if rng.random() < 0.8 else None,
        comparison=comparison,
    )
