from datetime import date
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.errors import InvalidSettings
from config.load import Table, Value, load_settings, show_settings
from dicom_io.ae import Proof, Retrieval
from model.options import PHANTOM_CHECKPOINT
from model.report import FlagKind

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


def test_an_acknowledged_licence_can_be_shown() -> None:
    both: Table = {"acknowledged_by": "R. Doe", "acknowledged_on": "2026-02-03"}
    shown = show_settings(load_settings(None, {"licence": both}))
    assert shown["licence"] == both


@pytest.mark.parametrize(
    "half",
    [
        {"acknowledged_by": "R. Doe"},
        {"acknowledged_on": "2026-02-03"},
        {"acknowledged_by": " ", "acknowledged_on": "2026-02-03"},
    ],
)
def test_half_an_acknowledgement_is_refused(half: Table) -> None:
    with pytest.raises(InvalidSettings, match=r"^licence: give both"):
        load_settings(None, {"licence": half})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", "21117"),
        ("require_calling", "no"),
        ("require_called", 0),
        ("max_associations", 3.0),
        ("idle_seconds", float("inf")),
        ("title", 7),
    ],
)
def test_a_value_of_another_type_is_refused(key: str, value: str | float) -> None:
    with pytest.raises(InvalidSettings, match=rf"^listener\.{key}: Input should be"):
        load_settings(None, {"listener": {key: value}})


def test_a_whole_number_is_a_number_of_seconds() -> None:
    settings = load_settings(None, {"completeness": {"quiet_seconds": 3}})
    assert settings.completeness.quiet_seconds == 3.0


@pytest.mark.parametrize("value", ["10.0.0.5/24", "hospital", 5])
def test_what_is_no_network_is_named_by_its_key(value: str | int) -> None:
    peer: Table = {**PACS, "networks": [value]}
    with pytest.raises(InvalidSettings, match=r"^peers\.pacs\.networks\.0: a network"):
        load_settings(None, {"peers": {"pacs": peer}})


