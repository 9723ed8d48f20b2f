"""What becomes of an association request, as tables: request, then answer.

Requests are written byte by byte (PS3.8 9.3.2); the answer is read back from bytes.
"""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network

import pytest
from pydicom import uid

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.product import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.data import requests as rq
from tests.data.conversation import RELEASE, played
from tests.data.network import LOCAL, MODALITY
from tests.data.requests import (
    APPLICATION_CONTEXT,
    CR,
    CR_EXPLICIT,
    ECHO,
    EXPLICIT,
    IMPLEMENTATION,
    IMPLICIT,
    MAX_LENGTH,
    VERIFICATION,
    Request,
    acceptance,
    context_item,
    item,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*VR UI")

CT = str(uid.CTImageStorage)
DX_PROCESSING = str(uid.DigitalXRayImageStorageForProcessing)
SR = str(uid.BasicTextSRStorage)
COMMITMENT = "1.2.840.10008.1.20.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
BIG, DEFLATED = str(uid.ExplicitVRBigEndian), str(uid.DeflatedExplicitVRLittleEndian)
LS, BASELINE = str(uid.JPEGLSLossless), str(uid.JPEGBaseline8Bit)
MPEG = "1.2.840.10008.1.2.4.102"

_SYNTAXES = {
    EXPLICIT: "explicit",
    IMPLICIT: "implicit",
    BIG: "big endian",
    DEFLATED: "deflated",
    LS: "JPEG-LS",
    BASELINE: "JPEG",
}
NO_CLASS, NO_SYNTAX = "abstract syntax not supported", "transfer syntaxes not supported"
_RESULTS = {3: NO_CLASS, 4: NO_SYNTAX}
"""PS3.8 Table 9-18."""

_PLAIN = (MAX_LENGTH, IMPLEMENTATION)
BOTH = "1 explicit, 3 implicit"
ABORTED = "aborted"


def answer(
    request: Request,
    local: LocalAE = LOCAL,
    peers: Sequence[RemoteAE] = (MODALITY,),
) -> str:
    """Send a request, release, and put the answer in words."""
    outcome = played([request.encoded + RELEASE], peers, local=local)
    first = outcome.replies[0]
    if first[0] == 7:
        assert (len(outcome.replies), outcome.opened) == (1, 0)
        return ABORTED
    if first[0] == 3:
        assert (len(outcome.replies), outcome.opened) == (1, 0)
        return "rejected {}.{}.{}".format(*first[7:10])
    assert (outcome.kinds, outcome.opened, outcome.closed) == ([2, 6], 1, 1)
    return ", ".join(
        f"{each.number} {_RESULTS.get(each.result) or _SYNTAXES[each.syntax]}"
        for each in acceptance(first).results
    )


@pytest.mark.parametrize(
    ("contexts", "expected"),
    [
        ([(1, CR, [EXPLICIT])], "1 explicit"),
        ([(255, CR, [IMPLICIT])], "255 implicit"),
        ([(1, VERIFICATION, [IMPLICIT])], "1 implicit"),
        # Where the sender leaves the choice, ours is explicit before implicit, and
        # plain before compressed.
        ([(1, CR, [IMPLICIT, EXPLICIT])], "1 explicit"),
        ([(1, CR, [LS, BASELINE, DEFLATED, BIG])], "1 big endian"),
        ([(1, CR, [BASELINE, LS])], "1 JPEG-LS"),
        ([(1, SR, [DEFLATED])], "1 deflated"),
        # Each is refused for itself.
        ([(1, CT, [EXPLICIT])], f"1 {NO_CLASS}"),
        ([(1, DX_PROCESSING, [EXPLICIT])], f"1 {NO_CLASS}"),
        ([(1, FIND, [IMPLICIT])], f"1 {NO_CLASS}"),
        ([(1, "1.2.3.4", [EXPLICIT])], f"1 {NO_CLASS}"),
        ([(1, CT, [MPEG])], f"1 {NO_CLASS}"),
        ([(1, CR, [MPEG])], f"1 {NO_SYNTAX}"),
        ([(1, SR, [LS])], f"1 {NO_SYNTAX}"),
        ([(1, VERIFICATION, [DEFLATED])], f"1 {NO_SYNTAX}"),
        (
            [(1, CT, [EXPLICIT]), (3, CR, [MPEG]), (5, CR, [LS])],
            f"1 {NO_CLASS}, 3 {NO_SYNTAX}, 5 JPEG-LS",
        ),
        # One class in several contexts, in any order of IDs.
        ([(5, CR, [LS]), (1, CR, [EXPLICIT])], "1 explicit, 5 JPEG-LS"),
        ([(1, CR, [EXPLICIT]), (3, CR, [EXPLICIT])], "1 explicit, 3 explicit"),
        # An association with nothing to say; it can only be released.
        ([], ""),
        # Padded to even length, as values in data sets are.
        ([(1, CR + "\0", [EXPLICIT + "\0"])], "1 explicit"),
        ([(1, CR + " ", [EXPLICIT + " "])], "1 explicit"),
        # What is no UID is a class or syntax that nobody knows.
        ([(1, "1..2", [EXPLICIT])], f"1 {NO_CLASS}"),
        ([(1, CR, ["x.y"])], f"1 {NO_SYNTAX}"),
        ([(1, CR, ["", EXPLICIT])], "1 explicit"),
        # Not a proposal at all (PS3.8 9.3.2.2, 7.1.1.13).
        ([(2, CR, [EXPLICIT])], ABORTED),
        ([(0, CR, [EXPLICIT])], ABORTED),
        ([(1, CR, [EXPLICIT]), (1, VERIFICATION, [IMPLICIT])], ABORTED),
        ([(1, CR, [EXPLICIT]), (1, CR, [EXPLICIT])], ABORTED),
        ([(1, CR, [])], ABORTED),
        ([(1, "1." * 40 + "1", [EXPLICIT])], ABORTED),
    ],
)
def test_contexts(contexts: list[tuple[int, str, list[str]]], expected: str) -> None:
    proposed = [context_item(*each) for each in contexts]
    assert answer(Request(contexts=proposed)) == expected


def test_128_contexts_are_answered_each() -> None:
    proposed = [context_item(number, CR, [LS]) for number in range(1, 256, 2)]
    expected = ", ".join(f"{number} JPEG-LS" for number in range(1, 256, 2))
    assert answer(Request(contexts=proposed)) == expected


def _sub_items(*parts: bytes) -> bytes:
    return item(0x20, bytes([1, 0, 0, 0]) + b"".join(parts))


_ABSTRACT, _SYNTAX = item(0x30, CR.encode()), item(0x40, EXPLICIT.encode())


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        # "Items of unrecognized types shall be ignored and skipped" (PS3.8 9.3.1).
        (Request(contexts=(item(0x99, b"abc"), CR_EXPLICIT, ECHO)), BOTH),
        (Request(contexts=(CR_EXPLICIT, ECHO, item(0x22, b""))), BOTH),
        (Request(information=(*_PLAIN, item(0x5F, b"abc"))), BOTH),
        (Request(information=(item(0x00, b""), *_PLAIN)), BOTH),
        (
            Request(contexts=(_sub_items(_ABSTRACT, _SYNTAX, item(0x77, b"a")), ECHO)),
            BOTH,
        ),
        # Reserved fields are not tested.
        (Request(reserved=b"\xff"), BOTH),
        # The order of items is not tested.
        (Request(contexts=(_sub_items(_SYNTAX, _ABSTRACT), ECHO)), BOTH),
        (
            Request(
                contexts=(ECHO, item(0x10, APPLICATION_CONTEXT)),
                application=(item(0x50, b"".join(_PLAIN)),),
                information=(),
            ),
            "3 implicit",
        ),
        # Only bit 0 of the protocol version is tested (PS3.8 9.3.2).
        (Request(version=3), BOTH),
        (Request(version=0xFFFF), BOTH),
        (Request(version=2), "rejected 1.2.2"),
        (Request(version=0), "rejected 1.2.2"),
        (Request(application=(item(0x10, b"1.2.3"),)), "rejected 1.1.2"),
        (Request(application=()), "rejected 1.1.2"),
        (Request(application=(item(0x10, APPLICATION_CONTEXT + b"\0"),)), BOTH),
        # Not an A-ASSOCIATE-RQ.
        (Request(contexts=(CR_EXPLICIT, b"\0\0")), ABORTED),
        (Request(contexts=(CR_EXPLICIT, b"\x20\0\0\xff")), ABORTED),
        (Request(contexts=(item(0x20, b"\1\0"), ECHO)), ABORTED),
        (Request(contexts=(_sub_items(_SYNTAX), ECHO)), ABORTED),
        (Request(contexts=(_sub_items(_ABSTRACT, _SYNTAX[:-1]), ECHO)), ABORTED),
    ],
)
def test_encodings(request_: Request, expected: str) -> None:
    assert answer(request_) == expected


