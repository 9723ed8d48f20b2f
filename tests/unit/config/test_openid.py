from pathlib import Path

import pytest

from config.errors import InvalidSettings
from config.load import Table, load_settings, show_settings
from gateway.accounts.roles import AccountRole


@pytest.fixture
def own(tmp_path: Path) -> Table:
    secret = tmp_path / "secret"
    secret.write_text("hush-hush\n")
    return {
        "issuer": "https://login.example/realms/hospital",
        "client_id": "maira-gateway",
        "secret_file": str(secret),
        "roles": {"radiologists": "reviewer"},
    }


def test_there_is_no_provider_unless_a_site_names_one() -> None:
    assert load_settings().openid.issuer == ""


def test_a_secret_comes_from_its_file_and_is_not_shown(own: Table) -> None:
    settings = load_settings(None, {"openid": own})
    assert settings.openid.secret == "hush-hush"  # noqa: S105
    assert "hush" not in repr(show_settings(settings))


def test_a_secret_comes_from_the_environment(
    own: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENID_SECRET", "hush-hush")
    named: Table = {**own, "secret_file": "", "secret_variable": "OPENID_SECRET"}
    assert load_settings(None, {"openid": named}).openid.secret == "hush-hush"  # noqa: S105


def test_every_role_of_an_account_can_be_given(own: Table) -> None:
    roles: Table = {f"group of {role}": role.value for role in AccountRole}
    settings = load_settings(None, {"openid": {**own, "roles": roles}})
    assert {*settings.openid.roles.values()} == {role.value for role in AccountRole}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"issuer": "http://login.example"}, "openid.issuer: https, unless"),
        ({"issuer": "login.example"}, "openid.issuer: a URL"),
        ({"issuer": "https://"}, "openid.issuer: the URL"),
        ({"issuer": "https://login.example?a=b"}, "openid.issuer: the URL"),
        ({"issuer": "https://u:p@login.example"}, "openid.issuer: no password"),
        ({"issuer": ""}, "openid: issuer: name the provider"),
        ({"client_id": " "}, "openid: client_id: is needed"),
        ({"name_claim": ""}, "openid: name_claim: is needed"),
        ({"secret_file": ""}, "openid: give secret_file or secret_variable"),
        ({"scopes": ["profile"]}, 'openid: scopes: "openid" is always'),
        ({"scopes": ["openid", "a b"]}, "openid.scopes.1: "),
        ({"roles": {"cleaners": "king"}}, "openid.roles.cleaners: Input should be"),
        ({"prompt": "none"}, "openid.prompt: Input should be"),
        ({"deadline_seconds": 0.0}, "openid.deadline_seconds: "),
        ({"secret": "hush"}, "openid.secret: is not a setting; allowed here: issuer"),
        ({"secret_file": "hush"}, "openid.secret_file: no such file"),
        ({"secret_variable": "hush"}, "openid.secret_variable: the environment"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_lets_nobody_in_is_refused_and_no_secret_repeated(
    own: Table, change: Table, line: str
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(None, {"openid": {**own, **change}})
    assert str(caught.value).startswith(line)
    assert "hush" not in str(caught.value)


def test_a_provider_without_groups_lets_nobody_in(own: Table) -> None:
    bare = {key: value for key, value in own.items() if key != "roles"}
    with pytest.raises(InvalidSettings, match=r"^openid: roles: name a group"):
        load_settings(None, {"openid": bare})


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 5000])
def test_a_file_that_holds_no_secret_is_refused(own: Table, text: str) -> None:
    Path(str(own["secret_file"])).write_text(text)
    with pytest.raises(InvalidSettings, match=r"^openid\.secret_file: the file holds"):
        load_settings(None, {"openid": own})


def test_a_provider_on_this_machine_needs_no_tls(own: Table) -> None:
    there: Table = {**own, "issuer": "http://127.0.0.1:8081"}
    assert load_settings(None, {"openid": there}).openid.issuer.startswith("http:")
