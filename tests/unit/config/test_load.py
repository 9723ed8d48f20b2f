from pathlib import Path

import pytest

from config.errors import InvalidSettings
from config.load import Table, load_settings, merge, show_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_defaults_are_valid_by_themselves() -> None:
    settings = load_settings()
    assert settings.listener.title == "MAIRA_GW"
    assert settings.listener.port == 11112
    assert settings.destination_aes() == ()
    assert settings.archive_ae() is None


def test_a_site_file_changes_only_what_it_names(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "[listener]\nport = 104\n"))
    assert settings.listener.port == 104
    assert settings.listener.title == "MAIRA_GW"


def test_overrides_stand_over_the_site_file(tmp_path: Path) -> None:
    site_file = write(tmp_path, "[listener]\nport = 104\n")
    settings = load_settings(site_file, {"listener": {"port": 0}})
    assert settings.listener.port == 0


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    site_file = write(tmp_path, "[listener]\nprot = 104\n")
    with pytest.raises(InvalidSettings, match=r"^listener\.prot: is not a setting"):
        load_settings(site_file)


def test_an_unknown_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"^listner: is not"):
        load_settings(write(tmp_path, "[listner]\nport = 104\n"))


def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    site_file = write(tmp_path, '[pictures]\nrendering = "nice"\n')
    with pytest.raises(InvalidSettings) as caught:
        load_settings(site_file)
    line = str(caught.value)
    assert line.startswith("pictures.rendering: ")
    assert "'as-trained' or 'voi'" in line
    assert "'nice'" in line


def test_every_wrong_key_has_a_line_of_its_own(tmp_path: Path) -> None:
    text = "[listener]\nport = 70000\nmax_associations = 0\n"
    with pytest.raises(InvalidSettings) as caught:
        load_settings(write(tmp_path, text))
    keys = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert keys == ["listener.port", "listener.max_associations"]


def test_a_destination_must_be_a_peer(tmp_path: Path) -> None:
    site_file = write(tmp_path, '[results]\ndestinations = ["pacs"]\n')
    with pytest.raises(InvalidSettings, match=r"results\.destinations: 'pacs' is not"):
        load_settings(site_file)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    site_file = write(tmp_path, "[listener\n")
    with pytest.raises(InvalidSettings, match=r"site\.toml: is not TOML"):
        load_settings(site_file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"none\.toml: cannot be read"):
        load_settings(tmp_path / "none.toml")


def test_the_ledger_url_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIRA_GATEWAY_LEDGER_URL", "postgresql://gw:secret@db/maira")
    settings = load_settings()
    assert settings.ledger_url == "postgresql://gw:secret@db/maira"


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIRA_GATEWAY_LEDGER_URL", "postgresql://gw:s@cret@db/maira")
    shown = show_settings(load_settings())
    url = "postgresql://gw:***@db/maira"
    assert shown["ledger"] == {"url": url, "password_file": ""}
    assert "@cret" not in repr(shown)


def test_a_password_in_the_query_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "postgresql://db/maira?sslmode=require&sslpassword=hush&passfile=/x/hush"
    monkeypatch.setenv("MAIRA_GATEWAY_LEDGER_URL", url)
    shown = show_settings(load_settings())
    masked = "postgresql://db/maira?sslmode=require&sslpassword=***&passfile=***"
    assert shown["ledger"] == {"url": masked, "password_file": ""}


def with_password_file(
    tmp_path: Path, text: str, url: str = "postgresql://gw@db/m"
) -> Path:
    secret = tmp_path / "secret"
    secret.write_text(text, "utf-8")
    return write(tmp_path, f'[ledger]\nurl = "{url}"\npassword_file = "{secret}"\n')


def test_a_password_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    settings = load_settings(with_password_file(tmp_path, "h/us@h:%\nmore\n"))
    assert settings.ledger_url == "postgresql://gw:h%2Fus%40h%3A%25@db/m"
    shown = show_settings(settings)
    assert shown["ledger"] == {
        "url": "postgresql://gw:***@db/m",
        "password_file": str(tmp_path / "secret"),
    }


