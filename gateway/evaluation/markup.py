"""HTML that is escaped by construction: whatever is not `Markup` is text."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that may stand as it is."""

    html: str


Content = Markup | str | int | float


def element(tag: str, *content: Content, **attributes: str) -> Markup:
    """Return an element; a trailing underscore of an attribute's name is dropped."""
    named = "".join(
        f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items()
    )
    inner = "".join(map(_html, content))
    return Markup(f"<{tag}{named}>{inner}</{tag}>")


def join(parts: Iterable[Markup]) -> Markup:
    """Return parts one after the other."""
    return Markup("\n".join(part.html for part in parts))


def table(headings: Iterable[str], rows: Iterable[Iterable[Content]]) -> Markup:
    """Return a table with a heading."""
    head = element("tr", *(element("th", name, scope="col") for name in headings))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    return element("table", element("thead", head), element("tbody", join(body)))


def _html(content: Content) -> str:
    return content.html if isinstance(content, Markup) else escape(str(content))
