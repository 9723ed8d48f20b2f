"""A scripted OpenID provider on loopback: what a real one never says, and how."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from config.load import load_settings
from config.openid import OpenIdSettings

CLIENT = "maira-gateway"
ACCESS = "an-access-token"


Sign = Callable[[dict[str, object], dict[str, object]], str]
Raw = Callable[[BaseHTTPRequestHandler], None]


class Lying:
    """What it says from now on, and what it was asked.

    `raw` is the whole answer to a path, instead of what belongs there; `sign` makes a
    token of a header and claims.
    """

    def __init__(self, port: int, folder: Path, key: RSAKey | ECKey) -> None:
        self.port, self.folder, self._first_key = port, folder, key
        self.forget()

    def forget(self) -> None:
        """Be honest again."""
        self.key = self._first_key
        self.claims: dict[str, object] = {}
        self.header: dict[str, object] = {}
        self.discovery: dict[str, object] = {}
        self.userinfo: dict[str, object] = {}
        self.raw: dict[str, Raw] = {}
        self.sign: Sign | None = None
        self.asked: list[str] = []

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, **more: object) -> OpenIdSettings:
        secret = self.folder / "secret"
        secret.write_text("hush")
        own = {
            "issuer": self.issuer,
            "client_id": CLIENT,
            "secret_file": str(secret),
            "roles": {"readers": "viewer"},
            "deadline_seconds": 30.0,
        }
        return load_settings(None, {"openid": {**own, **more}}).openid  # type: ignore[dict-item]

    def document(self) -> Mapping[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            **self.discovery,
        }

    def tokens(self) -> Mapping[str, object]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "s-1",
            "iat": now,
            "exp": now + 300,
            "nonce": "nonce",
            "preferred_username": "anna",
            "groups": ["readers"],
            **self.claims,
        }
        told = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        token = (self.sign or self.signed)(header, told)
        return {"access_token": ACCESS, "token_type": "Bearer", "id_token": token}

    def signed(self, header: dict[str, object], claims: dict[str, object]) -> str:
        return jwt.encode(header, claims, self.key, algorithms=[str(header["alg"])])

    def answer(self, path: str) -> Mapping[str, object]:
        match path:
            case "/.well-known/openid-configuration":
                return self.document()
            case "/keys":
                return {"keys": [self.key.as_dict(private=False)]}
            case "/token":
                return self.tokens()
            case _:
                return {"sub": "s-1", **self.userinfo}


@contextmanager
def lying_provider(folder: Path, key: RSAKey | ECKey) -> Iterator[Lying]:
    """Run one for the length of a with block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            lying.asked.append(self.path)
            with suppress(OSError):  # who asked has had enough
                if self.path in lying.raw:
                    lying.raw[self.path](self)
                    return
                body = json.dumps(lying.answer(self.path)).encode()
                send(self, body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    lying = Lying(server.server_address[1], folder, key)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield lying
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str
) -> None:
    """Answer; an underscore in the name of a header stands for a hyphen."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Connection", "close")
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.close_connection = True
