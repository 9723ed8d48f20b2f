from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_settings
from config.openid import OpenIdSettings
from gateway.accounts.roles import PERMISSIONS, AccountRole, widest
from gateway.errors import ProviderFailure
from gateway.openid.identity import groups_in, vouched

VIEWER, REVIEWER = AccountRole.VIEWER, AccountRole.REVIEWER
AUDITOR, ADMINISTRATOR = AccountRole.AUDITOR, AccountRole.ADMINISTRATOR


@pytest.fixture
def own(tmp_path: Path) -> OpenIdSettings:
    secret = tmp_path / "secret"
    secret.write_text("hush")
    table = {
        "issuer": "https://login.example",
        "client_id": "us",
        "secret_file": str(secret),
        "roles": {"readers": "viewer", "radiologists": "reviewer"},
    }
    return load_settings(None, {"openid": table}).openid  # type: ignore[dict-item]


def test_somebody_is_who_the_provider_says(own: OpenIdSettings) -> None:
    claims = {
        "sub": "s-1",
        "preferred_username": "Anna",
        "groups": ["others", "readers", "radiologists", 7, None],
    }
    who = vouched(claims, own)
    assert (who.issuer, who.subject, who.name) == (own.issuer, "s-1", "Anna")
    assert who.roles == {VIEWER, REVIEWER}


@pytest.mark.parametrize("name", [None, 7, ["anna"], {}])
def test_a_name_that_is_no_text_is_none(own: OpenIdSettings, name: object) -> None:
    who = vouched({"sub": "s-1", "preferred_username": name}, own)
    assert (who.name, who.roles) == (None, frozenset())


@pytest.mark.parametrize("subject", [None, 7, "", "x" * 256, "é", "a\nb"])
def test_nobody_is_vouched_for_without_a_subject(
    own: OpenIdSettings, subject: object
) -> None:
    with pytest.raises(ProviderFailure, match="names nobody"):
        vouched({"sub": subject}, own)


@pytest.mark.parametrize(
    ("claims", "claim", "groups"),
    [
        ({"groups": ["a", "b"]}, "groups", ["a", "b"]),
        ({"groups": "a b"}, "groups", ["a b"]),
        ({"groups": {"a": 1}}, "groups", []),
        ({}, "groups", []),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"realm_access": ["a"]}, "realm_access.roles", []),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", ["a"]),
        ({"a.b": ["flat"], "a": {"b": ["deep"]}}, "a.b", ["flat"]),
    ],
    ids=str,
)
def test_groups_are_where_the_claim_says(
    claims: dict[str, object], claim: str, groups: list[str]
) -> None:
    assert sorted(groups_in(claims, claim)) == groups


@pytest.mark.parametrize(
    ("roles", "taken"),
    [
        ((), None),
        ((AUDITOR,), AUDITOR),
        ((VIEWER, REVIEWER), REVIEWER),
        ((VIEWER, ADMINISTRATOR), ADMINISTRATOR),
        ((REVIEWER, ADMINISTRATOR), None),
        ((AUDITOR, ADMINISTRATOR), None),
        ((VIEWER, AUDITOR), None),
        (tuple(AccountRole), None),
    ],
    ids=str,
)
def test_of_several_roles_the_one_counts_that_holds_the_others(
    roles: tuple[AccountRole, ...], taken: AccountRole | None
) -> None:
    assert widest(frozenset(roles)) is taken


@given(st.frozensets(st.sampled_from(AccountRole)))
def test_no_group_gives_more_than_one_of_the_roles_has(
    roles: frozenset[AccountRole],
) -> None:
    role = widest(roles)
    if role is not None:
        assert role in roles
        assert all(PERMISSIONS[each] <= PERMISSIONS[role] for each in roles)
