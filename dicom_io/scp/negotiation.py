"""Association requests and what is answered to them.

pynetdicom decodes the request, compares the presentation contexts and encodes the
acceptance (PS3.8 9.3.2, 9.3.3; PS3.7 D.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from dicom_io.contexts import listener_contexts
from dicom_io.malformed import MALFORMED
from dicom_io.product import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.scp.items import tidied
from dicom_io.scp.pdu import PDU_HEADER, PduType
from dicom_io.scp.states import Event, Interruption

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""PS3.7 A.2.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4), in words too.

    user : the name that a failed user identity gave.
    """

    code: tuple[int, int, int]
    reason: str
    user: str | None = None


_VERSION = Rejection(code=(1, 2, 2), reason="protocol version is not 1")
_CONTEXT = Rejection(code=(1, 1, 2), reason="application context is not DICOM's")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An A-ASSOCIATE-RQ.

    `refusal` : why nobody could accept it; None: somebody may.
    """

    primitive: A_ASSOCIATE
    refusal: Rejection | None

    @property
    def calling_title(self) -> str:
        """The title of the node that calls."""
        return self.primitive.calling_ae_title.strip()

    @property
    def called_title(self) -> str:
        """The title that it calls."""
        return self.primitive.called_ae_title.strip()

    @property
    def max_pdu_bytes(self) -> int:
        """The longest P-DATA-TF that the node takes, 0 for any (PS3.8 D.1)."""
        return int(self.primitive.maximum_length_received or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """An association that is agreed on: accepted contexts by ID, and the reply."""

    contexts: dict[int, PresentationContext]
    reply: bytes


def read_request(body: bytes) -> Request:
    """Decode the body of an A-ASSOCIATE-RQ; raises Interruption where it is none."""
    pdu = A_ASSOCIATE_RQ()
    try:
        read = tidied(body)
        pdu.decode(PDU_HEADER.pack(PduType.ASSOCIATE_RQ, len(read)) + read)
        primitive = pdu.to_primitive()
        refusal = _refusal(pdu, primitive)
        request = Request(primitive=primitive, refusal=refusal)
        _ = (request.calling_title, request.called_title, request.max_pdu_bytes)
    except MALFORMED as error:
        reason = f"association request: {type(error).__name__}"
        raise Interruption(Event.INVALID_PDU, reason) from error
    return request


def _refusal(pdu: A_ASSOCIATE_RQ, primitive: A_ASSOCIATE) -> Rejection | None:
    if not pdu.protocol_version & 1:  # only this bit is tested (PS3.8 9.3.2)
        return _VERSION
    name = primitive.application_context_name
    return None if name == _APPLICATION_CONTEXT else _CONTEXT


def agree(
    request: Request,
    max_pdu_bytes: int,
    *,
    answers_user: bool = False,
    commits: bool = False,
) -> Agreement:
    """Accept a request; contexts that nothing here serves are refused one by one.

    `answers_user`: a positive response to a user identity is owed (PS3.7 D.3.3.7.2).
    Extended negotiation and an asynchronous window are not answered: one operation
    at a time (PS3.7 D.3.3.3). Raises Interruption where the contexts make no sense.
    """
    try:
        primitive = request.primitive
        results, roles = negotiate_as_acceptor(
            primitive.presentation_context_definition_list,
            _supported(commits=commits),
            _proposed_roles(primitive),
        )
        reply = _acceptance(primitive, results)
        identity = [_identity_accepted()] if answers_user else []
        ours = _our_information(max_pdu_bytes)
        reply.user_information = [*ours, *roles, *identity]
        pdu = A_ASSOCIATE_AC()
        pdu.from_primitive(reply)
        encoded = pdu.encode()
    except MALFORMED as error:
        reason = f"negotiation: {type(error).__name__}"
        raise Interruption(Event.ABORT, reason) from error
    accepted = {each.context_id or 0: each for each in results if each.result == 0}
    return Agreement(contexts=accepted, reply=encoded)


@cache
def _supported(*, commits: bool) -> list[PresentationContext]:
    """Return the contexts, made once: negotiation reads and never changes them."""
    return listener_contexts(commits=commits)


def _proposed_roles(
    primitive: A_ASSOCIATE,
) -> dict[UID, tuple[bool | None, bool | None]]:
    """Map SOP classes to the SCU and SCP role that the requestor proposes."""
    return {
        UID(each.sop_class_uid or ""): (each.scu_role, each.scp_role)
        for each in primitive.user_information
        if isinstance(each, SCP_SCU_RoleSelectionNegotiation)
    }


def _acceptance(
    primitive: A_ASSOCIATE, results: Sequence[PresentationContext]
) -> A_ASSOCIATE:
    reply = A_ASSOCIATE()
    reply.application_context_name = UID(_APPLICATION_CONTEXT)
    reply.calling_ae_title = primitive.calling_ae_title
    reply.called_ae_title = primitive.called_ae_title
    reply.result, reply.result_source = 0, 1
    reply.presentation_context_definition_results_list = list(results)
    return reply


def _identity_accepted() -> UserIdentityNegotiation:
    """Return the response to a name: empty (PS3.7 Table D.3-15)."""
    response = UserIdentityNegotiation()
    response.server_response = b""
    return response


def _our_information(
    max_pdu_bytes: int,
) -> tuple[
    MaximumLengthNotification,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
]:
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu_bytes
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return length, implementation, version
