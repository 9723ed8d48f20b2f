"""A record of the audit as a syslog message (RFC 5424, PS3.15 A.6); pure.

A message that is sent a second time is the same, byte by byte: PROCID is the
installation and `sequenceId` the record's number in its log. So a repository tells
a repetition from a new message.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from dicom_io.product import PRODUCT_NAME

FACILITY = 10
"""Security and authorization messages (PS3.15 A.6)."""

_SEVERITY = 5
"""Normal but significant (PS3.15 A.6)."""

AUDIT_MSGID = "DICOM+RFC3881"
"""Messages of PS3.15 A.5, as A.6 and IHE ITI TF-2 3.20 name them."""

CHECKPOINT_MSGID = "MERKLE+CHECKPOINT"
"""Signed heads of the log; PS3.15 A.6 lets other messages share the connection."""

_BOM = b"\xef\xbb\xbf"
"""RFC 5424 6.4: a message in UTF-8 MUST begin with it; XML 1.0 4.3.3 allows it."""

_LARGEST_ID = 2_147_483_647
"""`sequenceId` goes on with 1 after it (RFC 5424 7.3.1)."""

_NOT_PRINTED = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who sends. `installation` stays the same as long as its log goes on.

    PROCID tells of a discontinuity (RFC 5424 6.2.6); a new process is none here,
    because its log goes on where the last one ended.
    """

    host: str
    installation: str
    facility: int = FACILITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is sent: a record of the log, or a checkpoint over it.

    sequence : the record's number, or how many records the checkpoint covers.
    """

    sequence: int
    at: datetime
    text: str
    message_id: str = AUDIT_MSGID


def message_of(item: Item, origin: Origin) -> bytes:
    """Return the message, without the frame of a transport."""
    header = " ".join(
        (
            f"<{origin.facility * 8 + _SEVERITY}>1",
            # Six digits at most, and a zone (RFC 5424 6.2.3).
            item.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            _printed(origin.host, 255),
            _printed(PRODUCT_NAME, 48),
            _printed(origin.installation, 128),
            _printed(item.message_id, 32),
            f'[meta sequenceId="{(item.sequence - 1) % _LARGEST_ID + 1}"]',
        )
    )
    return header.encode("ascii") + b" " + _BOM + item.text.encode("utf-8")


def counted(message: bytes) -> bytes:
    """Return a message with its length before it (RFC 5425 4.3, RFC 6587 3.4.1)."""
    return b"%d %s" % (len(message), message)


def _printed(text: str, limit: int) -> str:
    """Return a field of the header: printable ASCII; a missing one is a hyphen."""
    return _NOT_PRINTED.sub("?", text)[:limit] or "-"
