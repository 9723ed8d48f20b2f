"""What the tree hashes of an audit record: all of its stored columns; pure.

The canonical bytes are one line of ASCII JSON: keys sorted, no space, every other
character escaped, times in UTC with microseconds. A column that is NULL is left out,
so one that a later version adds changes no leaf of a record that lacks it, and is
covered wherever it holds something. `v` names these rules. They never change: a
record of today must give the same bytes in ten years.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.audit.merkle import hash_leaf

VERSION = 1

_NOT_COVERED = frozenset({"leaf"})
"""Columns of the table that follow from the others."""

_encoded = json.JSONEncoder(
    ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def canonical(row: Mapping[str, object]) -> bytes:
    """Return the bytes of a record, given its columns by name.

    A time without a zone is taken for UTC, as databases give it. Raises TypeError
    for what no column of the audit holds.
    """
    stored = {
        name: _utc(value) if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None and name not in _NOT_COVERED
    }
    stored["v"] = VERSION
    return _encoded(stored).encode("ascii")


def leaf_of(row: Mapping[str, object]) -> bytes:
    """Return the leaf hash of a record (RFC 9162 2.1.1), 32 bytes."""
    return hash_leaf(canonical(row))


def _utc(moment: datetime) -> str:
    if moment.tzinfo is not UTC and moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