@pytest.mark.parametrize("length", [0, 67, 68])
def test_a_request_shorter_than_its_fixed_fields_is_aborted(length: int) -> None:
    body = Request().encoded[6 : 6 + length]
    pdu = b"\x01\x00" + len(body).to_bytes(4, "big") + body
    # With the fixed fields alone no application context is named.
    expected = 3 if length == 68 else 7
    assert played([pdu]).kinds == [expected]


@pytest.mark.parametrize(
    ("information", "expected"),
    [
        ([], BOTH),
        ([IMPLEMENTATION], BOTH),
        ([MAX_LENGTH], BOTH),
        ([MAX_LENGTH, MAX_LENGTH, IMPLEMENTATION], BOTH),
        ([*_PLAIN, rq.VERSION_NAME], BOTH),
        # Nothing here reads the name of a peer's version, so it may break the rules.
        ([*_PLAIN, item(0x55, b"")], BOTH),
        ([*_PLAIN, item(0x55, b"more than 16 characters")], BOTH),
        ([*_PLAIN, item(0x55, b"\xff")], BOTH),
        ([MAX_LENGTH, item(0x52, b"a.b")], BOTH),
        # One operation at a time, whatever is proposed (PS3.7 D.3.3.3).
        ([*_PLAIN, rq.asynchronous(0, 0)], BOTH),
        ([*_PLAIN, rq.asynchronous(5, 5)], BOTH),
        # A storage class has the default roles (PS3.7 D.3.3.4).
        ([*_PLAIN, rq.role(CR, 1, 0)], BOTH),
        ([*_PLAIN, rq.role(CR, 1, 1)], BOTH),
        ([*_PLAIN, rq.role(CR, 0, 1)], BOTH),
        ([*_PLAIN, rq.role("1.2.3", 1, 1)], BOTH),
        # Extended negotiation says nothing to us (PS3.7 D.3.3.5, D.3.3.6).
        ([*_PLAIN, rq.extended(CR, b"\2\0\3\0\1\0")], BOTH),
        ([*_PLAIN, rq.extended(CR, b"")], BOTH),
        ([*_PLAIN, rq.common_extended(CR, "1.2.840.10008.4.2")], BOTH),
        # User identity: a name, with a passcode, Kerberos, SAML, JWT (PS3.7 D.3.3.7).
        *(([*_PLAIN, rq.identity(kind, b"a", b"b")], BOTH) for kind in range(1, 6)),
        # Not what the item must be.
        ([item(0x51, b"\0\0"), IMPLEMENTATION], ABORTED),
        ([*_PLAIN, rq.role(CR, 2, 7)], ABORTED),
        ([*_PLAIN, item(0x53, b"\0")], ABORTED),
        ([*_PLAIN, item(0x54, b"\0\xff1")], ABORTED),
        ([*_PLAIN, item(0x58, b"\1")], ABORTED),
    ],
)
def test_user_information(information: list[bytes], expected: str) -> None:
    assert answer(Request(information=information)) == expected


