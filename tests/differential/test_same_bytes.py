"""The same files by four senders: this receiver stores the bytes that storescp does.

The small form; `make differential` sends everything in PDUs of every length.
"""

from pathlib import Path

import pytest

from tests.differential.comparison import FATES, compared
from tests.differential.damaged import DAMAGES, write_damaged
from tests.differential.senders import SENDERS
from tests.differential.stores import (
    shared_files,
    storescp_receiver,
    this_receiver,
    transfer,
)

pytestmark = pytest.mark.peers

PDU_BYTES = 131_072


@pytest.mark.parametrize(
    ("name", "max_pdu_bytes", "longest"),
    [
        # DCMTK counts the header of the PDU in. The last is the longest data set.
        ("storescu", 16_384, 16_378),
        ("dcmsend", 131_072, 131_066),
        ("gdcmscu", 1 << 20, 1 << 20),
        ("pynetdicom", 0, 4_390_810),
    ],
)
def test_every_shared_file_is_stored_as_storescp_stores_it(
    name: str, max_pdu_bytes: int, longest: int, tmp_path: Path
) -> None:
    comparison = compared(SENDERS[name], max_pdu_bytes, tmp_path)
    exceptions = {file for sender, file in FATES if sender == name}
    assert comparison.different == []
    assert comparison.same == len(shared_files()) - len(exceptions)
    assert comparison.longest_pdu == longest


@pytest.mark.parametrize(("name", "file"), FATES)
def test_what_ends_otherwise_is_known(name: str, file: str, tmp_path: Path) -> None:
    (path,) = [each for each in shared_files() if each.name == file]
    with this_receiver(tmp_path, PDU_BYTES) as receiving:
        ours = transfer(SENDERS[name], [path], receiving, tmp_path)
    with storescp_receiver(tmp_path, PDU_BYTES) as receiving:
        theirs = transfer(SENDERS[name], [path], receiving, tmp_path)
    fate = FATES[name, file]
    assert (ours.fate, theirs.fate) == (fate.ours, fate.storescp)
    if ours.fate == "0000":
        assert ours.stored == ours.sent


def test_a_uid_that_comes_again_is_stored_once(tmp_path: Path) -> None:
    """Five syntaxes of one film are one instance; a changed report is a conflict."""
    again = {
        "mhh_8d6990f2_1_pa_bigendian.dcm",
        "mhh_8d6990f2_1_pa_deflated.dcm",
        "mhh_8d6990f2_1_pa_implicit.dcm",
        "mhh_8d6990f2_1_pa_rle.dcm",
    }
    conflict = "ofis_reportsi_with_empty_number_tags.dcm"
    firsts = {"mhh_8d6990f2_1_pa.dcm", "ofis_reportsi.dcm"}
    files = [each for each in shared_files() if each.name in again | firsts]
    files += [each for each in shared_files() if each.name == conflict]
    with this_receiver(tmp_path, PDU_BYTES) as receiving:
        sent = transfer(SENDERS["storescu"], files, receiving, tmp_path)
        stored = [each for each in receiving.kept() if each.is_file()]
    assert sent.statuses == (*[0x0000] * (len(files) - 1), 0xC111)
    # The conflicting copy is set aside as a file for people to look at.
    assert len(stored) == len(firsts) + 1


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("name", SENDERS)
def test_a_damaged_film_is_answered_with_its_reason(name: str, tmp_path: Path) -> None:
    files = write_damaged(tmp_path)
    with this_receiver(tmp_path, PDU_BYTES) as receiving:
        sent = {
            damage: transfer(SENDERS[name], [path], receiving, tmp_path)
            for damage, path in files.items()
        }
    assert {damage: each.fate for damage, each in sent.items()} == {
        damage: each.answers[name] for damage, each in DAMAGES.items()
    }
    assert all(bool(each.stored) == (each.fate == "0000") for each in sent.values())
