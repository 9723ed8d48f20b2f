"""QIDO-RS as user (PS3.18 10.6): the questions of `query`, over DICOMweb.

The keys are those of the C-FIND identifiers, so what may be asked is decided in
one place. The answers are no more to be trusted.
"""

import json
from collections.abc import Sequence
from functools import partial

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_io.ae import RemoteAE
from dicom_io.errors import PeerFailure
from dicom_io.identifiers import CohortQuery, StudyAnswers, StudyQuery
from dicom_io.scu.answers import (
    cohort_identifier,
    count_identifier,
    count_of,
    in_cohort,
    retrieve_identifier,
    study_answer,
    study_identifier,
    text_of,
)
from dicom_io.scu.web_pages import Found, Json, search_pages
from dicom_io.scu.web_session import exchange
from dicom_io.uid import is_uid

_INSTANCES_CAP = 10_000
_NO_STUDY = "1.2.840.10008.1.1"
"""The UID of the Verification class: no archive has a study of it."""

_LEFT_OUT = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet"})
"""In no DICOMweb request: the path says the level, and JSON is UTF-8."""


def echo(remote: RemoteAE) -> None:
    """Verify that `remote` answers a query; raises a PeerFailure kind if not."""
    _studies(remote, count_identifier(_NO_STUDY), 1)


def find_studies(remote: RemoteAE, query: StudyQuery, limit: int = 500) -> StudyAnswers:
    """List what `remote` says of one patient's studies, at most `limit`.

    Raises ValueError before anything is sent where the query is not about one
    patient, and the PeerFailure kinds.
    """
    identifier = study_identifier(query)
    found = _studies(remote, identifier, limit)
    objects = found.objects
    answers = (study_answer(data_set_of(each, _keys(identifier))) for each in objects)
    full = f"{remote.name} names as many as are read, {limit}: there may be more"
    cut = f"{remote.name} announces more than it names, {len(objects)}"
    remarks = (full,) if len(objects) >= limit else (cut,) if found.is_cut else ()
    return StudyAnswers(
        studies=tuple(each for each in answers if each is not None), remarks=remarks
    )


def find_cohort(
    remote: RemoteAE, query: CohortQuery, limit: int = 5000
) -> tuple[str, ...]:
    """Return the studies of one day, each once; raises PeerFailure for part of them."""
    identifier = cohort_identifier(query)
    found = _studies(remote, identifier, limit)
    if found.is_cut or len(found.objects) >= limit:
        raise PeerFailure(
            f"{remote.name} names {len(found.objects)}: there may be more"
        )
    answers = (data_set_of(each, _keys(identifier)) for each in found.objects)
    return tuple(dict.fromkeys(u for a in answers if (u := in_cohort(query, a))))


def count_instances(remote: RemoteAE, study_instance_uid: str) -> int | None:
    """Return how many instances of a study `remote` holds.

    0 where it knows no such study; None where it does not say.
    """
    identifier = count_identifier(study_instance_uid)
    found = _studies(remote, identifier, 2).objects
    if not found:
        return 0
    answers = [data_set_of(each, _keys(identifier)) for each in found]
    named = (study_instance_uid, None)
    matching = [a for a in answers if text_of(a, "StudyInstanceUID") in named]
    return count_of(matching[0]) if matching else None


def find_instances(
    remote: RemoteAE,
    study_instance_uid: str,
    series_instance_uid: str | None = None,
) -> frozenset[str]:
    """Return the SOP Instance UIDs of a study, or of one of its series."""
    study = retrieve_identifier(study_instance_uid).StudyInstanceUID
    if series_instance_uid is not None and not is_uid(series_instance_uid):
        raise ValueError(f"{series_instance_uid[:64]!r} is not a UID")
    with exchange(remote) as call:
        search = partial(
            call.client().search_for_instances, str(study), series_instance_uid
        )
        found = search_pages(call, search, _INSTANCES_CAP).objects
    answers = (data_set_of(each, ("SOPInstanceUID",)) for each in found)
    texts = (text_of(each, "SOPInstanceUID") for each in answers)
    return frozenset(text for text in texts if text is not None and is_uid(text))


def _studies(remote: RemoteAE, identifier: Dataset, limit: int) -> Found:
    """Ask for studies; what the identifier leaves empty is asked to be returned."""
    keys = _keys(identifier)
    filters = {key: str(identifier[key].value) for key in keys if identifier[key].value}
    with exchange(remote) as call:
        search = partial(
            call.client().search_for_studies,
            fields=[key for key in keys if key not in filters],
            search_filters=filters,
        )
        return search_pages(call, search, limit)


def _keys(identifier: Dataset) -> tuple[str, ...]:
    keywords = (element.keyword for element in identifier)
    return tuple(each for each in keywords if each not in _LEFT_OUT)


def data_set_of(answer: Json, keywords: Sequence[str]) -> Dataset:
    """Read some attributes of a DICOM JSON object (PS3.18 F.2).

    A value that cannot be read counts as left out. The VR is the dictionary's,
    whatever the answer says.
    """
    ds = Dataset()
    for keyword in keywords:
        tag, texts = Tag(keyword), _texts(answer, keyword)
        if f"{int(tag):08X}" not in answer:
            continue
        vr = dictionary_VR(tag)
        try:
            # Invalid values are for the reader of answers to judge.
            element = DataElement(tag, vr, texts, validation_mode=config.IGNORE)
        except (ValueError, TypeError):
            continue
        ds.add(element)
    return ds


def _texts(answer: Json, keyword: str) -> list[str]:
    """Return the values of an attribute as text; a name in its first form."""
    attribute = answer.get(f"{int(Tag(keyword)):08X}")
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    if not isinstance(values, list):
        return []
    return [text for each in values if (text := _text(each))]


def _text(value: object) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return None
        case int() | float():
            return json.dumps(value)
        case {"Alphabetic": str(name)} | {"Ideographic": str(name)}:
            return name
        case _:
            return None
