"""The sentences about a report that its objects show to a reader; pure."""

from collections.abc import Sequence

from dicom_io.coordinates import ImageFrame, cropped_share
from dicom_io.evidence import Evidence
from dicom_io.product import RESEARCH_NOTICE
from dicom_io.results.placement import PlacedFinding
from dicom_io.results.text import clean
from model.report import UNFINISHED, Flag, FlagKind, GroundedReport

NOTHING_SAID = "The model wrote no findings."

_FLAGS = {
    FlagKind.CUT_OFF: "The text was cut off at the token limit; the end is missing.",
    FlagKind.EMPTY: "The model wrote nothing.",
    FlagKind.STRAY_TEXT: "Text outside the finding marks was kept as a sentence.",
    FlagKind.STRAY_TAG: "A mark without its partner was removed from the text.",
    FlagKind.BOX_WITHOUT_FOUR_COORDINATES: "A box without four coordinates was left "
    "out.",
    FlagKind.COORDINATE_OUT_OF_RANGE: "A box outside what the model saw was left out.",
    FlagKind.INVERTED_BOX: "A box was written with its corners in the wrong order.",
    FlagKind.BOX_WITHOUT_AREA: "A box had no area.",
    FlagKind.NEUTRALISED_INPUT: "A control mark of the model was removed from an "
    "input text.",
    FlagKind.DEADLINE: "The text was stopped at its deadline; the end is missing.",
    FlagKind.REPETITION: "The model repeated itself and was stopped; the end is "
    "missing.",
    FlagKind.REPEATED_SENTENCE: "A sentence stands twice.",
    FlagKind.OVER_LONG: "The text is longer than reports are.",
    FlagKind.VIEW_DISPUTED: "The view of an image is disputed: what names "
    "it does not agree.",
    FlagKind.CHANGE_WITHOUT_PRIOR: "The text speaks of change, but the model was "
    "given no prior image.",
    FlagKind.SIDE_MISMATCH: "A sentence names one side of the patient and its box "
    "lies on the other.",
    FlagKind.BOX_OVER_WHOLE_IMAGE: "A box covers nearly all that the model saw: it "
    "shows no place.",
    FlagKind.PLACEHOLDER: "A mark that stands for removed words in the training texts "
    "was written as if it were a finding.",
    FlagKind.COPIED_PRIOR: "Sentences of the prior report stand here word for word.",
    FlagKind.DEVICE_CHANGED: "Memory ran out: another device than usual computed "
    "this text.",
}
"""What a reader is told of each flag; one for every kind (tested)."""


def notice(report: GroundedReport) -> str:
    """Return the research mark with the model's name."""
    return (
        f"{RESEARCH_NOTICE}. Written by the model {report.provenance.model_name}; "
        "preliminary, not verified by a person."
    )


def caveats(
    report: GroundedReport, findings: Sequence[PlacedFinding]
) -> tuple[str, ...]:
    """Return what a reader should know of this text: flags, and boxes not drawn."""
    dropped = tuple(
        f"Finding {finding.number}: {finding.dropped} of its boxes had no area in the "
        "image and could not be drawn."
        for finding in findings
        if finding.dropped
    )
    return tuple(_flag(flag) for flag in report.flags) + dropped


def unseen_margin(frame: ImageFrame) -> str | None:
    """Say which margins the model did not see, None where it saw the whole image.

    The shorter edge is scaled to the model's square and the centre is kept, so a
    strip on both ends of the longer edge is cut away. Sides are those of the image
    as displayed upright, not the patient's.
    """
    margins = margins_in_words(frame)
    if margins is None:
        return None
    return (
        "The model reads the central square of the image as displayed upright: "
        f"{margins} were not seen. Findings there cannot be reported."
    )


def margins_in_words(frame: ImageFrame) -> str | None:
    """Name share and side of each unseen margin; None where there is none."""
    cropped = cropped_share(frame)
    if not cropped.sides:
        return None
    each = _percent(cropped.share / len(cropped.sides))
    first, last = (f"{each} at the {side}" for side in cropped.sides)
    return f"{first} and {last}"


def what_ended(report: GroundedReport) -> str | None:
    """Say why the text is not whole; None where the model ended it itself."""
    stops = [_FLAGS[flag.kind] for flag in report.flags if flag.kind in UNFINISHED]
    return " ".join(dict.fromkeys(stops)) or None


def inputs_read(evidence: Evidence) -> str:
    """Name the inputs that were given to the model, and those that were not."""
    filled = [slot.name.value for slot in evidence.slots if slot.filled]
    empty = [slot.name.value for slot in evidence.slots if not slot.filled]
    read = ", ".join(filled) or "current_frontal"
    return f"Read: {read}." + (f" Not available: {', '.join(empty)}." if empty else "")


def asked_phrase(report: GroundedReport) -> str | None:
    """Return the phrase that was asked for, None for the other tasks."""
    return f"Asked to locate: {clean(report.phrase)}" if report.phrase else None


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %") if share >= 0.0005 else "less than 0.1 %"


def _flag(flag: Flag) -> str:
    detail = clean(flag.detail).strip()
    return f"{_FLAGS[flag.kind]} ({detail})" if detail else _FLAGS[flag.kind]
