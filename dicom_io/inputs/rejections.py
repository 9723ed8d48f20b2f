"""Rejection notes: which images of a study somebody took back (IHE RAD, IOCM).

A note is a Key Object Selection (PS3.3 A.35.4) whose title is one of CID 7011 that
says so. It counts whoever sent it: an image that is wrongly left out costs a report,
one that is wrongly read makes a false one.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dicom_io.contexts import KEY_OBJECT_CLASSES
from dicom_io.documents import read_documents
from dicom_io.elements import Attributes
from dicom_io.values import codes, items, text

_TITLES = {
    ("113001", "DCM"): "rejected for quality reasons",
    ("113037", "DCM"): "rejected for patient safety reasons",
    ("113038", "DCM"): "rejected for an incorrect worklist entry",
}
"""Titles that take an image back. Data Retention Policy Expired (113039) does not:
the image was right."""


def rejected_instances(paths: Sequence[Path]) -> Mapping[str, str]:
    """Return the SOP Instance UIDs that the notes among `paths` name, with why.

    Other documents and files that cannot be read are passed over.
    """
    found: dict[str, str] = {}
    for _, ds in read_documents(paths, KEY_OBJECT_CLASSES):
        title = codes(ds, "ConceptNameCodeSequence")
        reason = next((_TITLES[code] for code in title if code in _TITLES), None)
        if reason is not None:
            found |= dict.fromkeys(_named(ds), reason)
    return found


def _named(holder: Attributes) -> Iterator[str]:
    """Yield the instances that the content items name (TID 2010)."""
    for item in items(holder, "ContentSequence"):
        for referenced in items(item, "ReferencedSOPSequence"):
            uid = text(referenced, "ReferencedSOPInstanceUID")
            if uid is not None:
                yield uid
