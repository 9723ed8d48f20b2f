"""Pieces of a page that an open page asks for again, if they changed meanwhile."""

from collections.abc import Mapping
from hashlib import blake2b

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from gateway.web.pages import page


def piece(request: Request, template: str, values: Mapping[str, object]) -> Response:
    """Return a part of a page; 304 where the browser has it as it is."""
    body = page(request, template, values).body
    tag = f'"{blake2b(bytes(body), digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(bytes(body), headers=headers)
