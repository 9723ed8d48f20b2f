"""DCMTK as the modality and as a destination."""

from pathlib import Path

import pytest
from pydicom import uid
from pydicom.filereader import dcmread, read_file_meta_info

from dicom_io.part10 import part10_header
from dicom_io.scu.query import echo
from dicom_io.scu.send import store_instances
from dicom_io.status import StoreVerdict
from tests.data.network import (
    Recorder,
    at,
    caller,
    data_set_bytes,
    listening,
    radiograph,
    written,
)
from tests.data.peers import require_data, run_peer, storescp, until

pytestmark = pytest.mark.peers

_PROPOSE = {
    uid.ImplicitVRLittleEndian: "-xi",
    uid.ExplicitVRLittleEndian: "-xe",
    uid.ExplicitVRBigEndian: "-xb",
    uid.DeflatedExplicitVRLittleEndian: "-xd",
    uid.JPEGBaseline8Bit: "-xy",
    uid.JPEGExtended12Bit: "-xx",
    uid.JPEGLosslessSV1: "-xs",
    uid.JPEGLSLossless: "-xt",
    uid.JPEGLSNearLossless: "-xu",
    uid.JPEG2000Lossless: "-xv",
    uid.JPEG2000: "-xw",
    uid.RLELossless: "-xr",
}

_REENCODED = frozenset(
    {"RG1_J2KI.dcm", "RG1_j2k_lossless.dcm", "mhh_8d6990f2_1_pa_deflated.dcm"}
)
"""DCMTK writes sequences with lengths of its own, and pads a deflated stream."""

_CALL = ("-aet", "XRAY", "-aec", "MAIRA_GW", "127.0.0.1")


def _films() -> list[Path]:
    return sorted(require_data().glob("*.dcm"))


def test_echoscu_is_answered() -> None:
    with listening(Recorder()) as listener:
        assert run_peer("echoscu", *_CALL, listener.port).returncode == 0


def test_echoscu_with_another_title_is_rejected() -> None:
    with listening(Recorder()) as listener:
        answer = run_peer("echoscu", "-aec", "MAIRA_GW", "127.0.0.1", listener.port)
    assert "Calling AE Title Not Recognized" in answer.stderr


@pytest.mark.parametrize(
    "name",
    [
        "RG1_J2KI.dcm",
        "RG1_j2k_lossless.dcm",
        "RG1_jpegll_sv1.dcm",
        "RG1_jpegls.dcm",
        "mhh_8d6990f2_1_pa.dcm",
        "mhh_8d6990f2_1_pa_bigendian.dcm",
        "mhh_8d6990f2_1_pa_deflated.dcm",
        "mhh_8d6990f2_1_pa_implicit.dcm",
        "mhh_8d6990f2_1_pa_jpegbaseline.dcm",
        "mhh_8d6990f2_1_pa_rle.dcm",
    ],
)
def test_a_film_arrives_as_storescu_sent_it(name: str, tmp_path: Path) -> None:
    film = require_data() / name
    syntax = read_file_meta_info(film).TransferSyntaxUID
    recorder = Recorder()
    with listening(recorder) as listener:
        answer = run_peer("storescu", _PROPOSE[syntax], *_CALL, listener.port, film)
        assert answer.returncode == 0, answer.stderr
    stored = recorder.incoming[0]
    assert stored.facts.transfer_syntax_uid == syntax
    ours = tmp_path / "ours.dcm"
    ours.write_bytes(part10_header(stored.facts) + stored.data)
    assert dcmread(ours) == dcmread(film)
    assert name in _REENCODED or bytes(stored.data) == data_set_bytes(film)


def test_all_films_arrive_over_one_association() -> None:
    films = _films()
    recorder = Recorder()
    with listening(recorder) as listener:
        outcomes = store_instances(caller(), at(listener.port), films)
    assert {each.verdict for each in outcomes} == {StoreVerdict.STORED}
    sent = [data_set_bytes(film) for film in films]
    assert [bytes(each.data) for each in recorder.incoming] == sent


def test_what_storescu_aborts_is_discarded() -> None:
    films = _films()[:1]
    recorder = Recorder()
    with listening(recorder) as listener:
        run_peer("storescu", "--abort", *_CALL, listener.port, *films)
        until(lambda: bool(recorder.closed), 30, "the association is closed")
    assert all(each.committed or each.discarded for each in recorder.incoming)


def test_storescp_gets_the_file_bit_for_bit(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph())
    folder = tmp_path / "received"
    folder.mkdir()
    with storescp(folder, "-B", "-aet", "ANY") as port:
        echo(caller(), at(port, "ANY"))
        outcome = store_instances(caller(), at(port, "ANY"), [path])[0]
    received = next(folder.iterdir())
    assert outcome.verdict is StoreVerdict.STORED
    assert data_set_bytes(received) == data_set_bytes(path)


@pytest.mark.parametrize("option", ["--refuse", "--abort-after", "--abort-during"])
def test_an_association_that_storescp_ends_is_transient(
    option: str, tmp_path: Path
) -> None:
    path = written(tmp_path, radiograph())
    with storescp(tmp_path, option, "-aet", "ANY") as port:
        outcome = store_instances(caller(), at(port, "ANY"), [path])[0]
    assert not outcome.verdict.is_stored
