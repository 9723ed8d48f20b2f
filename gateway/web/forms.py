"""What changes anything comes from a form of ours."""

from fastapi import Request

from gateway.web import cookies
from gateway.web.guard import bearer_of

_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_FROM_US = frozenset({"same-origin", "none"})


class ForeignForm(Exception):  # noqa: N818 - says what it is
    """A request that no form of this browser's has made."""


async def demand_form(request: Request) -> None:
    """Raise ForeignForm for a change without the token of this browser's forms.

    A browser also says where a request comes from; what it says must be us. A
    program that shows a token of its own was sent by no page.
    """
    if request.method in _CHANGES_NOTHING or bearer_of(request) is not None:
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if origin not in {None, _own_origin(request)} or site not in _FROM_US:
        raise ForeignForm
    if not cookies.is_form_of(request, await _token_sent(request)):
        raise ForeignForm


async def _token_sent(request: Request) -> str | None:
    header = request.headers.get(cookies.HEADER)
    if header is not None:
        return header
    if not request.headers.get("Content-Type", "").startswith(_FORMS):
        return None
    sent = (await request.form(max_files=4, max_fields=100)).get(cookies.FIELD)
    return sent if isinstance(sent, str) else None


def _own_origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('Host', '')}"
