"""What a person or a program is told where a request cannot be answered."""

import logging
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from gateway.errors import (
    AccountRefused,
    BadQuestion,
    GatewayError,
    IllegalMove,
    LedgerFailure,
    LinkRefused,
    LoginRefused,
    LostRace,
    NoSuchPart,
    NoSuchPeer,
    NoSuchStudy,
    RoleNotStated,
    TooManyFailures,
    UnusablePhrase,
)
from gateway.web.forms import ForeignForm
from gateway.web.guard import NotPermitted, NotSignedIn
from gateway.web.pages import page

logger = logging.getLogger(__name__)

API = "/api/"
FHIR = "/fhir/"
_PROGRAMS = (API, FHIR)
"""What lies below is for programs: no page, and nobody is led to the login."""

FHIR_JSON = "application/fhir+json"
_ISSUES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found"}
"""Codes of an OperationOutcome (FHIR R4, issue-type)."""

_STATUS: tuple[tuple[type[GatewayError], int], ...] = (
    (NoSuchPeer, 404),
    (NoSuchStudy, 404),
    (NoSuchPart, 404),
    (IllegalMove, 409),
    (LostRace, 409),
    (RoleNotStated, 422),
    (LinkRefused, 404),
    (UnusablePhrase, 422),
    (AccountRefused, 422),
    (TooManyFailures, 429),
    (LoginRefused, 401),
    (BadQuestion, 422),
    (LedgerFailure, 503),
    (GatewayError, 500),
)


def add_failures(app: FastAPI) -> None:
    """Have the application answer its failures."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(NotPermitted, _not_permitted)
    app.add_exception_handler(ForeignForm, _foreign_form)
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _http_error)


def say(request: Request, status: int, what: str) -> Response:
    """Answer with one sentence, as a page or as JSON."""
    if request.url.path.startswith(FHIR):
        return JSONResponse(outcome_of(status, what), status, media_type=FHIR_JSON)
    if request.url.path.startswith(API):
        return JSONResponse({"detail": what}, status)
    return page(request, "failure.html", status=status, what=what)


def outcome_of(status: int, what: str, severity: str = "error") -> dict[str, object]:
    """Return an OperationOutcome of FHIR."""
    code = _ISSUES.get(status, "processing")
    issue = {"severity": severity, "code": code, "diagnostics": what}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _not_signed_in(request: Request, _error: Exception) -> Response:
    if request.url.path.startswith(_PROGRAMS) or request.method != "GET":
        answer = say(request, 401, "sign in first")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    query = f"?{request.url.query}" if request.url.query else ""
    where = urlencode({"next": f"{request.url.path}{query}"})
    return RedirectResponse(f"/login?{where}", 303)


def _not_permitted(request: Request, _error: Exception) -> Response:
    return say(request, 403, "your account may not do this")


def _foreign_form(request: Request, _error: Exception) -> Response:
    return say(request, 403, "this form is not of this session: load its page again")


def _gateway_error(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    if status >= 500:
        logger.error("a request failed: %s", error)
    return say(request, status, str(error))


def _not_understood(request: Request, error: Exception) -> Response:
    """Say which field is wrong; never repeat what was sent."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    named = sorted({".".join(map(str, fault["loc"][1:])) for fault in faults})
    return say(request, 422, f"not understood: {', '.join(named) or 'the request'}")


def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    answer = say(request, error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer
