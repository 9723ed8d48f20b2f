"""What changed in the settings between two runs, key by key, without any secret."""

from pathlib import Path

import pytest

from config.load import Table, merge
from dicom_io.passcodes import hash_passcode
from gateway.audit import codes
from gateway.running.settings_changes import (
    changes,
    described,
    entries,
    of_text,
    to_text,
)
from tests.data.ledgers import NOW
from tests.data.sites import site_settings

PEERS: Table = {"peers": {"pacs": {"title": "PACS", "host": "pacs", "port": 104}}}


def digest(text: str) -> str:
    return str(sum(text.encode()))


def values(folder: Path, **overrides: object) -> dict[str, str]:
    settings = site_settings(folder, merge(PEERS, overrides))  # type: ignore[arg-type]
    return of_text(to_text(described(settings, digest)))


def told(folder: Path, **overrides: object) -> list[str]:
    found = changes(values(folder), values(folder, **overrides))
    return [str(change) for change in found]


def test_the_same_settings_differ_in_nothing(tmp_path: Path) -> None:
    assert told(tmp_path) == []


def test_a_change_is_told_with_both_values(tmp_path: Path) -> None:
    assert told(tmp_path, peers={"pacs": {"port": 11112}}) == [
        "peers.pacs.port: 104 -> 11112"
    ]


def test_a_new_peer_is_told_key_by_key(tmp_path: Path) -> None:
    found = told(tmp_path, peers={"vna": {"title": "VNA", "host": "v", "port": 1}})
    assert 'peers.vna.title: (none) -> "VNA"' in found


def test_a_long_value_is_cut() -> None:
    (change,) = changes({"a": "x" * 5000}, {"a": "y"})
    assert len(str(change)) < 200


def test_a_passcode_is_only_said_to_be_another(tmp_path: Path) -> None:
    first, second = (hash_passcode(word) for word in (b"first", b"second"))
    before = values(tmp_path, listener={"users": {"ann": first}})
    after = values(tmp_path, listener={"users": {"ann": second}})
    (change,) = changes(before, after)
    assert str(change) == "listener.users.ann: secret -> another"
    assert first not in to_text(before)


def test_a_token_is_seen_to_change_and_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FHIR_TOKEN", "first-token")
    fhir = {"url": "https://fhir.example", "token_variable": "FHIR_TOKEN"}
    before = values(tmp_path, fhir=fhir)
    monkeypatch.setenv("FHIR_TOKEN", "second-token")
    after = values(tmp_path, fhir=fhir)
    (change,) = changes(before, after)
    assert str(change) == "fhir.token_variable's value: secret -> another"
    assert 'token"' not in to_text(before)
    assert "first-token" not in to_text(before)


def test_the_records_are_told_apart_by_what_they_are_about(tmp_path: Path) -> None:
    found = changes(
        values(tmp_path),
        values(
            tmp_path,
            peers={"pacs": {"port": 11112}},
            identity={"sex": "accept"},
            retention={"days": 3},
        ),
    )
    records = entries(found, NOW)
    assert [(r.event, r.event_type) for r in records] == [
        ("110113", "110129"),
        ("110113", "110128"),
        ("110113", "110131"),
    ]
    assert records[1].detail == "peers.pacs.port: 104 -> 11112"


def test_each_change_is_a_detail_of_its_message() -> None:
    found = changes({f"k{n}": "1" for n in range(300)}, {})
    (record,) = entries(found, NOW)
    assert record.message.count("<ParticipantObjectDetail ") == 300


def test_another_secret_at_the_provider_is_said_to_be_another(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    own: Table = {
        "issuer": "https://login.example",
        "client_id": "us",
        "secret_file": str(secret),
        "roles": {"readers": "viewer"},
    }
    told_of = []
    for text in ("first", "second"):
        secret.write_text(text)
        told_of.append(values(tmp_path, openid=own))
    found = changes(*told_of)
    assert [str(each) for each in found] == ["openid's secret: secret -> another"]
    (entry,) = entries(found, NOW)
    assert entry.event_type == codes.SECURITY_CONFIGURATION.value
    promoted = values(tmp_path, openid={**own, "roles": {"readers": "auditor"}})
    (change,) = changes(told_of[1], promoted)
    assert str(change) == 'openid.roles.readers: "viewer" -> "auditor"'
