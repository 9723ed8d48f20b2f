"""STOW-RS as user (PS3.18 10.5): an outcome per instance, as `send` gives it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import requests
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import dcmread

from dicom_io.ae import RemoteAE
from dicom_io.errors import PeerFailure, PeerRefused, UnreadableHeader
from dicom_io.scu.send import StoreOutcome
from dicom_io.scu.web_session import Exchange, exchange, status_failure
from dicom_io.status import Status, StoreVerdict, outcome_of

_FAILED = "00081198"
_REFERENCED = "00081199"
_INSTANCE = "00081155"
_WARNING_REASON = "00081196"
_FAILURE_REASON = "00081197"

_STORED_ALL, _STORED_SOME, _STORED_NONE = 200, 202, 409
"""What is answered with the instances named one by one (PS3.18 table 10.5.3-1)."""


def store_instances(
    remote: RemoteAE, paths: Sequence[Path]
) -> tuple[StoreOutcome, ...]:
    """Send Part 10 files to `remote` in one request; an outcome per path, in order.

    A peer that cannot be reached gives transient outcomes, one that refuses the
    request permanent ones. Only an own file that is no DICOM raises:
    UnreadableHeader.
    """
    data_sets = [_opened(path) for path in paths]
    uids = [str(each.file_meta.MediaStorageSOPInstanceUID) for each in data_sets]
    if not uids:
        return ()
    try:
        with exchange(remote) as call:
            response = _posted(call, data_sets)
            code, answer = response.status_code, _answer(response)
    except PeerFailure as error:
        return tuple(_whole(each, error) for each in uids)
    if code not in {_STORED_ALL, _STORED_SOME, _STORED_NONE}:
        refusal = status_failure(code, remote)
        return tuple(_whole(each, refusal) for each in uids)
    return tuple(_outcome(each, code, answer) for each in uids)


def _opened(path: Path) -> Dataset:
    try:
        return dcmread(path)
    except (InvalidDicomError, AttributeError) as error:
        raise UnreadableHeader(f"{path.name} is not a Part 10 file") from error


def _posted(call: Exchange, data_sets: Sequence[Dataset]) -> requests.Response:
    """Send, and return the answer itself: the library reads a part of it only.

    It raises at a 409, whose body names the failures, and at a body that is not
    what it expects, although the instances may be stored.
    """
    try:
        call.client().store_instances(data_sets)
    except requests.HTTPError as error:
        if error.response is not None:
            return error.response
        raise
    except (ValueError, LookupError, TypeError, AttributeError):
        if call.response is None:
            raise
    if call.response is None:
        raise requests.ConnectionError
    return call.response


def _answer(response: requests.Response) -> Mapping[str, object]:
    """Return the DICOM JSON object that was answered; empty where there is none."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    return answer if isinstance(answer, dict) else {}


def _whole(sop_instance_uid: str, error: PeerFailure) -> StoreOutcome:
    refused = isinstance(error, PeerRefused)
    return StoreOutcome(
        sop_instance_uid=sop_instance_uid,
        verdict=StoreVerdict.PERMANENT if refused else StoreVerdict.TRANSIENT,
        status=None,
        detail=str(error),
    )


def _outcome(
    sop_instance_uid: str, code: int, answer: Mapping[str, object]
) -> StoreOutcome:
    """Find what the answer says of one instance; a failure counts first."""
    failed = _item(answer, _FAILED, sop_instance_uid)
    stored = _item(answer, _REFERENCED, sop_instance_uid)
    if failed is not None:
        reason = _number(failed, _FAILURE_REASON)
        status = Status.PROCESSING_FAILURE if reason is None else reason
    elif stored is not None:
        status = _number(stored, _WARNING_REASON) or Status.SUCCESS
    else:
        return _unnamed(sop_instance_uid, code, answer)
    return StoreOutcome(
        sop_instance_uid=sop_instance_uid,
        verdict=outcome_of(status),
        status=int(status),
        detail=f"{int(status):#06x} by STOW-RS",
        class_refused=status == Status.CLASS_NOT_SUPPORTED,
    )


def _unnamed(
    sop_instance_uid: str, code: int, answer: Mapping[str, object]
) -> StoreOutcome:
    """Judge by the HTTP status alone; one that lists others has lost this one."""
    lists = _FAILED in answer or _REFERENCED in answer
    if code == _STORED_ALL and not lists:
        verdict = StoreVerdict.STORED
    elif code == _STORED_NONE and not lists:
        verdict = StoreVerdict.PERMANENT
    else:
        verdict = StoreVerdict.TRANSIENT
    return StoreOutcome(
        sop_instance_uid=sop_instance_uid,
        verdict=verdict,
        status=None,
        detail=f"HTTP {code} without a word on this instance",
    )


def _item(
    answer: Mapping[str, object], sequence: str, sop_instance_uid: str
) -> Mapping[str, object] | None:
    for item in _values(answer, sequence):
        if isinstance(item, dict) and sop_instance_uid in _values(item, _INSTANCE):
            return item
    return None


def _number(item: Mapping[str, object], tag: str) -> int | None:
    values = _values(item, tag)
    first = values[0] if values else None
    return first if isinstance(first, int) and 0 <= first <= 0xFFFF else None


def _values(answer: Mapping[str, object], tag: str) -> list[object]:
    attribute = answer.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return list(values) if isinstance(values, list) else []
