"""What the listener agrees on with pynetdicom's requestor and with DCMTK's tools."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import uid
from pynetdicom import AE, build_context, build_role, sop_class
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext

from tests.data.network import LOCAL, Recorder, data_set_bytes, listening
from tests.data.peers import require_data, require_peer, run_peer, until
from tests.data.requests import acceptance, proposed
from tests.data.tap import pdus, tapped

pytestmark = pytest.mark.peers

CR = uid.ComputedRadiographyImageStorage
COMMITMENT = sop_class.StorageCommitmentPushModel  # type: ignore[attr-defined]
VERIFICATION = sop_class.Verification  # type: ignore[attr-defined]


def _negotiated(
    contexts: list[PresentationContext], items: list[object] | None = None
) -> list[tuple[int, int | None, str]]:
    """Return (context ID, result, transfer syntax) as the library's requestor sees."""
    with listening(Recorder()) as listener:
        assoc = AE("XRAY").associate(
            "127.0.0.1",
            listener.port,
            contexts,
            "MAIRA_GW",
            ext_neg=items,  # type: ignore[arg-type]
        )
        assert assoc.is_established
        seen = [*assoc.accepted_contexts, *assoc.rejected_contexts]
        assoc.release()
    return sorted(
        (each.context_id or 0, each.result, str(each.transfer_syntax[0]))
        for each in seen
    )


def test_each_context_has_a_result_of_its_own() -> None:
    results = _negotiated(
        [
            build_context(CR, [uid.ImplicitVRLittleEndian]),
            build_context(CR, [uid.JPEG2000Lossless, uid.ExplicitVRLittleEndian]),
            build_context(CR, ["1.2.840.10008.1.2.4.102"]),
            build_context(uid.CTImageStorage),
            build_context(VERIFICATION),
        ]
    )
    assert [each[:2] for each in results] == [(1, 0), (3, 0), (5, 4), (7, 3), (9, 0)]
    assert results[1][2] == uid.ExplicitVRLittleEndian


def test_a_peer_may_be_provider_of_commitment() -> None:
    context = build_context(COMMITMENT)
    with listening(Recorder()) as listener:
        assoc = AE("XRAY").associate(
            "127.0.0.1",
            listener.port,
            [context],
            "MAIRA_GW",
            ext_neg=[build_role(COMMITMENT, scp_role=True)],
        )
        roles = [(each.as_scu, each.as_scp) for each in assoc.accepted_contexts]
        assoc.release()
    assert roles == [(False, True)]


def test_what_else_is_negotiated_is_taken_without_a_word() -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field, identity.secondary_field = b"user", b"word"
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    window.maximum_number_operations_performed = 5
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid = CR
    extended.service_class_application_information = b"\2\0\3\0\1\0"
    common = SOPClassCommonExtendedNegotiation()
    common.sop_class_uid, common.service_class_uid = CR, uid.UID("1.2.840.10008.4.2")
    items: list[object] = [identity, window, extended, common]
    results = _negotiated([build_context(VERIFICATION)], items)
    assert [each[1] for each in results] == [0]


def test_128_contexts_are_answered() -> None:
    contexts = [build_context(CR, uid.ExplicitVRLittleEndian) for _ in range(128)]
    assert {each[1] for each in _negotiated(contexts)} == {0}


@pytest.mark.parametrize(
    ("called", "calling", "reason"),
    [
        ("MAIRA_GW", "NOBODY", (1, 1, 3)),
        ("NOBODY", "XRAY", (1, 1, 7)),
    ],
)
def test_a_rejection_names_its_reason(
    called: str, calling: str, reason: tuple[int, int, int]
) -> None:
    with listening(Recorder()) as listener:
        assoc = AE(calling).associate(
            "127.0.0.1", listener.port, [build_context(VERIFICATION)], called
        )
    # A rejection that was quicker than the library lies unread, and what was rejected
    # counts as never opened.
    rejected = assoc.acceptor.primitive or assoc.dul.receive_pdu(wait=False)
    assert not assoc.is_established
    assert isinstance(rejected, A_ASSOCIATE)
    assert (rejected.result, rejected.result_source, rejected.diagnostic) == reason


@pytest.mark.parametrize(
    ("calling", "called", "said"),
    [
        ("XRAY", "MAIRA_GW", ""),
        ("NOBODY", "MAIRA_GW", "Calling AE Title Not Recognized"),
        ("XRAY", "NOBODY", "Called AE Title Not Recognized"),
    ],
)
def test_echoscu_is_told_which_title_is_wrong(
    calling: str, called: str, said: str
) -> None:
    with listening(Recorder()) as listener:
        answer = run_peer(
            *("echoscu", "-aet", calling, "-aec", called, "127.0.0.1", listener.port)
        )
    assert said in answer.stderr
    assert (answer.returncode == 0) == (said == "")


