"""What a provider says about itself (OpenID Connect Discovery 1.0, 3); pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from gateway.errors import ProviderFailure

_ASYMMETRIC = frozenset(
    {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)}
    | {"EdDSA", "Ed25519"}
)
"""How a token may be signed: by a key that the provider alone has."""


class _Document(BaseModel):
    """The part of the document that is used here, each value of its type."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    id_token_signing_alg_values_supported: list[str] = Field(default=["RS256"])
    token_endpoint_auth_methods_supported: list[str] = Field(
        default=["client_secret_basic"]
    )
    code_challenge_methods_supported: list[str] = Field(default=["S256"])
    authorization_response_iss_parameter_supported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where and how a provider is asked.

    userinfo, end_session : None: the provider has none.
    names_issuer : whether every answer says whose it is (RFC 9207).
    """

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    algorithms: tuple[str, ...]
    auth_method: str
    names_issuer: bool


def address_of(issuer: str) -> str:
    """Return where the document of a provider is."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def read_document(body: bytes, issuer: str) -> Endpoints:
    """Return what a document says; raises ProviderFailure for one that is not right.

    `issuer` is what the settings say: another one would be another provider.
    """
    try:
        said = _Document.model_validate_json(body)
    except ValidationError as error:
        places = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
        wrong = ", ".join(places)[:200] or "it is no JSON"
        raise ProviderFailure(f"its discovery document: {wrong}") from error
    if said.issuer != issuer:
        raise ProviderFailure("it calls itself otherwise than openid.issuer")
    return Endpoints(
        authorization=_demand_safe(said.authorization_endpoint, issuer),
        token=_demand_safe(said.token_endpoint, issuer),
        keys=_demand_safe(said.jwks_uri, issuer),
        userinfo=_safe(said.userinfo_endpoint, issuer),
        end_session=_safe(said.end_session_endpoint, issuer),
        algorithms=_algorithms(said.id_token_signing_alg_values_supported),
        auth_method=_auth_method(said.token_endpoint_auth_methods_supported),
        names_issuer=said.authorization_response_iss_parameter_supported,
    )


def _safe(address: str | None, issuer: str) -> str | None:
    return None if address is None else _demand_safe(address, issuer)


def _demand_safe(address: str, issuer: str) -> str:
    """Refuse an address in the clear, unless the provider is on this machine."""
    try:
        parts = urlsplit(address)
        schemes = {"https", urlsplit(issuer).scheme}
        usable = parts.scheme in schemes and parts.hostname and not parts.username
    except ValueError:
        usable = False
    if not usable or not address.isprintable() or " " in address:
        raise ProviderFailure("its discovery document names an address without TLS")
    return address


def _algorithms(said: list[str]) -> tuple[str, ...]:
    """Refuse `none`, and what is signed with a secret that we know too."""
    found = tuple(each for each in said if each in _ASYMMETRIC)
    if not found:
        raise ProviderFailure("it signs tokens by no algorithm that is taken here")
    return found


def _auth_method(said: list[str]) -> str:
    for each in ("client_secret_basic", "client_secret_post"):
        if each in said:
            return each
    raise ProviderFailure("it takes no secret of a client")
