"""The words of HTML and XHTML from the network; pure.

One pass over tags that are known by one regular expression: the parsers of the
standard library take minutes for a hundred thousand open brackets, or raise.
"""

import html
import re

_TAG = re.compile(
    r"<!--|-->"
    r"|<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)"
    r"(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*>"
    r"|<[!?][^<>]*>"
)
"""No part of it can begin before and end behind a bracket: the time is linear."""

_BLOCKS = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "table"})
_SILENT = frozenset({"script", "style", "head"})
_COMMENT = "<!--"


def plain(markup: str) -> str:
    """Return the words of HTML, one line a block, as a person would see them."""
    parts: list[str] = []
    hidden_by: str | None = None
    at = 0
    for tag in _TAG.finditer(markup):
        if hidden_by is None:
            parts.append(markup[at : tag.start()])
            parts.append(_space(tag))
            hidden_by = _hides(tag)
        elif _reveals(tag, hidden_by):
            hidden_by = None
        at = tag.end()
    parts.append("" if hidden_by else markup[at:])
    lines = (" ".join(line.split()) for line in _unescape("".join(parts)).split("\n"))
    return "\n".join(line for line in lines if line)


def _name(tag: re.Match[str]) -> str:
    return (tag["name"] or "").lower()


def _space(tag: re.Match[str]) -> str:
    return "\n" if _name(tag) in _BLOCKS else ""


def _hides(tag: re.Match[str]) -> str | None:
    """Return what hides the words from here on: a comment, or an element."""
    if tag[0] == _COMMENT:
        return _COMMENT
    opens = not tag["end"] and not tag[0].endswith("/>")
    return _name(tag) if opens and _name(tag) in _SILENT else None


def _reveals(tag: re.Match[str], hidden_by: str) -> bool:
    if hidden_by == _COMMENT:
        return tag[0] == "-->"
    return bool(tag["end"]) and _name(tag) == hidden_by


def _unescape(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character reference of more digits than Python reads
        return text