@pytest.mark.parametrize("option", ["-pts", "-ppc"])
def test_echoscu_proposes_much_and_is_answered(option: str) -> None:
    count = {"-pts": 38, "-ppc": 128}[option]
    with listening(Recorder()) as listener:
        answer = run_peer(
            *("echoscu", option, count, "-aet", "XRAY", "-aec", "MAIRA_GW"),
            *("127.0.0.1", listener.port),
        )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("option", ["--user", "--jwt", "--saml", "--kerberos"])
def test_storescu_that_names_a_user_is_taken(option: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(b"word")
    value = "somebody" if option == "--user" else token
    film = require_data("odd") / "cr_cspine_ll_16px.dcm"
    recorder = Recorder()
    with listening(recorder) as listener:
        sent = run_peer(
            *("storescu", option, value, "-aet", "XRAY", "-aec", "MAIRA_GW"),
            *("127.0.0.1", listener.port, film),
        )
    assert sent.returncode == 0, sent.stderr
    assert [each.committed for each in recorder.incoming] == [True]


PROFILE = Path("/etc/dcmtk/storescu.cfg")
# The classes of the profile "Default" that are taken, and the transfer syntax of each
# of their contexts; every other class of it is not supported.
ACCEPTED = {
    **dict.fromkeys(
        [
            uid.ComputedRadiographyImageStorage,
            uid.DigitalXRayImageStorageForPresentation,
            uid.SecondaryCaptureImageStorage,
            uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
            uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        ],
        (uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1, uid.ExplicitVRLittleEndian),
    ),
    **dict.fromkeys(
        [
            uid.BasicTextSRStorage,
            uid.EnhancedSRStorage,
            uid.ComprehensiveSRStorage,
            uid.EncapsulatedPDFStorage,
            uid.GrayscaleSoftcopyPresentationStateStorage,
            uid.KeyObjectSelectionDocumentStorage,
        ],
        (uid.ExplicitVRLittleEndian,),
    ),
}


def test_the_profile_of_dcmtk_is_answered_class_by_class() -> None:
    files = [
        require_data() / "mhh_8d6990f2_1_pa.dcm",
        require_data() / "mhh_8d6990f2_1_pa_jpegbaseline.dcm",
        require_data() / "RG1_jpegll_sv1.dcm",
        require_data("sr_pr_ko") / "ofis_test-SR.dcm",
        require_data("sr_pr_ko") / "mesa_prLUTs.dcm",
        require_data("sr_pr_ko") / "mesa_overlay.dcm",
    ]
    recorder = Recorder()
    with listening(recorder) as listener, tapped(listener.port) as tap:
        sent = run_peer(
            *("storescu", "-xf", PROFILE, "Default", "-aet", "XRAY"),
            *("-aec", "MAIRA_GW", "127.0.0.1", tap.port, *files),
        )
    assert sent.returncode == 0, sent.stderr
    assert [each.committed for each in recorder.incoming] == [True] * len(files)
    asked = proposed(next(pdus(tap.requested)).encoded)
    answered = acceptance(next(pdus(tap.answered)).encoded).results
    accepted: dict[str, list[str]] = {}
    for each in answered:
        if each.result == 0:
            accepted.setdefault(asked[each.number][0], []).append(each.syntax)
    assert len(asked) == len(answered) == 128
    assert {each: tuple(found) for each, found in accepted.items()} == ACCEPTED
    assert {each.result for each in answered} == {0, 3}


def test_echoscu_that_aborts_closes_its_association() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        run_peer(
            *("echoscu", "--abort", "-aet", "XRAY", "-aec", "MAIRA_GW"),
            *("127.0.0.1", listener.port),
        )
        until(lambda: bool(recorder.closed), 20, "the association is closed")
    assert len(recorder.opened) == len(recorder.closed) == 1


def test_eight_storescu_at_once_are_all_kept() -> None:
    film = require_data() / "RG1_jpegls.dcm"
    command = [require_peer("storescu"), "-xt", "--repeat", "3", "-aet", "XRAY"]
    recorder = Recorder()
    patient = replace(LOCAL, pdu_deadline_seconds=60.0)
    with listening(recorder, patient) as listener:
        target = ["-aec", "MAIRA_GW", "127.0.0.1", str(listener.port), str(film)]
        senders = [subprocess.Popen([*command, *target]) for _ in range(8)]
        assert [sender.wait(60) for sender in senders] == [0] * 8
    expected = data_set_bytes(film)
    assert [bytes(each.data) == expected for each in recorder.incoming] == [True] * 24
