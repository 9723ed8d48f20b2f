import json

import pytest

from gateway.errors import ProviderFailure
from gateway.openid.discovery import address_of, read_document

ISSUER = "https://login.example/realms/hospital"
DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": "https://keys.example/jwks",
}


def read(**change: object) -> object:
    return read_document(json.dumps({**DOCUMENT, **change}).encode(), ISSUER)


def test_what_a_document_leaves_out_is_what_the_standard_says() -> None:
    found = read_document(json.dumps(DOCUMENT).encode(), ISSUER)
    assert found.algorithms == ("RS256",)
    assert found.auth_method == "client_secret_basic"
    assert (found.userinfo, found.end_session, found.names_issuer) == (
        None,
        None,
        False,
    )


@pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/"])
def test_a_document_is_where_the_issuer_is(issuer: str) -> None:
    assert address_of(issuer) == f"{ISSUER}/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": f"{ISSUER}/"}, "calls itself otherwise"),
        ({"issuer": None}, "its discovery document: issuer"),
        ({"token_endpoint": 7}, "its discovery document: token_endpoint"),
        ({"token_endpoint": "http://login.example/token"}, "without TLS"),
        ({"jwks_uri": "file:///etc/passwd"}, "without TLS"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "without TLS"),
        ({"end_session_endpoint": "https://a.example/\r\nX: y"}, "without TLS"),
        ({"userinfo_endpoint": "https://u:p@a.example/"}, "without TLS"),
        ({"userinfo_endpoint": "https://[bad/"}, "without TLS"),
        ({"id_token_signing_alg_values_supported": ["none", "HS256"]}, "no algorithm"),
        (
            {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
            "takes no secret",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_document_that_is_not_right_is_refused(
    change: dict[str, object], why: str
) -> None:
    with pytest.raises(ProviderFailure, match=why):
        read(**change)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b"[" * 50_000])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderFailure, match="its discovery document"):
        read_document(body, ISSUER)
