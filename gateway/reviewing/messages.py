"""An audit message taken apart for a person: what it says, part by part; pure."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from gateway.reviewing.exports import is_message

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=ID)(?=[A-Z][a-z])")
_CODED = frozenset({"csd-code", "codeSystemName", "originalText"})
_SEALED = re.compile(r"sealed:\d+:[\w=-]+", re.ASCII)

SEALED = "sealed"
"""Stands for what is only shown when somebody asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a message, such as one participant, and what it says."""

    title: str
    facts: tuple[tuple[str, str], ...]


def parts_of(message: str) -> list[Part]:
    """Return the parts of a message; none of one that was altered beyond reading."""
    if not is_message(message):
        return []
    root = ET.fromstring(message.encode())  # noqa: S314 - has no definitions
    return [Part(title=_spoken(part.tag), facts=tuple(_facts(part))) for part in root]


def hide_sealed(message: str) -> str:
    """Return the message with a word in place of each sealed text."""
    return _SEALED.sub(SEALED, message)


def _facts(part: ET.Element) -> Iterator[tuple[str, str]]:
    for name, value in part.attrib.items():
        yield _spoken(name), _shown(value)
    for child in part:
        yield from _told(child)


def _told(child: ET.Element) -> Iterator[tuple[str, str]]:
    title = _spoken(child.tag)
    if _CODED & child.attrib.keys():
        yield title, _code(child)
        return
    if child.tag == "ParticipantObjectDetail":
        yield child.get("type", title), _decoded(child.get("value", ""))
        return
    if child.tag == "ParticipantObjectQuery":
        yield title, _decoded(child.text or "")
        return
    if child.text:
        yield title, _shown(child.text)
    for name, value in child.attrib.items():
        yield f"{title}: {_spoken(name)}", _shown(value)
    for below in child:
        yield _spoken(below.tag), ", ".join(map(_shown, below.attrib.values()))


def _code(element: ET.Element) -> str:
    value, scheme = element.get("csd-code", ""), element.get("codeSystemName", "")
    meaning = element.get("originalText")
    return f"{meaning} ({value}, {scheme})" if meaning else value


def _decoded(text: str) -> str:
    try:
        return _shown(b64decode(text, validate=True).decode("utf-8", "replace"))
    except (NotBase64, ValueError):
        return _shown(text)


def _shown(text: str) -> str:
    return SEALED if _SEALED.fullmatch(text) else text


def _spoken(name: str) -> str:
    """Return an XML name in words: EventOutcomeIndicator, Event outcome indicator."""
    words = _WORDS.sub(" ", name).split()
    rest = [word if word.isupper() or word == "ID" else word.lower() for word in words]
    return " ".join([words[0], *rest[1:]]) if words else name
