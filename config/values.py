"""Types of single values of the settings, each with what a wrong one is told."""

import os
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
)

from config.urls import fault_of
from dicom_io.ae import AETitle, certificate_name
from dicom_io.passcodes import is_hash
from dicom_io.results.kinds import SELECTABLE, ResultKind

Item = TypeVar("Item")


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        if isinstance(value, str):
            return ip_network(value)
    except ValueError as error:
        raise ValueError(f'a network, as "10.0.0.0/24": {error}') from error
    raise ValueError('a network, as "10.0.0.0/24"')


def _day(value: object) -> date | Literal[""]:
    if value == "":
        return ""
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError('a day, as "2026-01-31", or ""') from error


def distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Return `items`; raises ValueError where one is named more than once."""
    repeated = sorted({str(item) for item in items if items.count(item) > 1})
    if repeated:
        raise ValueError(f"named more than once: {', '.join(map(repr, repeated))}")
    return items


def _http_url(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise ValueError('a URL, as "https://host/path"')
    if "@" in text.split("//", 1)[-1].split("/", 1)[0]:
        raise ValueError("no password in a URL: name a variable of the environment")
    return text


def _variable(name: str) -> str:
    if name and not os.environ.get(name):
        raise ValueError("the environment has no such variable, or an empty one")
    return name


def secret(variable: str) -> str | None:
    """Return a secret of the environment; None where no variable is named."""
    return os.environ[variable] if variable else None


def _url(text: str) -> str:
    if text and (fault := fault_of(text)):
        raise ValueError(fault)
    return text


def _passcode_hash(text: str) -> str:
    if text and not is_hash(text):
        raise ValueError(
            'what `config passcode` prints, or "" for a user without a passcode'
        )
    return text


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is of this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError('a time zone, as "Europe/Berlin" or "UTC"') from None
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]
Clock = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Day = Annotated[
    date | Literal[""],
    PlainValidator(_day),
    PlainSerializer(str, return_type=str, when_used="json"),
]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
DatabaseUrl = Annotated[str, AfterValidator(_url)]
Title = Annotated[str, AfterValidator(AETitle)]
CertificateName = Annotated[str, AfterValidator(certificate_name)]
RepositoryName = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
UserName = Annotated[str, Field(min_length=1, max_length=64)]
PasscodeHash = Annotated[str, AfterValidator(_passcode_hash)]
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]


def _output(kind: ResultKind) -> ResultKind:
    if kind not in SELECTABLE:
        raise ValueError(f"{kind} is not sent by choice")
    return kind


def _something_said(kinds: tuple[ResultKind, ...]) -> tuple[ResultKind, ...]:
    if not {*kinds} - {ResultKind.REJECTION_NOTE}:
        raise ValueError("name an object that says what the model said")
    return distinct(kinds)


Output = Annotated[ResultKind, AfterValidator(_output)]
Outputs = Annotated[tuple[Output, ...], AfterValidator(_something_said)]
Variable = Annotated[str, AfterValidator(_variable)]
Phrase = Annotated[str, Field(min_length=1, max_length=400)]


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )
