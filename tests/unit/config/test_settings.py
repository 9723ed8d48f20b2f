from datetime import date
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.errors import InvalidSettings
from config.load import Table, load_settings
from dicom_io.ae import Proof, Retrieval
from model.options import PHANTOM_CHECKPOINT

PACS: Table = {"title": "PACS", "host": "10.0.0.5", "port": 104}
TLS: Table = {"certificate": "a.pem", "key": "a.key", "authority": "ca.pem"}


def test_a_peer_becomes_the_type_that_the_network_code_takes() -> None:
    peer: Table = {
        **PACS,
        "networks": ["10.0.0.0/24"],
        "send_titles": ["PACS_SCU"],
        "retrieval": "c-move",
        "proof": "read-back",
        "tls": TLS,
    }
    (remote,) = load_settings(None, {"peers": {"pacs": peer}}).remote_aes()
    assert (remote.name, remote.title, remote.port) == ("pacs", "PACS", 104)
    assert remote.networks == (ip_network("10.0.0.0/24"),)
    assert remote.send_titles == ("PACS_SCU",)
    assert remote.retrieval is Retrieval.MOVE
    assert remote.proof is Proof.READ_BACK
    assert remote.tls is not None
    assert remote.tls.authority == Path("ca.pem")


def test_archive_and_destinations_are_peers_by_name() -> None:
    table: Table = {
        "peers": {"pacs": PACS, "research": {**PACS, "title": "RESEARCH"}},
        "archive": {"peer": "pacs"},
        "results": {"destinations": ["research"]},
    }
    settings = load_settings(None, table)
    archive = settings.archive_ae()
    assert archive is not None
    assert archive.title == "PACS"
    assert [remote.title for remote in settings.destination_aes()] == ["RESEARCH"]


def test_an_ae_title_is_checked_where_it_is_written() -> None:
    with pytest.raises(InvalidSettings, match=r"^listener\.title: .*PS3\.5 6\.2"):
        load_settings(None, {"listener": {"title": "A" * 17}})


def test_the_phantom_checkpoint_is_the_default() -> None:
    options = load_settings().engine_options()
    assert options.checkpoint == PHANTOM_CHECKPOINT
    assert options.threads is None


def test_a_checkpoint_of_the_site_is_taken_as_a_path() -> None:
    settings = load_settings(None, {"engine": {"checkpoint": "maira-2"}})
    assert settings.engine_options().checkpoint == Path("maira-2")


def test_a_licence_is_acknowledged_by_a_name_and_a_date() -> None:
    both: Table = {"acknowledged_by": "R. Doe", "acknowledged_on": "2026-02-03"}
    licence = load_settings(None, {"licence": both}).licence
    assert licence.acknowledged
    assert licence.acknowledged_on == date(2026, 2, 3)


@pytest.mark.parametrize(
    "half",
    [
        {"acknowledged_by": "R. Doe"},
        {"acknowledged_on": "2026-02-03"},
        {"acknowledged_by": " ", "acknowledged_on": "2026-02-03"},
    ],
)
def test_half_an_acknowledgement_is_none(half: Table) -> None:
    assert not load_settings(None, {"licence": half}).licence.acknowledged


def test_the_ledger_lies_in_the_storage_folder() -> None:
    settings = load_settings(None, {"storage": {"folder": "data"}})
    assert settings.ledger_path == Path("data/ledger.sqlite")
    assert settings.ledger_url == "sqlite:///data/ledger.sqlite"


def test_a_ledger_elsewhere_has_no_file_here() -> None:
    settings = load_settings(None, {"ledger": {"url": "postgresql://db/maira"}})
    assert settings.ledger_path is None


def test_the_listener_takes_its_limits_from_the_settings() -> None:
    local = load_settings(None, {"listener": {"max_pdu_bytes": 16384}}).local_ae()
    assert local.max_pdu_bytes == 16384
    assert local.require_calling
    assert local.require_called
