"""A provider that lies, is slow, or is not there; on loopback."""

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.errors import NotReady, ProviderFailure
from gateway.openid.checking import LEEWAY_SECONDS
from gateway.openid.fetching import MAX_ANSWER_BYTES
from gateway.openid.provider import AT_ONCE, Answer, Flow, Provider, provider_of
from gateway.site import utc_now
from tests.data.lying_provider import ACCESS, CLIENT, Lying, lying_provider, send
from tests.data.peers import until

FLOW = Flow(redirect="http://here/back", state="s", nonce="nonce", verifier="v" * 43)
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
LAX = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
LAX.max_header_length = 8192
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lying]:
    with lying_provider(tmp_path_factory.mktemp("lying"), KEY) as opened:
        yield opened


@pytest.fixture
def lying(running: Lying) -> Iterator[Lying]:
    yield running
    running.forget()


def claims_of(lying: Lying, issuer: str | None = None) -> dict[str, object]:
    provider = Provider(lying.settings())
    answer = Answer(code="c", issuer=issuer)
    return dict(provider.claims_of(answer, FLOW, utc_now()))


def why_not(lying: Lying, issuer: str | None = None) -> str:
    with pytest.raises(ProviderFailure) as caught:
        claims_of(lying, issuer)
    return str(caught.value)


def test_an_honest_token_is_believed(lying: Lying) -> None:
    assert claims_of(lying)["preferred_username"] == "anna"
    assert lying.asked == [DISCOVERY, "/keys", "/token"]


def test_a_browser_is_sent_with_state_nonce_and_challenge(lying: Lying) -> None:
    provider = Provider(lying.settings(prompt="login", scopes=["openid", "groups"]))
    address = provider.authorization_address(FLOW)
    asked = {
        name: value for name, (value,) in parse_qs(urlsplit(address).query).items()
    }
    assert address.startswith(f"{lying.issuer}/auth?")
    # base64url(SHA-256("v" * 43)), by openssl
    assert asked.pop("code_challenge") == "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": FLOW.redirect,
        "scope": "openid groups",
        "state": "s",
        "nonce": "nonce",
        "code_challenge_method": "S256",
        "prompt": "login",
    }


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://evil.example"}, "invalid_claim iss"),
        ({"iss": None}, "missing_claim iss"),
        ({"aud": "another"}, "invalid_claim aud"),
        ({"aud": "another", "azp": CLIENT}, "invalid_claim aud"),
        ({"aud": [CLIENT, "another"]}, "missing_claim azp"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "invalid_claim azp"),
        ({"aud": None}, "missing_claim aud"),
        ({"exp": NOW - LEEWAY_SECONDS - 5}, "expired_token exp"),
        ({"exp": None}, "missing_claim exp"),
        ({"exp": "tomorrow"}, "invalid_claim exp"),
        ({"iat": NOW + 10**6}, "invalid_claim iat"),
        ({"nonce": "another"}, "invalid_claim nonce"),
        ({"nonce": None}, "missing_claim nonce"),
        ({"sub": None}, "missing_claim sub"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "invalid_claim at_hash"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_token_for_somebody_else_is_refused(
    lying: Lying, claims: dict[str, object], why: str
) -> None:
    lying.claims = claims
    assert why_not(lying).startswith(f"its token: {why}")


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"kid": "unheard-of"},
        {"kid": None},
        {"jwk": OTHER.as_dict(private=False), "jku": "https://evil.example/keys"},
    ],
    ids=["same name", "another name", "no name", "a key of its own"],
)
def test_a_token_that_is_not_signed_by_the_provider_is_refused(
    lying: Lying, header: dict[str, object]
) -> None:
    def sign(said: dict[str, object], claims: dict[str, object]) -> str:
        named = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(named, claims, OTHER, registry=LAX)

    lying.header, lying.sign = header, sign
    assert why_not(lying) == "its token is signed by nobody known"
    assert lying.asked.count("/keys") == 2, "they may have changed"


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_anybody_could_sign_is_refused(
    lying: Lying, algorithm: str
) -> None:
    """HS256 with the public key as its secret is the oldest trick (RFC 8725 2.1)."""

    def sign(header: dict[str, object], claims: dict[str, object]) -> str:
        parts = [encoded(json.dumps(each).encode()) for each in (header, claims)]
        text = ".".join(parts)
        secret = KEY.as_pem(private=False)
        made = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        return f"{text}.{encoded(made) if algorithm == 'HS256' else ''}"

    lying.header, lying.sign = {"alg": algorithm}, sign
    lying.discovery = {"id_token_signing_alg_values_supported": ["RS256", algorithm]}
    assert why_not(lying) == "its token: unsupported_algorithm"


def test_keys_that_the_provider_has_changed_are_asked_for_again(lying: Lying) -> None:
    provider = Provider(lying.settings())
    answer = Answer(code="c", issuer=None)
    provider.claims_of(answer, FLOW, utc_now())
    lying.key = ECKey.generate_key("P-256", {"kid": "two"})
    lying.header = {"alg": "ES256"}
    lying.discovery = {"id_token_signing_alg_values_supported": ["RS256", "ES256"]}
    with pytest.raises(ProviderFailure):  # ES256 was not announced when it was asked
        provider.claims_of(answer, FLOW, utc_now())
    fresh = Provider(lying.settings())
    assert fresh.claims_of(answer, FLOW, utc_now())["sub"] == "s-1"
    lying.key = ECKey.generate_key("P-256", {"kid": "three"})
    assert fresh.claims_of(answer, FLOW, utc_now())["sub"] == "s-1"


