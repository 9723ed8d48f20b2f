"""The kinds of result objects, and which a destination gets: its output profile.

What each viewer does with each object is in docs/viewers.md.
"""

from collections.abc import Mapping
from enum import StrEnum


class ResultKind(StrEnum):
    """The objects that carry a report."""

    FINDINGS_SR = "findings-sr"
    """Comprehensive 3D SR, TID 1500: sentences with their boxes."""
    NARRATIVE_SR = "narrative-sr"
    """Enhanced SR, TID 2000: the sentences to read."""
    GSPS = "gsps"
    """Grayscale Softcopy Presentation State: the boxes to look at."""
    FINDINGS_SR_2D = "findings-sr-2d"
    """Comprehensive SR: the tree of the findings SR, for a node that takes no
    Comprehensive 3D SR."""
    CAPTURE = "capture"
    """Colour Secondary Capture: the boxes drawn into a picture."""
    KEY_OBJECTS = "key-objects"
    """Key Object Selection, "Of Interest": points at the frontal image."""
    WITHDRAWAL_SR = "withdrawal-sr"
    """Enhanced SR, TID 2000: says that the results before it are withdrawn."""
    REJECTION_NOTE = "rejection-note"
    """Key Object Selection that rejects our own withdrawn results (PS3.3 C.17.6)."""


class OutputProfile(StrEnum):
    """The named choices; a site may also write down a list of kinds."""

    OHIF = "ohif"
    """Without a presentation state: OHIF 3.13.2 marks it as unsupported."""
    WEASIS = "weasis"
    """With the presentation state, which Weasis draws at once; the boxes of an SR
    it draws on a click."""
    GENERIC_PACS = "generic-pacs"
    """Every standard object: the narrative is what ordinary viewers show, the
    presentation state is the overlay where there is no reader of SR regions."""
    CAPTURE_ONLY = "capture-only"
    """One picture with the boxes and sentences in it, for viewers that show images
    and nothing else."""


PROFILES: Mapping[OutputProfile, frozenset[ResultKind]] = {
    OutputProfile.OHIF: frozenset({ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR}),
    OutputProfile.WEASIS: frozenset(
        {ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR, ResultKind.GSPS}
    ),
    OutputProfile.GENERIC_PACS: frozenset(
        {ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR, ResultKind.GSPS}
    ),
    OutputProfile.CAPTURE_ONLY: frozenset({ResultKind.CAPTURE}),
}

SELECTABLE = frozenset(
    {
        ResultKind.FINDINGS_SR,
        ResultKind.FINDINGS_SR_2D,
        ResultKind.NARRATIVE_SR,
        ResultKind.GSPS,
        ResultKind.CAPTURE,
        ResultKind.KEY_OBJECTS,
        ResultKind.REJECTION_NOTE,
    }
)
"""What a list may name. A withdrawal goes to everybody who got a result."""
