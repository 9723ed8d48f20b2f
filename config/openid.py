"""The table about an OpenID provider, at which people of a site sign in."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from config.values import HttpUrl, Section, Variable, distinct, is_loopback, secret

_LONGEST_SECRET = 4096
_ALTOGETHER = ("client_id", "name_claim", "groups_claim", "label")


def _issuer(text: str) -> str:
    """Refuse what a discovery document cannot be fetched from, or in the clear."""
    parts = urlsplit(text)
    if parts.query or parts.fragment or not (parts.hostname or not text):
        raise ValueError('the URL that the provider gives itself, as "https://host"')
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("https, unless the provider is on this machine")
    return text


def _secret_file(path: str) -> str:
    """Refuse a file that no secret can be read from; what it holds is not told."""
    if path:
        _secret_of(Path(path))
    return path


def _secret_of(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ValueError("no such file, or none that can be read") from None
    if not text or not text.isprintable() or len(text) > _LONGEST_SECRET:
        raise ValueError("the file holds no secret: one line of text is wanted")
    return text


ScopeName = Annotated[str, Field(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]{1,100}$")]
"""A scope (RFC 6749 3.3)."""
RoleName = Literal["viewer", "reviewer", "auditor", "administrator"]
Claim = Annotated[str, Field(max_length=200)]
GroupName = Annotated[str, Field(min_length=1, max_length=255)]


class OpenIdSettings(Section):
    """An OpenID provider; an empty `issuer`: there is none."""

    issuer: Annotated[HttpUrl, AfterValidator(_issuer)]
    client_id: Annotated[str, Field(max_length=255)]
    secret_file: Annotated[str, AfterValidator(_secret_file)]
    secret_variable: Variable
    scopes: Annotated[tuple[ScopeName, ...], AfterValidator(distinct)]
    name_claim: Claim
    groups_claim: Claim
    label: Annotated[str, Field(max_length=40)]
    prompt: Literal["", "login", "select_account"]
    authority: str
    deadline_seconds: PositiveFloat
    roles: dict[GroupName, RoleName] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """Refuse a provider at which nobody could sign in."""
        if not self.issuer:
            if self.client_id or self.roles:
                raise ValueError("issuer: name the provider, or nothing of it")
            return self
        for key in _ALTOGETHER:
            if not getattr(self, key).strip():
                raise ValueError(f"{key}: is needed with an issuer")
        if bool(self.secret_file) == bool(self.secret_variable):
            raise ValueError("give secret_file or secret_variable, one of the two")
        if "openid" not in self.scopes:
            raise ValueError('scopes: "openid" is always one of them')
        if not self.roles:
            raise ValueError("roles: name a group and its role, or nobody gets in")
        return self

    @property
    def secret(self) -> str:
        """The secret of the client; raises ValueError where the file lost it."""
        if self.secret_file:
            return _secret_of(Path(self.secret_file))
        return secret(self.secret_variable) or ""
