from dataclasses import replace

import pytest

from dicom_io.ae import AETitle, RemoteAE
from dicom_io.sink import StoreFacts

ARCHIVE = RemoteAE(
    name="pacs",
    title=AETitle("ARCHIVE"),
    host="127.0.0.1",
    port=104,
    send_titles=(AETitle("ARCHIVE2"),),
)

FACTS = StoreFacts(
    association_id="1",
    calling_title="ARCHIVE",
    called_title="MAIRA_GW",
    peer_address="127.0.0.1",
    peer=ARCHIVE,
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
    sop_instance_uid="1.2.3",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    move_originator=None,
)


@pytest.mark.parametrize("originator", ["MAIRA_GW", "ARCHIVE", "ARCHIVE2"])
def test_what_names_us_or_its_sender_as_originator_is_a_move_delivery(
    originator: str,
) -> None:
    assert replace(FACTS, move_originator=originator).is_move_delivery


@pytest.mark.parametrize("originator", [None, "STRANGER"])
def test_what_names_nobody_or_somebody_else_is_no_move_delivery(
    originator: str | None,
) -> None:
    assert not replace(FACTS, move_originator=originator).is_move_delivery


def test_a_sender_that_nobody_wrote_down_delivers_only_what_we_asked_for() -> None:
    unknown = replace(FACTS, peer=None)
    assert replace(unknown, move_originator="MAIRA_GW").is_move_delivery
    assert not replace(unknown, move_originator="ARCHIVE").is_move_delivery