@pytest.mark.parametrize(
    ("results", "key"),
    [
        ({"tasks": []}, "results: name a task"),
        ({"tasks": ["findings", "findings"]}, "results.tasks: named more than once"),
        ({"phrases": ["a", "a"]}, "results.phrases: named more than once"),
        ({"destinations": ["p", "p"]}, "results.destinations: named more than once"),
    ],
)
def test_what_asks_for_nothing_or_twice_is_refused(results: Table, key: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(None, {"results": results})
    assert str(caught.value).startswith(key)


def test_phrases_alone_are_enough_to_ask() -> None:
    asked: Table = {"tasks": [], "phrases": ["Nodule."]}
    assert load_settings(None, {"results": asked}).results.tasks == ()


@pytest.mark.parametrize("other", [{}, {"title": "X", "send_titles": ["PACS"]}])
def test_two_peers_cannot_share_a_calling_title(other: Table) -> None:
    peers: Table = {"pacs": PACS, "second": {**PACS, **other}}
    with pytest.raises(InvalidSettings, match=r"^peers\.second: 'PACS' is a title of"):
        load_settings(None, {"peers": peers})


def test_a_title_is_of_one_project_and_of_one_priority() -> None:
    projects: Table = {"a": {"titles": ["CR1"]}, "b": {"titles": ["CR1"]}}
    with pytest.raises(InvalidSettings, match=r"^projects\.b: 'CR1' is a title of"):
        load_settings(None, {"projects": projects})
    both: Table = {"urgent_titles": ["CR1"], "back_fill_titles": ["CR1"]}
    with pytest.raises(InvalidSettings, match="'CR1' is in urgent_titles and"):
        load_settings(None, {"queue": both})


@pytest.mark.parametrize("share", [0.0, -1.0])
def test_a_share_of_nothing_is_refused(share: float) -> None:
    with pytest.raises(InvalidSettings, match=r"queue\.back_fill_share"):
        load_settings(None, {"queue": {"back_fill_share": share}})
    with pytest.raises(InvalidSettings, match=r"projects\.a\.weight"):
        load_settings(None, {"projects": {"a": {"weight": share}}})


def test_a_peer_may_call_us_with_its_own_title_written_twice() -> None:
    peer: Table = {**PACS, "send_titles": ["PACS"]}
    assert load_settings(None, {"peers": {"pacs": peer}}).remote_aes()


def test_a_commitment_needs_a_port_that_its_report_can_come_to() -> None:
    table: Table = {"peers": {"pacs": {**PACS, "proof": "commitment"}}}
    assert load_settings(None, table).remote_aes()[0].proof is Proof.COMMITMENT
    with pytest.raises(InvalidSettings, match=r"listener\.port: 0 .* peers\.pacs"):
        load_settings(None, {**table, "listener": {"port": 0}})


def test_a_peer_of_dicomweb_alone_gives_no_commitment() -> None:
    peer: Table = {"title": "WEB", "web": {"url": "https://10.0.0.5/dicom-web"}}
    assert load_settings(None, {"peers": {"web": peer}}).remote_aes()
    with pytest.raises(InvalidSettings, match=r'^peers\.web: proof "commitment"'):
        load_settings(None, {"peers": {"web": {**peer, "proof": "commitment"}}})


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ledger.sqlite", 'a URL, as "postgresql://'),
        ("mysql://gw@db/maira", 'begins with "postgresql://'),
        ("postgresql+asyncpg://gw@db/maira", 'begins with "postgresql://'),
        ("postgresql://gw@db", "names its database"),
        ("postgresql://gw@db/?host=b", "names its database"),
    ],
)
def test_a_ledger_url_names_a_database_of_a_known_kind(url: str, why: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(None, {"ledger": {"url": url}})
    assert str(caught.value).startswith(f"ledger.url: {why}")


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


@pytest.mark.parametrize("kind", FlagKind)
def test_every_flag_may_hold_a_report(kind: FlagKind) -> None:
    settings = load_settings(None, {"results": {"hold_flags": [kind.value]}})
    assert settings.results.hold_flags == (kind,)


@pytest.mark.parametrize("output", [[], ["rejection-note"], ["gsps", "gsps"]])
def test_a_destination_is_not_configured_to_get_nothing_or_one_kind_twice(
    output: list[Value],
) -> None:
    with pytest.raises(InvalidSettings, match=r"peers\.pacs\.output"):
        load_settings(None, {"peers": {"pacs": {**PACS, "output": output}}})


FILES: Table = {"certificate": "a.pem", "key": "a.key", "authority": "ca.pem"}
REPOSITORY: Table = {"host": "10.0.0.9", "tls": FILES}


def test_an_audit_repository_is_reached_over_tls_unless_said_otherwise() -> None:
    named: Table = {"audit_repositories": {"hospital": REPOSITORY}}
    found = load_settings(None, named).audit_repositories["hospital"]
    assert (found.transport, found.port, found.facility) == ("tls", 6514, 10)
    assert found.patients == "encrypted"


WRONG_REPOSITORIES: dict[str, tuple[Table, str]] = {
    "no host": ({"tls": FILES}, "host"),
    "no files": ({"host": "h"}, 'transport "tls" needs the table tls'),
    "files for nothing": ({**REPOSITORY, "transport": "tcp"}, "no use for tls"),
    "names for nothing": (
        {"host": "h", "transport": "udp", "certificates": ["cn:a"]},
        'certificates need transport "tls"',
    ),
    "patients in clear": (
        {"host": "h", "transport": "tcp", "patients": "clear"},
        'patients "clear" needs transport "tls"',
    ),
    "another transport": ({**REPOSITORY, "transport": "relp"}, "transport"),
    "a port that is none": ({**REPOSITORY, "port": 0}, "port"),
    "a facility that is none": ({**REPOSITORY, "facility": 24}, "facility"),
    "a datagram that is none": (
        {**REPOSITORY, "max_datagram_bytes": 70_000},
        "max_datagram_bytes",
    ),
    "another key": ({**REPOSITORY, "hots": "h"}, "allowed here: host, port"),
}


@pytest.mark.parametrize("name", WRONG_REPOSITORIES)
def test_a_wrong_audit_repository_is_named(name: str) -> None:
    table, said = WRONG_REPOSITORIES[name]
    with pytest.raises(InvalidSettings) as raised:
        load_settings(None, {"audit_repositories": {"hospital": table}})
    assert "audit_repositories.hospital" in str(raised.value)
    assert said in str(raised.value)


def test_the_name_of_an_audit_repository_is_plain() -> None:
    with pytest.raises(InvalidSettings, match="audit_repositories"):
        load_settings(None, {"audit_repositories": {'a"b': REPOSITORY}})


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "::", "gateway.example"])  # noqa: S104
def test_a_console_that_others_reach_speaks_tls_or_stands_behind_a_proxy(
    host: str,
) -> None:
    with pytest.raises(InvalidSettings, match=r"^web: host: .* not of this machine"):
        load_settings(None, {"web": {"host": host}})
    with_tls: Table = {"certificate": "a.pem", "key": "a.key"}
    assert load_settings(None, {"web": {"host": host, **with_tls}}).web.certificate
    behind: Table = {"proxies": ["10.0.0.9/32"]}
    assert load_settings(None, {"web": {"host": host, **behind}}).web.proxies


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_a_console_of_this_machine_needs_neither(host: str) -> None:
    assert load_settings(None, {"web": {"host": host}}).web.host == host


def test_a_certificate_comes_with_its_key() -> None:
    with pytest.raises(InvalidSettings, match="both certificate and key"):
        load_settings(None, {"web": {"certificate": "a.pem"}})


def test_a_console_goes_by_the_names_of_this_machine_and_its_own() -> None:
    web = load_settings(None, {"web": {"names": ["Gateway.Example"]}}).web
    names = {"localhost", "127.0.0.1", "[::1]", "[127.0.0.1]", "gateway.example"}
    assert web.host_names() == names
