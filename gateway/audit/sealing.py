"""The words of a message that tell who a patient is: sealed, and shown again; pure.

Sealed are the Patient ID, what was asked in a query, and what a person said of a
patient. A sealed text names its key, so it is known when that key is destroyed.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

from gateway.audit import codes
from gateway.audit.message import (
    ObjectRole,
    ParticipantObject,
    object_xml,
    printable,
)
from gateway.audit.parts import PHRASE
from gateway.audit.patients import DataKey
from gateway.errors import WrongKey

ERASED = "erased"
UNREADABLE = "unreadable"
"""What is shown for a text whose key is destroyed, and for one that nobody can read."""

KeyOf = Callable[[int], DataKey | None]
"""Returns the key with a number; None: it is destroyed. Raises WrongKey."""

_TOKEN = re.compile(r"sealed:(\d{1,18}):([\w=-]+)", re.ASCII)
_END = "</AuditMessage>"
_OBJECT = "ParticipantObjectIdentification"
_QUERY = "ParticipantObjectQuery"
_DETAIL = "ParticipantObjectDetail"
_BEFORE, _AFTER = object_xml(
    ParticipantObject(
        object_id="@", id_type=codes.PATIENT_NUMBER, role=ObjectRole.PATIENT
    )
).split("@")


def token(number: int, sealed: str) -> str:
    """Return a sealed text with the number of its key."""
    return f"sealed:{number}:{sealed}"


def with_patient(message: str, known_as: str) -> str:
    """Return a message that names its patient; `known_as` is a token, or empty.

    What is no message with content, as `<AuditMessage/>`, stays as it is.
    """
    if not message.endswith(_END):
        return message
    return f"{message.removesuffix(_END)}{_BEFORE}{known_as}{_AFTER}{_END}"


def has_words(message: str) -> bool:
    """Say whether a message has words to seal besides its patient."""
    return f"<{_QUERY}>" in message or f'type="{PHRASE}"' in message


def with_words_sealed(message: str, number: int, key: DataKey) -> str:
    """Return a message whose words are sealed under the key of its patient."""
    return _with_words(message, lambda words: token(number, key.seal(words)).encode())


def revealed(message: str, key_of: KeyOf) -> str:
    """Return a message in which what is sealed can be read.

    In place of what cannot stands that it is erased, or unreadable.
    """
    shown = _with_words(message, lambda words: _shown(words, key_of))
    root = ET.fromstring(shown)  # noqa: S314 - our own text
    for found in root.iter(_OBJECT):
        if found.get("ParticipantObjectTypeCodeRole") == ObjectRole.PATIENT:
            said = found.get("ParticipantObjectID", "").encode()
            text = _shown(said, key_of).decode("utf-8", "replace")
            found.set("ParticipantObjectID", printable(text))
    return ET.tostring(root, encoding="unicode")


def _with_words(message: str, changed: Callable[[bytes], bytes]) -> str:
    root = ET.fromstring(message)  # noqa: S314 - our own text
    for query in root.iter(_QUERY):
        query.text = _in_base64(changed(b64decode(query.text or "")))
    for detail in _phrases(root):
        detail.set("value", _in_base64(changed(b64decode(detail.get("value", "")))))
    return ET.tostring(root, encoding="unicode")


def _phrases(root: ET.Element) -> Iterator[ET.Element]:
    return (each for each in root.iter(_DETAIL) if each.get("type") == PHRASE)


def _in_base64(words: bytes) -> str:
    return b64encode(words).decode("ascii")


def _shown(words: bytes, key_of: KeyOf) -> bytes:
    """Return words that are sealed as they were; others as they are."""
    sealed = _TOKEN.fullmatch(words.decode("ascii", "replace"))
    if sealed is None:
        return words
    try:
        key = key_of(int(sealed[1]))
        return ERASED.encode() if key is None else key.unseal(sealed[2])
    except WrongKey:
        return UNREADABLE.encode()
