"""C-STORE as user: files as they lie on disk, an outcome per instance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import dcmread, read_file_meta_info
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.errors import PeerRefused, PeerUnreachable, UnreadableHeader
from dicom_io.scu.association import Proposal, associated
from dicom_io.status import StoreVerdict, outcome_of

_UNCOMPRESSED = frozenset({uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOutcome:
    """What became of one instance; `status` is None where nothing was answered.

    `class_refused`: the peer accepted no presentation context of its SOP class.
    """

    sop_instance_uid: str
    verdict: StoreVerdict
    status: int | None
    detail: str
    class_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def store_instances(
    local: LocalAE, remote: RemoteAE, paths: Sequence[Path]
) -> tuple[StoreOutcome, ...]:
    """Send Part 10 files to `remote` over one association.

    Returns an outcome per path, in order; a peer that cannot be reached gives
    transient outcomes, one that rejects us for good permanent ones. Only an own
    file that is no DICOM raises: UnreadableHeader.
    """
    files = [_opened(path) for path in paths]
    if not files:
        return ()
    outcomes: list[StoreOutcome] = []
    try:
        with associated(local, remote, Proposal(contexts=_contexts(files))) as assoc:
            outcomes.extend(_stored(assoc, file) for file in files)
    except PeerUnreachable as error:
        return _failed(files, StoreVerdict.TRANSIENT, error)
    except PeerRefused as error:
        return _failed(files, StoreVerdict.PERMANENT, error)
    return tuple(outcomes)


def _opened(path: Path) -> _File:
    try:
        meta = read_file_meta_info(path)
        return _File(
            path=path,
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
            transfer_syntax_uid=str(meta.TransferSyntaxUID),
        )
    except (InvalidDicomError, AttributeError) as error:
        raise UnreadableHeader(f"{path.name} is not a Part 10 file") from error


def _contexts(files: Sequence[_File]) -> list[PresentationContext]:
    """Propose what the files are; and implicit VR, which every peer must take."""
    pairs = {(each.sop_class_uid, each.transfer_syntax_uid) for each in files}
    pairs |= {
        (class_uid, str(uid.ImplicitVRLittleEndian))
        for class_uid, syntax in pairs
        if syntax in _UNCOMPRESSED
    }
    return [build_context(class_uid, syntax) for class_uid, syntax in sorted(pairs)]


def _stored(assoc: Association, file: _File) -> StoreOutcome:
    payload = _payload(assoc, file)
    if payload is None:
        refused = _outcome(file, StoreVerdict.PERMANENT, None, _not_taken(file))
        return replace(refused, class_refused=True)
    try:
        answer = assoc.send_c_store(payload)
    except RuntimeError:  # the association is gone
        return _outcome(file, StoreVerdict.TRANSIENT, None, "association lost")
    if "Status" not in answer:
        return _outcome(file, StoreVerdict.TRANSIENT, None, "no answer")
    code = int(answer.Status)
    comment = answer.get("ErrorComment", "")
    detail = f"{code:#06x} {comment!r:.80}" if comment else f"{code:#06x}"
    return _outcome(file, outcome_of(code), code, detail)


def _payload(assoc: Association, file: _File) -> Path | Dataset | None:
    """Return the file where its own syntax was accepted.

    Otherwise the data set, for a peer that takes implicit VR only; None: the peer
    takes the instance in no way.
    """
    accepted = {
        str(each.transfer_syntax[0])
        for each in assoc.accepted_contexts
        if each.abstract_syntax == file.sop_class_uid
    }
    if file.transfer_syntax_uid in accepted:
        return file.path
    convertible = file.transfer_syntax_uid in _UNCOMPRESSED and accepted & _UNCOMPRESSED
    return dcmread(file.path) if convertible else None


def _not_taken(file: _File) -> str:
    name = uid.UID(file.transfer_syntax_uid).name
    return f"SOP class {file.sop_class_uid} in {name} is not accepted"


def _outcome(
    file: _File, verdict: StoreVerdict, status: int | None, detail: str
) -> StoreOutcome:
    return StoreOutcome(
        sop_instance_uid=file.sop_instance_uid,
        verdict=verdict,
        status=status,
        detail=detail,
    )


def _failed(
    files: Sequence[_File], verdict: StoreVerdict, error: Exception
) -> tuple[StoreOutcome, ...]:
    return tuple(_outcome(each, verdict, None, str(error)) for each in files)
