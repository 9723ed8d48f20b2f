"""Questions to a FHIR R4 server: one origin, a few pages, with caps and a deadline.

Only our own server is asked: redirects and links to another origin are not followed,
for each request carries the site's token.
"""

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from pydantic import ValidationError

from dicom_io.identity import is_exact_key
from gateway.errors import SourceFailure
from gateway.sources.fhir_resources import Bundle

MAX_ANSWER_BYTES = 4 << 20
MAX_PAGES = 4
MAX_RESOURCES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirServer:
    """A server and what a question to it may cost.

    `url`: its base, without a trailing slash. `token`: a bearer token, None: none.
    `authority`: a PEM file, None: the system's. `seconds`: for one request.
    """

    url: str
    token: str | None = None
    authority: Path | None = None
    seconds: float = 10.0


def search(
    server: FhirServer, kind: str, parameter: str, accession: str
) -> list[dict[str, object]]:
    """Return the resources of an answer and its next pages; raises SourceFailure.

    Nothing is sent where the accession number is no exact key.
    """
    if not is_exact_key(accession):
        raise SourceFailure("the accession number is not one exact value: nothing sent")
    found: list[dict[str, object]] = []
    with _client(server) as client:
        asked = httpx2.QueryParams(
            {parameter: _escaped(accession), "_include": f"{kind}:subject"}
        )
        url: httpx2.URL | None = httpx2.URL(f"{server.url}/{kind}", params=asked)
        for _ in range(MAX_PAGES):
            if url is None or len(found) > MAX_RESOURCES:
                break
            page = _page(client, server, url)
            found += [
                r for r in (e.resource for e in page.entry) if isinstance(r, dict)
            ]
            url = _next(page, url)
    return found[:MAX_RESOURCES]


def _escaped(value: str) -> str:
    """Escape what has a meaning in a search (FHIR R4, search, 3.1.1.4.0.1)."""
    return "".join(f"\\{each}" if each in "$,|" else each for each in value)


def _next(page: Bundle, current: httpx2.URL) -> httpx2.URL | None:
    """Return the next page, where it is on the same server.

    Scheme, host and port are compared, so that neither the token nor the question
    goes elsewhere, or the same way in clear text; a name in the address would
    replace the token.
    """
    link = next((each.url for each in page.link if each.relation == "next"), "")
    if not link:
        return None
    try:
        url = current.join(link)
    except httpx2.InvalidURL as error:
        raise SourceFailure("fhir: the next page has no valid address") from error
    if _origin(url) != _origin(current) or url.userinfo:
        raise SourceFailure("fhir: the next page is on another server")
    return url


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _client(server: FhirServer) -> httpx2.Client:
    headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
    if server.token is not None:
        headers["Authorization"] = f"Bearer {server.token}"
    authority = None if server.authority is None else str(server.authority)
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise SourceFailure(f"fhir: fhir.authority cannot be read: {error}") from error
    return httpx2.Client(
        headers=headers,
        timeout=server.seconds,
        verify=context,
        follow_redirects=False,
        trust_env=False,
    )


def _page(client: httpx2.Client, server: FhirServer, url: httpx2.URL) -> Bundle:
    try:
        with client.stream("GET", url) as response:
            if response.status_code != 200:
                raise SourceFailure(f"fhir: status {response.status_code}")
            body = b"".join(_capped(response, server))
        page = Bundle.model_validate_json(body)
    except httpx2.HTTPError as error:
        raise SourceFailure(f"fhir: {type(error).__name__}") from error
    except ValidationError as error:
        raise SourceFailure("fhir: the answer is no Bundle") from error
    if page.resourceType != "Bundle":
        raise SourceFailure("fhir: the answer is no Bundle")
    return page


def _capped(response: httpx2.Response, server: FhirServer) -> Iterator[bytes]:
    """Yield the body as sent, within the cap and the deadline of a request."""
    end, size = time.monotonic() + server.seconds, 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise SourceFailure(f"fhir: longer than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > end:
            raise SourceFailure(f"fhir: not whole within {server.seconds:g} s")
        yield chunk
