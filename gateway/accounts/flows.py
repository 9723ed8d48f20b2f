"""Browsers on their way to an OpenID provider and back: once each, for ten minutes.

The browser keeps one secret. What goes to the provider is made from it and tells
nothing of it: the `state` that must come back, the `nonce` of the token, and the
verifier of PKCE (RFC 7636), which 64 digits are long enough for.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.accounts.records import FlowRecord
from gateway.accounts.secrets import digest_of, is_same
from gateway.accounts.sessions import UNKNOWN
from gateway.accounts.throttle import Counted, begin_elsewhere
from gateway.audit import AuditEntry, kinds, parts
from gateway.errors import FlowRefused
from gateway.ledger import Ledger

LASTS = timedelta(minutes=10)

BY_PROVIDER = "by OpenID Connect"
"""How somebody signed in, as the audit says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What the answer to a sign-in must show."""

    state: str
    nonce: str
    verifier: str


def proofs_of(secret: str) -> Proofs:
    """Return what is made from the secret of a browser."""
    return Proofs(
        state=_made(secret, "state"),
        nonce=_made(secret, "nonce"),
        verifier=_made(secret, "verifier"),
    )


def begin(
    ledger: Ledger, secret: str, destination: str, address: str, now: datetime
) -> None:
    """Expect the browser with this secret back from the provider.

    destination : the path here that it is led to then. Raises TooManyFailures for an
    address from which too many do not come back; the last one is recorded.
    """
    with ledger.writing() as rows:
        counted = begin_elsewhere(rows, address, now)
        rows.forget_flows(now)
        rows.add_flow(
            FlowRecord(
                digest=digest_of(secret),
                destination=destination,
                attempt=counted.numbers[0],
                expires_at=now + LASTS,
            )
        )
        if counted.is_last:
            rows.append_audit(
                failed("too many that did not end", address, now, counted)
            )


def take(
    ledger: Ledger, secret: str | None, state: str, address: str, now: datetime
) -> FlowRecord:
    """Return the flow of a browser that is back, and end it.

    Whoever does not show the state ends nothing: so nobody ends the sign-in of another
    by a link. Raises FlowRefused, which is recorded, and TooManyFailures.
    """
    flow = None
    with ledger.writing() as rows:
        if secret is not None and is_same(proofs_of(secret).state, state):
            flow = rows.take_flow(digest_of(secret))
        if flow is not None and flow.expires_at > now:
            return flow
        counted = begin_elsewhere(rows, address, now)
        rows.append_audit(failed("not begun here, or over", address, now, counted))
    raise FlowRefused("this sign-in was not begun here, or is over: begin again")


def failed(
    why: str, address: str, now: datetime, counted: Counted | None = None
) -> AuditEntry:
    """Return the record of a sign-in that came to nothing, by nobody known."""
    by = parts.Person(name=UNKNOWN, address=address)
    locked = counted is not None and counted.is_last
    return kinds.login_failed(by, f"{BY_PROVIDER}: {why}", now, locked=locked)


def _made(secret: str, what: str) -> str:
    key = secret.encode("utf-8", "surrogateescape")
    return hmac.new(key, f"openid {what}".encode(), hashlib.sha256).hexdigest()
