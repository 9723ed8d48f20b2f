"""Places for associations, and user identity negotiation (PS3.7 D.3.3.7)."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_network

import pytest
from pynetdicom import sop_class
from pynetdicom.pdu_primitives import A_ASSOCIATE, UserIdentityNegotiation

from dicom_io.ae import AETitle, LocalAE, RemoteAE, UserIdentity
from dicom_io.contexts import message_context
from dicom_io.passcodes import hash_passcode
from dicom_io.scp.admission import AssociationFacts, Identified, identify
from dicom_io.scp.negotiation import Rejection, Request
from dicom_io.scp.session import Node, Session
from dicom_io.scu.association import Proposal, associated
from tests.data.network import LOCAL, MODALITY, Recorder, at, caller, listening

SECRET = "canary-passcode-7"  # noqa: S105 - a canary
USERS = {"alice": hash_passcode(SECRET.encode()), "probe": ""}
OPTIONAL = replace(LOCAL, user_identity=UserIdentity.OPTIONAL, users=USERS)
REQUIRED = replace(LOCAL, user_identity=UserIdentity.REQUIRED, users=USERS)

NAME, WITH_PASSCODE, KERBEROS, SAML, TOKEN = range(1, 6)


def _asked(
    kind: int | None, name: str = "alice", passcode: str = "", *, response: bool = False
) -> Request:
    """Return an association request with a user identity; None: without one."""
    primitive = A_ASSOCIATE()
    primitive.calling_ae_title, primitive.called_ae_title = "XRAY", "MAIRA_GW"
    if kind is not None:
        item = UserIdentityNegotiation()
        item.user_identity_type = kind
        item.primary_field = name.encode()
        item.secondary_field = passcode.encode()
        item.positive_response_requested = response
        primitive.user_information = [item]
    return Request(primitive=primitive, refusal=None)


def test_an_identity_that_nobody_wants_is_not_looked_at() -> None:
    assert identify(LOCAL, _asked(WITH_PASSCODE, passcode="wrong")) == Identified()


@pytest.mark.parametrize("local", [OPTIONAL, REQUIRED])
def test_a_right_passcode_tells_the_user(local: LocalAE) -> None:
    asked = _asked(WITH_PASSCODE, passcode=SECRET, response=True)
    assert identify(local, asked) == Identified(user="alice", answered=True)


@pytest.mark.parametrize("local", [OPTIONAL, REQUIRED])
@pytest.mark.parametrize(
    ("name", "passcode"),
    [("alice", "wrong"), ("alice", ""), ("mallory", SECRET), ("probe", SECRET)],
)
def test_a_wrong_passcode_is_rejected(local: LocalAE, name: str, passcode: str) -> None:
    found = identify(local, _asked(WITH_PASSCODE, name, passcode))
    assert found == Rejection(code=(1, 1, 1), reason="user identity failed", user=name)


def test_a_name_alone_serves_where_no_passcode_is_kept() -> None:
    assert identify(OPTIONAL, _asked(NAME, "probe")) == Identified(user="probe")
    assert isinstance(identify(OPTIONAL, _asked(NAME, "alice")), Rejection)
    assert isinstance(identify(OPTIONAL, _asked(NAME, "mallory")), Rejection)


@pytest.mark.parametrize("kind", [None, KERBEROS, SAML, TOKEN])
def test_what_cannot_be_checked_is_passed_over_or_refused(kind: int | None) -> None:
    asked = _asked(kind, response=True)
    assert identify(OPTIONAL, asked) == Identified()
    found = identify(REQUIRED, asked)
    assert isinstance(found, Rejection)
    assert found.code == (1, 1, 1)


def _identity(passcode: str) -> UserIdentityNegotiation:
    item = UserIdentityNegotiation()
    item.user_identity_type = WITH_PASSCODE
    item.primary_field, item.secondary_field = b"alice", passcode.encode()
    item.positive_response_requested = True
    return item


def _negotiated(
    local: LocalAE, recorder: Recorder, passcode: str
) -> list[bytes | None]:
    """Associate with a user identity; return the responses to it."""
    from pynetdicom import AE

    with listening(recorder, local) as listener:
        ae = AE("XRAY")
        assoc = ae.associate(
            "127.0.0.1",
            listener.port,
            [message_context(sop_class.Verification)],  # type: ignore[attr-defined]
            "MAIRA_GW",
            ext_neg=[_identity(passcode)],
        )
        answered = [
            item.server_response
            for item in assoc.acceptor.user_information
            if isinstance(item, UserIdentityNegotiation)
        ]
        assert assoc.is_established == (not assoc.is_rejected)
        assoc.release()
    return answered


def test_a_positive_response_is_given_where_one_is_asked_for() -> None:
    recorder = Recorder()
    assert _negotiated(OPTIONAL, recorder, SECRET) == [b""]
    assert recorder.opened[0].user == "alice"


def test_a_failed_identity_is_told_with_its_name_and_without_its_passcode(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder()
    with caplog.at_level("DEBUG"):
        assert _negotiated(OPTIONAL, recorder, "canary-passcode-8") == []
    facts, reason = recorder.refused[0]
    assert (facts.user, reason) == ("alice", "user identity failed")
    assert "canary-passcode" not in caplog.text
    assert "canary-passcode" not in repr((recorder.refused, recorder.opened))


VOUCHED = replace(MODALITY, networks=(ip_network("127.0.0.0/8"),))
PLAIN = RemoteAE(name="plain", title=AETitle("PLAIN"), host="127.0.0.1", port=104)


def _admitted(
    local: LocalAE, asking: Sequence[tuple[RemoteAE, str]]
) -> list[str | None]:
    """Let peers ask for a place from addresses; return why each got none."""
    recorder = Recorder()
    node = Node(local=local, peers=(), sink=recorder.sink, events=recorder.events())
    said: list[str | None] = []
    with ExitStack() as stack:
        for peer, address in asking:
            session = stack.enter_context(Session(node, address, lambda: None))
            session._facts = _facts(peer, address)
            rejection = node.admit(session)
            said.append(rejection.reason if rejection else None)
    return said


def _facts(peer: RemoteAE, address: str) -> AssociationFacts:
    return AssociationFacts(
        association_id="a",
        calling_title=str(peer.title),
        called_title="MAIRA_GW",
        peer_address=address,
        peer=peer,
        encrypted=False,
    )


FEW = replace(LOCAL, max_associations=6, max_per_address=3, reserved_for_peers=2)


def test_one_address_does_not_take_every_place() -> None:
    said = _admitted(FEW, [(VOUCHED, "10.0.0.1")] * 4 + [(VOUCHED, "10.0.0.2")])
    assert said == [None] * 3 + ["no association left for its address", None]


def test_places_are_kept_for_peers_that_more_than_a_title_vouches_for() -> None:
    titles_alone = [(PLAIN, f"10.6.6.{number}") for number in range(5)]
    said = _admitted(FEW, [*titles_alone, (VOUCHED, "10.0.0.1"), (VOUCHED, "10.0.0.2")])
    assert said == [None] * 4 + ["no association left that is not reserved", None, None]


def test_peers_that_are_vouched_for_do_not_use_up_the_places_of_others() -> None:
    known = [(VOUCHED, f"10.0.0.{number}") for number in range(2)]
    said = _admitted(FEW, [*known, *((PLAIN, f"10.6.6.{n}") for n in range(5))])
    assert said == [None] * 6 + ["no association left"]


def test_a_single_place_is_for_everybody() -> None:
    one = replace(FEW, max_associations=1)
    assert _admitted(one, [(PLAIN, "10.0.0.1")]) == [None]


def test_a_certificate_vouches_for_a_peer() -> None:
    shown = replace(PLAIN, certificates=frozenset({"cn:xray"}))
    assert _facts(shown, "10.0.0.1").is_vouched_for
    assert not _facts(PLAIN, "10.0.0.1").is_vouched_for


def test_the_places_of_one_address_are_counted_on_the_wire() -> None:
    local = replace(LOCAL, max_per_address=1)
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    recorder = Recorder()
    with (
        listening(recorder, local) as listener,
        associated(caller(), at(listener.port), proposal),
        pytest.raises(Exception, match="no association left"),
        associated(caller(), at(listener.port), proposal),
    ):
        pass
    assert recorder.refused[0][1] == "no association left for its address"