@pytest.mark.parametrize(
    "information", [[rq.asynchronous(5, 5)], [rq.extended(CR, b"\2\0")]]
)
def test_the_acceptance_says_who_we_are_and_nothing_that_was_not_agreed(
    information: list[bytes],
) -> None:
    request = Request(information=[*_PLAIN, *information])
    local = replace(LOCAL, max_pdu_bytes=1 << 16)
    said = acceptance(played([request.encoded], local=local).replies[0]).information
    assert said == (
        (0x51, (1 << 16).to_bytes(4, "big")),
        (0x52, IMPLEMENTATION_CLASS_UID.encode()),
        (0x55, IMPLEMENTATION_VERSION_NAME.encode()),
    )


@pytest.mark.parametrize(
    ("proposed", "expected"),
    # Who calls to report a commitment is its SCP, and nothing else (PS3.4 J.3.3).
    [
        ((0, 1), (0, (0, 1))),
        ((1, 1), (0, (0, 1))),
        ((1, 0), (1, None)),
        (None, (0, None)),
    ],
)
def test_roles_of_storage_commitment(
    proposed: tuple[int, int] | None, expected: tuple[int, tuple[int, int] | None]
) -> None:
    request = Request(
        contexts=[context_item(1, COMMITMENT, [IMPLICIT])],
        information=[*_PLAIN, *([rq.role(COMMITMENT, *proposed)] if proposed else [])],
    )
    said = acceptance(played([request.encoded]).replies[0])
    roles = [value for kind, value in said.information if kind == rq.ROLE]
    found = (roles[0][-2], roles[0][-1]) if roles else None
    assert (said.results[0].result, found) == expected


