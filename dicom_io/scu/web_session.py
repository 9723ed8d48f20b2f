"""HTTP requests to a DICOMweb service: with a deadline, a size limit, no detours.

What is raised here names the peer and the HTTP status. Never the address: that of a
QIDO-RS request holds a Patient ID, and the library's own messages hold the address.
"""

import logging
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Protocol

import requests
from dicomweb_client.web import DICOMwebClient

from dicom_io.ae import RemoteAE, WebEndpoint
from dicom_io.errors import PeerFailure, PeerRefused, PeerTimedOut, PeerUnreachable

# They log addresses, thus Patient IDs, and text from the network as it came.
logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL + 1)
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)

ANSWER_CAP_BYTES = 64 << 20
"""Of JSON: ten thousand studies with their names have room."""

_OVERLOADED = frozenset({408, 425, 429, 500, 502, 503, 504})
_WHY = {
    400: "it does not take the request",
    401: "it does not know our token",
    403: "it does not allow it",
    404: "it has no such resource",
    406: "it cannot answer in a form that we read",
    413: "the instances are too large for it",
    415: "it does not take what was sent",
    429: "it is congested",
    503: "it is congested",
}
_FAILURES: tuple[tuple[type[Exception], type[PeerFailure], str], ...] = (
    (requests.TooManyRedirects, PeerRefused, "points to another address over HTTP"),
    (requests.exceptions.SSLError, PeerUnreachable, "failed at TLS: see authority"),
    (requests.ConnectTimeout, PeerUnreachable, "opened no connection in time"),
    (requests.ReadTimeout, PeerTimedOut, "did not answer over HTTP"),
    (requests.exceptions.InvalidJSONError, PeerFailure, "did not answer DICOM JSON"),
)
"""What is raised, the first that fits; what it is here, and in which words."""


class _Raw(Protocol):
    """The body of a response as it arrives."""

    def read1(self, amount: int, *, decode_content: bool) -> bytes:
        """Return what is there, at most `amount` bytes; none at the end."""
        ...

    def close(self) -> None:
        """Drop the connection."""
        ...


class Watch:
    """How long one call to a peer may still take."""

    def __init__(self, remote: RemoteAE) -> None:
        self._remote = remote
        self._last = inf
        self.renew()

    def renew(self) -> None:
        """Give another deadline: the peer has done its part so far."""
        end = time.monotonic() + self._remote.deadline_seconds
        self._end = min(end, self._last)

    def limit(self, seconds: float) -> None:
        """End after `seconds`, however lively the peer is."""
        self._last = time.monotonic() + seconds
        self._end = min(self._end, self._last)

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._end

    def check(self) -> None:
        """Raise PeerTimedOut when the deadline has passed."""
        if self.is_over:
            raise PeerTimedOut(f"{self._remote.name} did not end its answer over HTTP")


class _Guarded:
    """Stands where `requests` reads a body: cut off at the deadline and the limit."""

    def __init__(self, raw: _Raw, watch: Watch, max_bytes: int | None) -> None:
        self._raw, self._watch, self._left = raw, watch, max_bytes

    def stream(self, size: int, decode_content: bool = True) -> Iterator[bytes]:  # noqa: FBT001, FBT002 - as urllib3 has it
        """Yield what arrives, without waiting for `size` bytes."""
        while piece := self._raw.read1(size, decode_content=decode_content):
            self._watch.check()
            if self._left is not None:
                self._left -= len(piece)
                if self._left < 0:
                    raise PeerFailure("an answer over HTTP is over the size limit")
            yield piece

    def close(self) -> None:
        """Drop the connection."""
        self._raw.close()


