from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import uid

from dicom_io.archive import open_archive
from dicom_io.errors import UnreadableHeader
from dicom_io.scu.send import store_instances
from dicom_io.status import Status, StoreVerdict
from tests.data.misbehaving import Manners, bad_destination
from tests.data.network import (
    Recorder,
    at,
    caller,
    data_set_bytes,
    listening,
    radiograph,
    written,
)
from tests.data.ports import NOBODYS_PORT


def test_a_peer_that_is_not_there_gives_transient_outcomes(tmp_path: Path) -> None:
    paths = [written(tmp_path, radiograph(number)) for number in (1, 2)]
    outcomes = store_instances(caller(), at(NOBODYS_PORT), paths)
    assert [each.verdict for each in outcomes] == [StoreVerdict.TRANSIENT] * 2
    assert [each.sop_instance_uid for each in outcomes] == [
        "1.2.3.1.1.1",
        "1.2.3.1.1.2",
    ]


def test_a_peer_that_rejects_us_gives_permanent_outcomes(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph())
    with listening(Recorder()) as listener:
        outcome = store_instances(caller("STRANGER"), at(listener.port), [path])[0]
    assert outcome.verdict is StoreVerdict.PERMANENT
    assert "calling AE title" in outcome.detail


def test_a_peer_that_is_gone_is_not_sent_the_rest(tmp_path: Path) -> None:
    """Or each would wait for its answer to the deadline."""
    paths = [written(tmp_path, radiograph(number)) for number in (1, 2, 3)]
    with bad_destination(Manners(closes=True)) as peer:
        outcomes = store_instances(caller(), peer.remote, paths)
    assert [each.verdict for each in outcomes] == [StoreVerdict.TRANSIENT] * 3
    assert [each.detail for each in outcomes] == [
        "no answer",
        *["association lost"] * 2,
    ]


def test_a_class_that_the_peer_does_not_take_is_refused_alone(tmp_path: Path) -> None:
    ct = radiograph(2, SOPClassUID=uid.CTImageStorage)
    paths = [written(tmp_path, radiograph(1)), written(tmp_path, ct)]
    with listening(Recorder()) as listener:
        outcomes = store_instances(caller(), at(listener.port), paths)
    assert [each.verdict for each in outcomes] == [
        StoreVerdict.STORED,
        StoreVerdict.PERMANENT,
    ]
    assert uid.CTImageStorage in outcomes[1].detail


def test_when_no_class_is_taken_all_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph(SOPClassUID=uid.CTImageStorage))
    with listening(Recorder()) as listener:
        outcome = store_instances(caller(), at(listener.port), [path])[0]
    assert outcome.verdict is StoreVerdict.PERMANENT


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Status.OUT_OF_RESOURCES, StoreVerdict.TRANSIENT),
        (Status.CANNOT_UNDERSTAND, StoreVerdict.PERMANENT),
    ],
)
def test_the_answered_status_makes_the_verdict(
    tmp_path: Path, answer: Status, verdict: StoreVerdict
) -> None:
    path = written(tmp_path, radiograph())
    with listening(Recorder(answer=answer)) as listener:
        outcome = store_instances(caller(), at(listener.port), [path])[0]
    assert (outcome.verdict, outcome.status) == (verdict, answer)


def test_files_are_sent_as_they_lie_on_disk(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph(), uid.ImplicitVRLittleEndian)
    recorder = Recorder()
    with listening(recorder) as listener:
        store_instances(caller(), at(listener.port), [path])
    assert bytes(recorder.incoming[0].data) == data_set_bytes(path)


def test_no_files_ask_for_no_association() -> None:
    assert store_instances(caller(), at(NOBODYS_PORT), []) == ()


def test_an_own_file_that_is_no_dicom_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("not DICOM")
    with pytest.raises(UnreadableHeader, match=r"note\.txt"):
        store_instances(caller(), at(NOBODYS_PORT), [path])


def test_a_peer_that_never_answers_gives_transient_outcomes(tmp_path: Path) -> None:
    import socket

    path = written(tmp_path, radiograph())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote = replace(at(silent.getsockname()[1]), deadline_seconds=0.5)
        outcome = store_instances(caller(), remote, [path])[0]
    assert outcome.verdict is StoreVerdict.TRANSIENT


def test_what_was_sent_is_in_the_archive(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph())
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        outcome = store_instances(caller(), at(archive.port, "ARCHIVE"), [path])[0]
        held = archive.instances()
    assert outcome.verdict is StoreVerdict.STORED
    assert data_set_bytes(held[0].path) == data_set_bytes(path)