_OPEN = replace(LOCAL, require_called=False, require_calling=False)
_NEAR = replace(MODALITY, networks=(ip_network("127.0.0.0/8"),))
_FAR = replace(MODALITY, networks=(ip_network("10.0.0.0/8"),))
_TWO_NAMES = replace(MODALITY, send_titles=(AETitle("ROOM2"),))
CALLED, CALLING = "rejected 1.1.7", "rejected 1.1.3"


@pytest.mark.parametrize(
    ("called", "calling", "peer", "local", "expected"),
    [
        (b"MAIRA_GW", b"XRAY", MODALITY, LOCAL, BOTH),
        (b"MAIRA_GW", b"ROOM2", _TWO_NAMES, LOCAL, BOTH),
        (b"MAIRA_GW", b"XRAY", _NEAR, LOCAL, BOTH),
        (b"MAIRA_GW", b"XRAY", _FAR, LOCAL, CALLING),
        (b"MAIRA_GW", b"NOBODY", MODALITY, LOCAL, CALLING),
        (b"NOBODY", b"XRAY", MODALITY, LOCAL, CALLED),
        (b"NOBODY", b"NOBODY", MODALITY, LOCAL, CALLED),
        # What is not required is not compared; networks always are.
        (b"NOBODY", b"XRAY", MODALITY, replace(LOCAL, require_called=False), BOTH),
        (b"MAIRA_GW", b"NOBODY", MODALITY, replace(LOCAL, require_calling=False), BOTH),
        (b"NOBODY", b"NOBODY", MODALITY, _OPEN, BOTH),
        (b"NOBODY", b"XRAY", _FAR, _OPEN, CALLING),
        # Titles tell case, and not the spaces around them (PS3.5 6.2).
        (b"MAIRA_GW", b"xray", MODALITY, LOCAL, CALLING),
        (b"maira_gw", b"XRAY", MODALITY, LOCAL, CALLED),
        (b" MAIRA_GW", b"  XRAY", MODALITY, LOCAL, BOTH),
        # Some senders end a title as C ends a string.
        (b"MAIRA_GW".ljust(16, b"\0"), b"XRAY".ljust(16, b"\0"), MODALITY, LOCAL, BOTH),
        (b"MAIRA_GW\0garbage", b"XRAY\0\1\2\3\xff", MODALITY, LOCAL, BOTH),
        # No titles at all (PS3.8 9.3.2).
        (b"", b"XRAY", MODALITY, _OPEN, ABORTED),
        (b"MAIRA_GW", b"", MODALITY, _OPEN, ABORTED),
        (b"MAIRA_GW", b"\0XRAY", MODALITY, _OPEN, ABORTED),
        (b"MAIRA_GW", b"XR\xc4Y", MODALITY, _OPEN, ABORTED),
        (b"MAIRA_GW", b"XR\nAY", MODALITY, _OPEN, ABORTED),
        (b"MAIRA_GW", b"XR\\AY", MODALITY, _OPEN, ABORTED),
    ],
)
def test_titles(
    called: bytes, calling: bytes, peer: RemoteAE, local: LocalAE, expected: str
) -> None:
    assert answer(Request(called=called, calling=calling), local, [peer]) == expected