class Exchange:
    """One call to the DICOMweb service of a peer."""

    def __init__(self, remote: RemoteAE, endpoint: WebEndpoint) -> None:
        self._session = _session(endpoint, self._received)
        self._endpoint, self.watch = endpoint, Watch(remote)
        self._seconds = remote.deadline_seconds
        self._max_bytes: int | None = ANSWER_CAP_BYTES
        self._guarded: _Guarded | None = None
        self.response: requests.Response | None = None

    def client(self) -> DICOMwebClient:
        """Return the library's client on this session; it tries nothing twice."""
        client = DICOMwebClient(
            self._endpoint.url,
            session=self._session,
            headers={"Accept": "application/dicom+json"},
            timeout=self._seconds,
        )
        client.set_http_retry_params(retry=False)
        return client

    def get_stream(self, path: str, accept: str) -> requests.Response:
        """Ask for a resource whose body the caller reads and limits."""
        self._max_bytes = None
        response = self._session.get(
            f"{self._endpoint.url}/{path}",
            headers={"Accept": accept},
            timeout=self._seconds,
            stream=True,
        )
        response.raise_for_status()
        return response

    def close(self) -> None:
        """Drop the connections, also one whose answer was not read to its end."""
        if self._guarded is not None:
            self._guarded.close()
        self._session.close()

    def _received(
        self, response: requests.Response, **_options: object
    ) -> requests.Response:
        """Guard the body before anything reads it."""
        self._guarded = _Guarded(response.raw, self.watch, self._max_bytes)
        response.raw = self._guarded
        self.response = response
        _refuse_xml(response)
        return response


def _refuse_xml(response: requests.Response) -> None:
    """Keep XML from the library, whose reader expands entities."""
    if "xml" in response.headers.get("Content-Type", "").lower():
        response.headers["Content-Type"] = "application/octet-stream"


class _Authorised(requests.auth.AuthBase):
    """Sets the token, and nothing else: no password from a file of the user's."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Complete a request; the library's Host has no port, so it goes.

        It writes a space as a plus sign, which only forms do (RFC 3986 2.1); a plus
        sign itself is escaped already.
        """
        request.headers.pop("Host", None)
        request.url = (request.url or "").replace("+", "%20")
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Hook(Protocol):
    def __call__(
        self, response: requests.Response, **_options: object
    ) -> requests.Response: ...


def _session(endpoint: WebEndpoint, received: _Hook) -> requests.Session:
    """Make a session that goes where the settings say and nowhere else."""
    session = requests.Session()
    # No proxy, authority or password from the environment: the settings name them.
    session.trust_env = False
    session.max_redirects = 0
    session.verify = _authority(endpoint)
    session.auth = _Authorised(endpoint.token)
    session.hooks["response"].append(received)
    return session


def _authority(endpoint: WebEndpoint) -> str | bool:
    if endpoint.authority is not None:
        return str(endpoint.authority)
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


@contextmanager
def exchange(remote: RemoteAE) -> Iterator[Exchange]:
    """Open a call to the DICOMweb service of `remote`.

    What goes wrong with HTTP in the block is raised as a PeerFailure kind.
    """
    if remote.web is None:
        raise PeerRefused(f"{remote.name} has no DICOMweb service in the settings")
    opened = Exchange(remote, remote.web)
    try:
        yield opened
    except (requests.RequestException, OSError) as error:
        # Not chained: the messages of the library hold the address.
        raise failure_of(error, remote, opened.watch) from None
    finally:
        opened.close()


def failure_of(error: Exception, remote: RemoteAE, watch: Watch) -> PeerFailure:
    """Say in our words why a call failed."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return status_failure(error.response.status_code, remote)
    for cause, kind, words in _FAILURES:
        if isinstance(error, cause):
            return kind(f"{remote.name} {words}")
    if watch.is_over:
        return PeerTimedOut(f"{remote.name} did not end its answer over HTTP")
    return PeerUnreachable(f"{remote.name} gave no connection over HTTP, or broke it")


def status_failure(code: int, remote: RemoteAE) -> PeerFailure:
    """Say what an HTTP status other than success means (PS3.18 8.5)."""
    kind = PeerFailure if code in _OVERLOADED else PeerRefused
    why = _WHY.get(code)
    return kind(f"{remote.name} answered HTTP {code}{f': {why}' if why else ''}")