@pytest.mark.parametrize(
    ("text", "url", "why"),
    [
        ("", "postgresql://gw@db/m", "is empty"),
        ("\nhush", "postgresql://gw@db/m", "is empty"),
        ("hush", "postgresql://db/m", "needs a user"),
        ("hush", "sqlite:///ledger.sqlite", "needs a user"),
        ("hush", "", "needs a user"),
    ],
)
def test_a_file_without_a_use_or_a_password_is_refused(
    tmp_path: Path, text: str, url: str, why: str
) -> None:
    site_file = with_password_file(tmp_path, text, url)
    with pytest.raises(InvalidSettings, match=r"^ledger\.password_file: ") as caught:
        load_settings(site_file)
    assert why in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    site_file = with_password_file(tmp_path, "hush")
    (tmp_path / "secret").unlink()
    with pytest.raises(InvalidSettings, match="cannot be read: FileNotFoundError"):
        load_settings(site_file)


def test_a_password_file_beside_a_url_with_a_password_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_file = with_password_file(tmp_path, "hush")
    monkeypatch.setenv("MAIRA_GATEWAY_LEDGER_URL", "postgresql://gw:hush@db/maira")
    with pytest.raises(InvalidSettings, match="no password in ledger") as caught:
        load_settings(site_file)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://gw:hush@db/maira", "postgresql://db/maira?password=hush"]
)
def test_a_password_in_the_file_is_refused_and_not_repeated(
    tmp_path: Path, url: str
) -> None:
    site_file = write(tmp_path, f'[ledger]\nurl = "{url}"\n')
    with pytest.raises(InvalidSettings, match="MAIRA_GATEWAY_LEDGER_URL") as caught:
        load_settings(site_file)
    assert "hush" not in str(caught.value)


def test_a_broken_url_of_the_environment_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIRA_GATEWAY_LEDGER_URL", "postgresql:gw:hush@db")
    with pytest.raises(InvalidSettings, match=r"^ledger\.url: ") as caught:
        load_settings()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "allowed"),
    [
        ("[listner]\nport = 1\n", "listner", "storage, ledger, listener, peers"),
        ("[storage]\ndir = 1\n", "storage.dir", "folder, reserve_bytes"),
        ("[peers.p]\naet = 1\n", "peers.p.aet", "title, host, port, networks"),
        ("[peers.tls]\naet = 1\n", "peers.tls.aet", "title, host, port, networks"),
        ("[listener.tls]\nca = 1\n", "listener.tls.ca", "certificate, key, authority"),
        ("[engine.token_limits]\nx = 1\n", "engine.token_limits.x", "findings, "),
    ],
)
def test_an_unknown_key_is_told_with_the_keys_of_its_place(
    tmp_path: Path, text: str, place: str, allowed: str
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(write(tmp_path, text))
    wanted = f"{place}: is not a setting; allowed here: {allowed}"
    assert any(line.startswith(wanted) for line in str(caught.value).splitlines())


def test_what_is_allowed_is_written_as_in_the_file(tmp_path: Path) -> None:
    site_file = write(tmp_path, '[results]\ntasks = ["boxes"]\n')
    with pytest.raises(InvalidSettings) as caught:
        load_settings(site_file)
    assert "should be 'grounded-findings' or 'findings' (" in str(caught.value)


def test_a_date_of_toml_and_a_text_are_the_same_day(tmp_path: Path) -> None:
    head = '[licence]\nacknowledged_by = "R. Doe"\nacknowledged_on = '
    days = [
        load_settings(write(tmp_path, head + day)).licence.acknowledged_on
        for day in ("2026-02-03", '"2026-02-03"')
    ]
    assert days[0] == days[1]


def test_what_is_shown_is_a_valid_site_file() -> None:
    settings = load_settings()
    assert load_settings(None, show_settings(settings)) == settings


def test_merging_keeps_the_keys_of_both_tables() -> None:
    below: Table = {"a": {"x": 1, "y": 2}, "b": [1]}
    above: Table = {"a": {"y": 3}, "b": [2]}
    assert merge(below, above) == {"a": {"x": 1, "y": 3}, "b": [2]}
    assert below == {"a": {"x": 1, "y": 2}, "b": [1]}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a = " + "[" * 5000, "not TOML"),
        ("a = " + "{a = " * 5000, "not TOML"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a" + ".a" * 5000 + " = 1", "deeper than 16"),
        ("a = " + "[" * 40 + "]" * 40, "deeper than 16"),
        ("[listener]\nport = 0x" + "f" * 6000, "cannot be read"),
    ],
    ids=["brackets", "braces", "digits", "dots", "lists", "hexadecimal"],
)
def test_a_file_that_no_person_wrote_is_refused(
    tmp_path: Path, text: str, what: str
) -> None:
    with pytest.raises(InvalidSettings, match=what):
        load_settings(write(tmp_path, text))
