"""What the embedded archive holds, and which of it an identifier means.

Exact values, lists of UIDs and empty keys are matched; no wildcards, no ranges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pydicom.multival import MultiValue

_LEVEL_UID = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}

_COMPUTED = frozenset({"ModalitiesInStudy", "NumberOfStudyRelatedInstances"})
_NOT_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet"}) | _COMPUTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An instance in the archive."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str


class Holdings:
    """Files in a folder, their headers in memory; the first of a UID is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, tuple[Path, Dataset]] = {}
        self._lock = Lock()

    def put(self, content: bytes) -> str:
        """Keep a Part 10 file; returns its SOP Instance UID."""
        header = dcmread(BytesIO(content), stop_before_pixels=True)
        sop_instance_uid = str(header.SOPInstanceUID)
        with self._lock:
            if sop_instance_uid not in self._held:
                path = self._folder / f"{len(self._held):06d}.dcm"
                path.write_bytes(content)
                self._held[sop_instance_uid] = path, header
        return sop_instance_uid

    def headers(self) -> list[Dataset]:
        """List the headers, in the order of arrival."""
        with self._lock:
            return [header for _, header in self._held.values()]

    def instances(self) -> list[Held]:
        """List what is held, in the order of arrival."""
        with self._lock:
            held = list(self._held.values())
        return [_held(path, header) for path, header in held]

    def meant(self, identifier: Dataset) -> list[Held]:
        """List the instances that a retrieval names."""
        headers = matching(self.headers(), identifier)
        uids = {str(each.SOPInstanceUID) for each in headers}
        return [each for each in self.instances() if each.sop_instance_uid in uids]


def _held(path: Path, header: Dataset) -> Held:
    return Held(
        path=path,
        sop_class_uid=str(header.SOPClassUID),
        sop_instance_uid=str(header.SOPInstanceUID),
        study_instance_uid=str(header.StudyInstanceUID),
    )


def matching(headers: Iterable[Dataset], identifier: Dataset) -> list[Dataset]:
    """Return the headers that every key of `identifier` fits."""
    keys = [each for each in identifier if each.keyword not in _NOT_KEYS]
    return [each for each in headers if all(_fits(each, key) for key in keys)]


def answers(headers: Sequence[Dataset], identifier: Dataset) -> list[Dataset]:
    """Return one answer for each entity at the level of `identifier`.

    Raises ValueError for a level that Study Root does not have.
    """
    level = str(identifier.get("QueryRetrieveLevel", ""))
    if level not in _LEVEL_UID:
        raise ValueError(f"no level {level!r}")
    entities: dict[str, list[Dataset]] = {}
    for header in matching(headers, identifier):
        entities.setdefault(str(header.get(_LEVEL_UID[level])), []).append(header)
    return [_answer(each, headers, identifier) for each in entities.values()]


def _fits(header: Dataset, key: DataElement) -> bool:
    wanted = _texts(key.value)
    return not wanted or bool(wanted & _texts(header.get(key.keyword)))


def _texts(value: object) -> set[str]:
    values = value if isinstance(value, MultiValue | list) else [value]
    return {str(each) for each in values if each not in (None, "")}


def _answer(
    entity: Sequence[Dataset], headers: Sequence[Dataset], identifier: Dataset
) -> Dataset:
    """Return the attributes that were asked for, of the entity's first instance."""
    first = entity[0]
    answer = Dataset()
    for key in identifier:
        if key.keyword in first:
            answer[key.tag] = first[key.tag]
        elif key.keyword not in _COMPUTED:
            answer.add_new(key.tag, key.VR, None)
    answer.QueryRetrieveLevel = identifier.QueryRetrieveLevel
    answer[_uid_tag(identifier)] = first[_uid_tag(identifier)]
    if "SpecificCharacterSet" in first:
        answer.SpecificCharacterSet = first.SpecificCharacterSet
    _compute(answer, [each for each in headers if _same_study(each, first)], identifier)
    return answer


def _uid_tag(identifier: Dataset) -> str:
    return _LEVEL_UID[str(identifier.QueryRetrieveLevel)]


def _same_study(one: Dataset, other: Dataset) -> bool:
    return bool(one.get("StudyInstanceUID") == other.get("StudyInstanceUID"))


def _compute(answer: Dataset, study: Sequence[Dataset], identifier: Dataset) -> None:
    if "NumberOfStudyRelatedInstances" in identifier:
        answer.NumberOfStudyRelatedInstances = len(study)
    if "ModalitiesInStudy" in identifier:
        modalities = {str(each.get("Modality", "")) for each in study}
        answer.ModalitiesInStudy = sorted(modalities - {""})
