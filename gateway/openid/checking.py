"""Is an ID token what was asked for (OpenID Connect Core 1.0, 3.1.3.7)? Pure.

The signature is checked by joserfc, which Authlib builds on, and the claims by Authlib.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from gateway.errors import ProviderFailure, UnknownKey

LEEWAY_SECONDS = 60
"""By how much the clocks may differ."""

Claims = Mapping[str, object]


class _Registry(JWSRegistry):
    """Some providers put their certificates into the header of a token."""

    max_header_length = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a token must say, and the access token that came with it."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: Sequence[str]
    access_token: str


def read_keys(document: object) -> KeySet:
    """Return the keys of a JWKS (RFC 7517); raises ProviderFailure."""
    try:
        return KeySet.import_key_set(document)  # type: ignore[arg-type]
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProviderFailure("its keys cannot be read") from error


def check_token(text: str, keys: KeySet, wanted: Wanted, now: datetime) -> Claims:
    """Return what a token claims.

    Raises UnknownKey where none of `keys` has signed it, and ProviderFailure for
    whatever else is wrong. The message names the claim, and never what it holds.
    """
    algorithms = list(wanted.algorithms)
    registry = _Registry(algorithms=algorithms, strict_check_header=False)
    try:
        token = jwt.decode(text, keys, registry=registry)
        claims = CodeIDToken(
            token.claims, token.header, _options(wanted), _parameters(wanted)
        )
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except (InvalidKeyIdError, BadSignatureError) as error:
        raise UnknownKey("its token is signed by nobody known") from error
    except (JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProviderFailure(f"its token: {_why(error)}") from error
    return dict(claims)


def _options(wanted: Wanted) -> dict[str, dict[str, object]]:
    return {
        "iss": {"essential": True, "value": wanted.issuer},
        "aud": {"essential": True, "values": [wanted.client_id]},
        "sub": {"essential": True},
        "nonce": {"essential": True},
    }


def _parameters(wanted: Wanted) -> dict[str, str]:
    return {
        "client_id": wanted.client_id,
        "nonce": wanted.nonce,
        "access_token": wanted.access_token,
    }


def _why(error: Exception) -> str:
    claim = getattr(error, "claim", None) or getattr(error, "claim_name", None)
    kind = getattr(error, "error", None) or type(error).__name__
    return f"{kind} {claim}" if claim else str(kind)