@pytest.mark.parametrize("named", ["https://evil.example", ""])
def test_an_answer_of_another_provider_is_not_redeemed(
    lying: Lying, named: str
) -> None:
    """Else its code would be shown to ours, or ours to it (RFC 9207 1)."""
    assert why_not(lying, named) == "the answer is of another provider"
    assert "/token" not in lying.asked
    lying.discovery = {"authorization_response_iss_parameter_supported": True}
    assert why_not(lying, None) == "the answer is of another provider"
    assert claims_of(lying, lying.issuer)["sub"] == "s-1"


def test_userinfo_of_somebody_else_is_refused(lying: Lying) -> None:
    lying.claims = {"groups": None}
    lying.userinfo = {"sub": "s-2", "groups": ["it"]}
    assert why_not(lying) == "its userinfo is about somebody else"
    lying.userinfo = {"groups": ["it"], "preferred_username": "eve"}
    claims = claims_of(lying)
    assert (claims["groups"], claims["preferred_username"]) == (["it"], "anna")


def nothing(handler: BaseHTTPRequestHandler) -> None:
    """Wait until whoever asked hangs up, as the two below do."""
    handler.connection.settimeout(60)
    handler.connection.recv(1)


def body_by_drops(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def head_by_drops(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(600):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize("slow", [nothing, body_by_drops, head_by_drops])
def test_a_slow_answer_is_given_up_in_time(
    lying: Lying,
    slow: Callable[[BaseHTTPRequestHandler], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.openid.provider.PAUSE_SECONDS", 600.0)
    lying.raw = {DISCOVERY: slow}
    provider = Provider(lying.settings(deadline_seconds=0.4))
    with pytest.raises(ProviderFailure, match=r"no answer within 0\.4 s"):
        provider.authorization_address(FLOW)
    with pytest.raises(ProviderFailure, match="did not answer just now"):
        provider.authorization_address(FLOW)
    until(lambda: bool(lying.asked), 30, "what was asked is read")
    assert len(lying.asked) == 1


def too_long(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b" " * (MAX_ANSWER_BYTES + 1))


def packed(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"x", Content_Encoding="gzip")


def moved(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"", 302, Location="http://127.0.0.1:1/")


def failing(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"{}", 500)


def deep(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"[" * 100_000)


def odd(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b'{"access_token": 1, "id_token": [], "expires_in": "soon"}')


def refusing(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b'{"error": "<b>hush</b>", "error_description": "hush"}', 400)


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")
    handler.close_connection = True


ANSWERS = (too_long, packed, moved, failing, deep, odd, refusing, no_http)


@pytest.mark.parametrize("path", [DISCOVERY, "/keys", "/token", "/userinfo"])
def test_an_answer_that_is_none_is_a_failure_of_the_provider(
    lying: Lying, path: str
) -> None:
    lying.claims = {"groups": None}
    for answer in ANSWERS:
        lying.raw = {path: answer}
        why = why_not(lying)
        assert "hush" not in why
        assert len(why) < 250


def test_few_wait_for_the_provider_at_one_time(lying: Lying) -> None:
    release = Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        release.wait(60)
        send(handler, b"{}")

    lying.raw = {DISCOVERY: wait}
    provider = Provider(lying.settings(deadline_seconds=60.0))

    def ask(_number: int) -> str:
        try:
            return provider.authorization_address(FLOW)
        except ProviderFailure as error:
            return str(error)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        waiting = [threads.submit(ask, number) for number in range(AT_ONCE)]
        while len(lying.asked) < AT_ONCE:
            time.sleep(0.01)
        assert ask(0) == "too many wait for it"
        release.set()
        assert {each.result() for each in waiting} != {"too many wait for it"}


def test_where_to_sign_out_is_what_the_provider_says(
    lying: Lying, caplog: pytest.LogCaptureFixture
) -> None:
    assert Provider(lying.settings()).logout_address("http://here/login") is None
    lying.discovery = {"end_session_endpoint": f"{lying.issuer}/end?x=1#y"}
    address = Provider(lying.settings()).logout_address("http://here/login")
    told = f"client_id={CLIENT}&post_logout_redirect_uri=http%3A%2F%2Fhere%2Flogin"
    assert address == f"{lying.issuer}/end?x=1&{told}"
    lying.raw = {DISCOVERY: failing}
    with caplog.at_level(logging.WARNING):
        assert Provider(lying.settings()).logout_address("http://here/login") is None
    assert "nobody is signed out at the OpenID provider: status 500" in caplog.text


def test_no_secret_and_no_token_is_logged(
    lying: Lying, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        claims_of(lying)
    for secret in ("hush", ACCESS, FLOW.verifier, "Basic "):
        assert secret not in caplog.text


def test_files_that_cannot_be_read_stop_the_start(lying: Lying, tmp_path: Path) -> None:
    own = lying.settings(authority=str(tmp_path / "none.pem"))
    with pytest.raises(NotReady, match=r"^openid\.authority: cannot be read"):
        provider_of(own)
    own = lying.settings()
    (lying.folder / "secret").unlink()
    with pytest.raises(NotReady, match=r"^openid\.secret_file: no such file"):
        provider_of(own)
