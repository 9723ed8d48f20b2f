"""Films that ought not to be stored as they are, and what senders make of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite

from tests.data.network import radiograph

_UNSENT = "not sent"
_CT = uid.CTImageStorage
_DX = uid.DigitalXRayImageStorageForPresentation


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What is changed in the data set of a radiograph, and the answers of ours.

    `changes` : None leaves the attribute out. `answers` : status by sender. `meta` :
    the SOP class of the file meta; its instance UID is always the right one.
    """

    changes: Mapping[str, str | None]
    answers: Mapping[str, str]
    meta: str = uid.ComputedRadiographyImageStorage


def _answers(
    storescu: str, dcmsend: str, gdcmscu: str, pynetdicom: str
) -> dict[str, str]:
    return {
        "storescu": storescu,
        "dcmsend": dcmsend,
        "gdcmscu": gdcmscu,
        "pynetdicom": pynetdicom,
    }


# DCMTK and GDCM announce what the data set says, pynetdicom what the file meta does.
# 0117: the UID breaks the grammar; 0122: another class than was negotiated; A900: the
# data set is another instance than announced; C000: it lacks what it must have.
DAMAGES = {
    "no instance UID": Damage(
        changes={"SOPInstanceUID": None},
        answers=_answers(_UNSENT, _UNSENT, _UNSENT, "C000"),
    ),
    "an empty instance UID": Damage(
        changes={"SOPInstanceUID": ""},
        answers=_answers(_UNSENT, _UNSENT, "0117", "C000"),
    ),
    "an instance UID against the grammar": Damage(
        changes={"SOPInstanceUID": "1..2"},
        answers=_answers("0117", "0117", "0117", "C000"),
    ),
    "another instance UID than the meta": Damage(
        changes={"SOPInstanceUID": "1.2.3.9"},
        answers=_answers("0000", "0000", "0000", "A900"),
    ),
    "no class UID": Damage(
        changes={"SOPClassUID": None},
        answers=_answers(_UNSENT, _UNSENT, _UNSENT, "C000"),
    ),
    # dcmsend proposes the class of the meta, and sends that of the data set in it.
    "another class than the meta": Damage(
        changes={"SOPClassUID": _DX},
        answers=_answers(_UNSENT, "0122", "0000", "A900"),
    ),
    "no study UID": Damage(
        changes={"StudyInstanceUID": None},
        answers=_answers("C000", "C000", "C000", "C000"),
    ),
    # gdcmscu sends in a context that was refused.
    "a class that is not taken": Damage(
        changes={"SOPClassUID": _CT},
        meta=_CT,
        answers=_answers(_UNSENT, _UNSENT, "aborted", _UNSENT),
    ),
}


def write_damaged(folder: Path) -> dict[str, Path]:
    """Write a file a damage; storescp stores whatever of them is sent."""
    return {
        name: _written(folder / f"{number}.dcm", radiograph(number), damage)
        for number, (name, damage) in enumerate(DAMAGES.items(), 1)
    }


def _written(path: Path, ds: Dataset, damage: Damage) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.UID(damage.meta)
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    for keyword, value in damage.changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta, ds.preamble = meta, bytes(128)
    dcmwrite(path, ds, enforce_file_format=False)
    return path
