"""The OpenID provider of a site: where people are sent, and what it says of them.

What it says about itself and its keys are remembered for a while, which every process
does for itself. So few may wait for it at one time that whoever signs in with a
password here is not kept waiting by a provider that does not answer.
"""

import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from httpx2 import BasicAuth, HTTPError, InvalidURL, Response
from joserfc.jwk import KeySet

from config.openid import OpenIdSettings
from gateway.errors import NotReady, ProviderFailure, UnknownKey
from gateway.openid import discovery
from gateway.openid.checking import Claims, Wanted, check_token, read_keys
from gateway.openid.discovery import Endpoints
from gateway.openid.fetching import BoundedTransport, Limits

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Requests that may wait for the provider, of the handlers that run at one time."""

FRESH_SECONDS = 600.0
"""How long what it said about itself is taken for true."""

PAUSE_SECONDS = 5.0
"""How long it is not asked again after it did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One sign-in: what its answer must show, made before the browser is sent there.

    `redirect` is where the browser comes back to.
    """

    redirect: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a browser brings back. `issuer` is None where it names no provider."""

    code: str
    issuer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    endpoints: Endpoints
    keys: KeySet
    until: float


class Provider:
    """A provider as the settings name it."""

    def __init__(self, own: OpenIdSettings) -> None:
        """Take the secret and the certificates; raises NotReady."""
        self._own = own
        self._secret = _secret_of(own)
        self._limits = Limits(seconds=own.deadline_seconds, context=_context_of(own))
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._known: _Known | None = None
        self._silent_until = 0.0

    @property
    def issuer(self) -> str:
        """What the provider calls itself."""
        return self._own.issuer

    @property
    def own(self) -> OpenIdSettings:
        """What the settings say about it."""
        return self._own

    def authorization_address(self, flow: Flow) -> str:
        """Return where a browser is sent to sign in; raises ProviderFailure."""
        with self._turn(), self._client() as client:
            asked = {"prompt": self._own.prompt} if self._own.prompt else {}
            address, _ = client.create_authorization_url(
                self._look().endpoints.authorization,
                state=flow.state,
                code_verifier=flow.verifier,
                redirect_uri=flow.redirect,
                nonce=flow.nonce,
                **asked,
            )
        return str(address)

    def claims_of(self, answer: Answer, flow: Flow, now: datetime) -> Claims:
        """Return what the provider says of whom it gave a code; raises ProviderFailure.

        The claims of the ID token, and of the userinfo endpoint those that it lacks.
        """
        with self._turn(), self._client() as client:
            known = self._look()
            self._demand_ours(answer, known.endpoints)
            tokens = self._redeem(client, known.endpoints, answer.code, flow)
            wanted = Wanted(
                issuer=self._own.issuer,
                client_id=self._own.client_id,
                nonce=flow.nonce,
                algorithms=known.endpoints.algorithms,
                access_token=tokens["access_token"],
            )
            claims = self._check(tokens["id_token"], known, wanted, now)
            if self._says_enough(claims) or known.endpoints.userinfo is None:
                return claims
            return {**_userinfo(client, known.endpoints.userinfo, claims), **claims}

    def logout_address(self, back: str) -> str | None:
        """Return where a browser is sent to sign out there; None: nowhere.

        back : where it may come back to. No token goes with it, as none is kept: so
        most providers ask the person once more (RP-Initiated Logout 1.0, 2).
        """
        try:
            with self._turn():
                address = self._look().endpoints.end_session
        except ProviderFailure as error:
            logger.warning("nobody is signed out at the OpenID provider: %s", error)
            return None
        if address is None:
            return None
        parts = urlsplit(address)
        told = {"client_id": self._own.client_id, "post_logout_redirect_uri": back}
        query = "&".join(each for each in (parts.query, urlencode(told)) if each)
        return urlunsplit(parts._replace(query=query, fragment=""))

    def _demand_ours(self, answer: Answer, endpoints: Endpoints) -> None:
        """Refuse an answer that another provider gave (RFC 9207 2.4)."""
        is_named = answer.issuer is not None or endpoints.names_issuer
        if is_named and answer.issuer != self._own.issuer:
            raise ProviderFailure("the answer is of another provider")

    def _says_enough(self, claims: Claims) -> bool:
        own = self._own
        heads = (own.name_claim, own.groups_claim, own.groups_claim.partition(".")[0])
        return heads[0] in claims and (heads[1] in claims or heads[2] in claims)

    def _look(self) -> _Known:
        """Return what the provider says about itself, asked anew from time to time."""
        known = self._known
        if known is not None and time.monotonic() < known.until:
            return known
        if time.monotonic() < self._silent_until:
            raise ProviderFailure("it did not answer just now")
        try:
            self._known = known = self._ask()
        except ProviderFailure:
            self._silent_until = time.monotonic() + PAUSE_SECONDS
            raise
        return known

    def _ask(self) -> _Known:
        with self._client() as client:
            where = discovery.address_of(self._own.issuer)
            body = _body_of(client.request("GET", where, withhold_token=True))
            endpoints = discovery.read_document(body, self._own.issuer)
            keys = self._keys(client, endpoints)
        until = time.monotonic() + FRESH_SECONDS
        return _Known(endpoints=endpoints, keys=keys, until=until)

    def _keys(self, client: OAuth2Client, endpoints: Endpoints) -> KeySet:
        answer = client.request("GET", endpoints.keys, withhold_token=True)
        return read_keys(_json_of(answer))

    def _check(
        self, token: str, known: _Known, wanted: Wanted, now: datetime
    ) -> Claims:
        """Check a token; keys that the provider has changed meanwhile are asked for."""
        try:
            return check_token(token, known.keys, wanted, now)
        except UnknownKey:
            self._known = known = self._ask()
            return check_token(token, known.keys, wanted, now)

    def _redeem(
        self, client: OAuth2Client, endpoints: Endpoints, code: str, flow: Flow
    ) -> Mapping[str, str]:
        answer = client.fetch_token(
            endpoints.token,
            grant_type="authorization_code",
            code=code,
            code_verifier=flow.verifier,
            redirect_uri=flow.redirect,
            auth=self._authentication(client, endpoints),
        )
        tokens = {name: answer.get(name) for name in ("access_token", "id_token")}
        if not all(isinstance(each, str) for each in tokens.values()):
            raise ProviderFailure("its answer to the code holds no ID token")
        return tokens

    def _authentication(self, client: OAuth2Client, endpoints: Endpoints) -> object:
        """Show the secret, escaped as RFC 6749 2.3.1 wants it in a header."""
        if endpoints.auth_method == "client_secret_basic":
            return BasicAuth(
                quote(self._own.client_id, safe=""), quote(self._secret, safe="")
            )
        return client.client_auth(endpoints.auth_method)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Take one of a few places, at once or not at all; say nothing but our own."""
        if not self._turns.acquire(blocking=False):
            raise ProviderFailure("too many wait for it")
        try:
            yield
        except OAuthError as error:
            raise ProviderFailure(f"it refuses: {known_code(error.error)}") from error
        except (HTTPError, InvalidURL, ValueError, RecursionError) as error:
            raise ProviderFailure(f"it answers nonsense: {type(error).__name__}") from (
                error
            )
        finally:
            self._turns.release()

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            client_id=self._own.client_id,
            client_secret=self._secret,
            scope=" ".join(self._own.scopes),
            code_challenge_method="S256",
            transport=BoundedTransport(self._limits),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )


def provider_of(own: OpenIdSettings) -> Provider | None:
    """Return the provider that the settings name; None: none. Raises NotReady."""
    return Provider(own) if own.issuer else None


def _userinfo(client: OAuth2Client, address: str, claims: Claims) -> Claims:
    """Return what else is said of the person of an ID token (Core 1.0, 5.3.2)."""
    said = _json_of(client.request("GET", address))
    if not isinstance(said, dict) or said.get("sub") != claims["sub"]:
        raise ProviderFailure("its userinfo is about somebody else")
    return said


def _json_of(answer: Response) -> object:
    said: object = json.loads(_body_of(answer))
    return said


def _body_of(answer: Response) -> bytes:
    if answer.status_code != 200:
        raise ProviderFailure(f"status {answer.status_code}")
    return answer.content


def known_code(error: object) -> str:
    """Return a code of an error (RFC 6749 5.2); of anything else, that it is none."""
    text = str(error)
    plain = text.isascii() and text.replace("_", "").isalpha() and len(text) <= 40
    return text if plain else "no error that is known"


def _secret_of(own: OpenIdSettings) -> str:
    try:
        return own.secret
    except ValueError as error:
        raise NotReady(f"openid.secret_file: {error}") from error


def _context_of(own: OpenIdSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=own.authority or None)
    except OSError as error:
        raise NotReady(f"openid.authority: cannot be read: {error}") from error
