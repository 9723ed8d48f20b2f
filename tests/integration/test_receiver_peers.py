"""The receiver beside DCMTK's storescp, and its negotiation beside the library's."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, build_context, build_role, sop_class
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext

from dicom_io.scu.send import store_instances
from tests.data.network import (
    LOCAL,
    Recorder,
    at,
    caller,
    data_set_bytes,
    listening,
)
from tests.data.peers import require_data, require_peer, run_peer, storescp

pytestmark = pytest.mark.peers

CR = uid.ComputedRadiographyImageStorage
COMMITMENT = sop_class.StorageCommitmentPushModel  # type: ignore[attr-defined]
VERIFICATION = sop_class.Verification  # type: ignore[attr-defined]

_PROPOSE = {
    uid.ImplicitVRLittleEndian: "-xi",
    uid.ExplicitVRBigEndian: "-xb",
    uid.DeflatedExplicitVRLittleEndian: "-xd",
    uid.JPEGBaseline8Bit: "-xy",
    uid.JPEGLosslessSV1: "-xs",
    uid.JPEGLSLossless: "-xt",
    uid.JPEG2000Lossless: "-xv",
    uid.RLELossless: "-xr",
}

FILMS = [
    "RG1_jpegls.dcm",
    "mhh_8d6990f2_1_pa_bigendian.dcm",
    "mhh_8d6990f2_1_pa_deflated.dcm",
    "mhh_8d6990f2_1_pa_implicit.dcm",
    "mhh_8d6990f2_1_pa_jpegbaseline.dcm",
    "mhh_8d6990f2_1_pa_rle.dcm",
]


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("pdu_bytes", [4096, 131072])
def test_storescp_and_the_receiver_keep_the_same_bytes_of_storescu(
    name: str, pdu_bytes: int, tmp_path: Path
) -> None:
    film = require_data() / name
    syntax = read_file_meta_info(film).TransferSyntaxUID
    options = [_PROPOSE[syntax], "-aet", "XRAY", "-pdu", pdu_bytes]
    recorder = Recorder()
    with (
        listening(recorder, replace(LOCAL, max_pdu_bytes=pdu_bytes)) as listener,
        storescp(tmp_path, "+B", "+xa", "-pdu", str(pdu_bytes)) as theirs,
    ):
        for port in (listener.port, theirs):
            sent = run_peer(
                "storescu", *options, "-aec", "MAIRA_GW", "127.0.0.1", port, film
            )
            assert sent.returncode == 0, sent.stderr
    (kept,) = tmp_path.iterdir()
    assert bytes(recorder.incoming[0].data) == data_set_bytes(kept)


@pytest.mark.parametrize("max_pdu_bytes", [4096, 65536, 1 << 20])
def test_every_film_of_the_library_arrives_bit_for_bit(max_pdu_bytes: int) -> None:
    films = sorted(require_data().glob("*.dcm"))
    recorder = Recorder()
    with listening(recorder, replace(LOCAL, max_pdu_bytes=max_pdu_bytes)) as listener:
        outcomes = store_instances(caller(), at(listener.port), films)
    assert {each.status for each in outcomes} == {0}
    assert [bytes(each.data) for each in recorder.incoming] == [
        data_set_bytes(film) for film in films
    ]


def test_pdus_of_any_length_pass_through_the_window() -> None:
    film = require_data() / "RG1_jpegll_sv1.dcm"
    recorder = Recorder()
    with listening(recorder, replace(LOCAL, max_pdu_bytes=0)) as listener:
        outcome = store_instances(caller(), at(listener.port), [film])[0]
    assert outcome.status == 0
    assert bytes(recorder.incoming[0].data) == data_set_bytes(film)


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


def test_user_identity_and_an_asynchronous_window_are_taken_without_a_word() -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field, identity.secondary_field = b"user", b"word"
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    window.maximum_number_operations_performed = 5
    results = _negotiated([build_context(VERIFICATION)], [identity, window])
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
    rejected = assoc.acceptor.primitive
    assert assoc.is_rejected
    assert rejected is not None
    assert (rejected.result, rejected.result_source, rejected.diagnostic) == reason


@pytest.mark.parametrize("option", ["-pts", "-ppc"])
def test_echoscu_proposes_much_and_is_answered(option: str) -> None:
    count = {"-pts": 38, "-ppc": 128}[option]
    with listening(Recorder()) as listener:
        answer = run_peer(
            *("echoscu", option, count, "-aet", "XRAY", "-aec", "MAIRA_GW"),
            *("127.0.0.1", listener.port),
        )
    assert answer.returncode == 0, answer.stderr


def test_echoscu_that_aborts_closes_its_association() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        run_peer(
            *("echoscu", "--abort", "-aet", "XRAY", "-aec", "MAIRA_GW"),
            *("127.0.0.1", listener.port),
        )
    assert len(recorder.opened) == len(recorder.closed) == 1


def test_eight_storescu_at_once_are_all_kept() -> None:
    film = require_data() / "RG1_jpegls.dcm"
    command = [require_peer("storescu"), "-xt", "--repeat", "3", "-aet", "XRAY"]
    recorder = Recorder()
    with listening(recorder) as listener:
        target = ["-aec", "MAIRA_GW", "127.0.0.1", str(listener.port), str(film)]
        senders = [subprocess.Popen([*command, *target]) for _ in range(8)]
        assert [sender.wait(60) for sender in senders] == [0] * 8
    expected = data_set_bytes(film)
    assert [bytes(each.data) == expected for each in recorder.incoming] == [True] * 24
