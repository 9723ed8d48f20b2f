"""A real OpenID provider on loopback (oidc-provider of npm), and who signs in there."""

import json
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx2

from benchmarks.rounds import free_port
from config.load import Table
from tests.data.certificates import authority
from tests.data.peers import answers_tcp, process_of, require_file, require_peer

MODULES = Path(__file__).resolve().parents[2] / ".peers/console/node_modules"
PACKAGE = MODULES / "oidc-provider/package.json"
SCRIPT = Path(__file__).resolve().parents[1] / "console/provider.mjs"
CLIENT = "maira-gateway"
SECRET = "p%2B+:ss/&=~ x"  # noqa: S105 - of a client of a test; what must be escaped
ROLES: Table = {"readers": "viewer", "radiologists": "reviewer", "it": "administrator"}

_ACTION = re.compile(r'<form[^>]*action="([^"]+)"')
_INPUT = re.compile(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider at work. `people`: the file of their claims; `secret`: of the client.

    `authority` vouches for its certificate; None: it speaks without TLS.
    """

    issuer: str
    people: Path
    secret: Path
    authority: Path | None

    def settings(self, **more: object) -> Table:
        """Return what a site writes down about it."""
        own: Table = {
            "issuer": self.issuer,
            "client_id": CLIENT,
            "secret_file": str(self.secret),
            "authority": str(self.authority or ""),
            "label": "Test Hospital",
            "deadline_seconds": 60.0,
            "roles": ROLES,
        }
        return {"openid": {**own, **more}}  # type: ignore[dict-item]

    def tell(self, name: str, **claims: object) -> None:
        """Let somebody have these claims from now on."""
        known = json.loads(self.people.read_text())
        self.people.write_text(json.dumps({**known, name: claims}))

    def browser(self) -> httpx2.Client:
        """Return a browser that nobody signed in with there."""
        context = ssl.create_default_context(cafile=self.authority)
        return httpx2.Client(verify=context, trust_env=False, timeout=30)


def walk(browser: httpx2.Client, address: str, name: str) -> str:
    """Sign in at the provider as a person does; return where it leads back to.

    Nobody is asked for a name where the browser is signed in there.
    """
    answer = browser.get(address)
    for _ in range(10):
        if answer.is_redirect:
            there = urljoin(str(answer.url), answer.headers["Location"])
            if "/login/openid/return" in there:
                return there
            answer = browser.get(there)
            continue
        assert answer.status_code == 200, answer.text
        action = _ACTION.search(answer.text)
        assert action is not None, answer.text
        fields = {**dict(_INPUT.findall(answer.text)), "login": name, "password": "x"}
        answer = browser.post(urljoin(str(answer.url), action[1]), data=fields)
    raise AssertionError("the provider leads nowhere")


@contextmanager
def running_providers(
    folder: Path, consoles: Sequence[str], *, tls: Sequence[bool] = (True,)
) -> Iterator[list[Provider]]:
    """Run providers that know us at `consoles`; the first says all in the ID token."""
    require_file(PACKAGE, "run `make .peers/console.stamp`")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    node = None
    if any(tls):
        made = authority(folder / "ca")
        node = made.node("localhost", alternative="IP:127.0.0.1")
    told, providers = [], []
    for number, has_tls in enumerate(tls):
        port, people = free_port(), folder / f"people-{number}.json"
        people.write_text("{}")
        files = {"key": str(node.key), "cert": str(node.certificate)} if node else {}
        told.append(
            {
                "port": port,
                "people": str(people),
                "clients": [_client(consoles)],
                "tokenClaims": number == 0,
                **({"tls": files} if has_tls else {}),
            }
        )
        providers.append(
            Provider(
                issuer=f"http{'s' * has_tls}://127.0.0.1:{port}",
                people=people,
                secret=secret,
                authority=node.authority if node and has_tls else None,
            )
        )
    settings = folder / "providers.json"
    settings.write_text(json.dumps(told))
    command = [require_peer("node"), str(SCRIPT), str(MODULES), str(settings)]
    ports = [each["port"] for each in told]
    with process_of(command, lambda: all(map(answers_tcp, ports))):  # type: ignore[arg-type]
        yield providers


def _client(consoles: Sequence[str]) -> Mapping[str, object]:
    return {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [f"{each}/login/openid/return" for each in consoles],
        "post_logout_redirect_uris": [f"{each}/login" for each in consoles],
    }
