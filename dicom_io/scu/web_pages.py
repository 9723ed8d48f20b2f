"""The pages of an answer of QIDO-RS (PS3.18 8.3.4.4): `limit` and `offset`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import requests

from dicom_io.errors import PeerFailure
from dicom_io.scu.web_session import Exchange

Json = Mapping[str, object]

MAX_PAGES = 20
_MORE = re.compile(r"\b299\b.*additional results", re.IGNORECASE)
"""The Warning by which a service says that its answer is not whole."""

_NAMES = ("0020000D", "00080018")
"""Study Instance UID and SOP Instance UID."""


class Search(Protocol):
    """Asks for one page; `offset` None: the first."""

    def __call__(self, *, limit: int, offset: int | None) -> object:
        """Return what was answered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """DICOM JSON objects, each once; `is_cut`: the service announces more."""

    objects: tuple[Json, ...]
    is_cut: bool


def search_pages(call: Exchange, search: Search, limit: int) -> Found:
    """Ask until the service announces no more, or `limit` objects are there.

    The deadline of the call is that of all pages. A service that repeats itself,
    because it ignores `offset`, is asked once more than needed. Raises PeerFailure
    where an answer is no list.
    """
    found: dict[str, Json] = {}
    offset = 0
    is_cut = False
    for _ in range(MAX_PAGES):
        page = _list(search(limit=limit - len(found), offset=offset or None))
        offset += len(page)
        before = len(found)
        found |= {_name(each): each for each in page if isinstance(each, dict)}
        is_cut = _announces_more(call.response)
        if not is_cut or len(found) == before or len(found) >= limit:
            break
    return Found(objects=tuple(found.values())[:limit], is_cut=is_cut)


def _list(answer: object) -> list[object]:
    if not isinstance(answer, list):
        raise PeerFailure("an answer over HTTP is not a list of DICOM JSON objects")
    return answer


def _name(answer: Json) -> str:
    """Name an object by its UIDs; those without any are all one."""
    return repr([answer.get(tag) for tag in _NAMES])


def _announces_more(response: requests.Response | None) -> bool:
    warning = "" if response is None else response.headers.get("Warning", "")
    return _MORE.search(warning[:1000]) is not None
