"""What a server of vLLM is called, and where it is asked. Light: loads no vllm."""

import re
from dataclasses import dataclass
from pathlib import Path

from model.errors import EngineAway
from model.options import Domain, TokenLimits

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>{% endif %}"
    "{% endfor %}{% endfor %}"
)
"""The server's template of a conversation: its parts as they are, nothing between.

The prompts are written by us (`model.maira2.prompts`), blank by blank.
"""
MODE = "maira2"
"""Name of our tokenizer and plug-in within vLLM."""
DTYPES = ("bfloat16", "float16", "float32")
_NAME = re.compile(
    r"maira2:(?P<domain>[a-z]+):(?P<dtype>[a-z0-9]+):(?P<side>[0-9]{1,5}):"
    r"(?P<digest>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedName:
    """Under which name a server knows the model: it says what the model is.

    dtype : the number format of the weights; side : of the square that the model
    reads, in pixels; digest : of the checkpoint's files (`weights_digest`).
    """

    domain: Domain
    dtype: str
    side: int
    digest: str

    def __str__(self) -> str:
        """Return the name, as "maira2:radiograph:bfloat16:518:1f0c..."."""
        return f"maira2:{self.domain}:{self.dtype}:{self.side}:{self.digest}"

    @staticmethod
    def parse(name: str) -> "ServedName | None":
        """Read a name; None where it is none of ours."""
        found = _NAME.fullmatch(name)
        if found is None or found["domain"] not in set(Domain):
            return None
        return ServedName(
            domain=Domain(found["domain"]),
            dtype=found["dtype"],
            side=int(found["side"]),
            digest=found["digest"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmPlace:
    """Where the servers are, and what is expected there.

    servers : their addresses, as "http://gpu1:8000".
    domain : what the checkpoint reads that they serve; answers of another are refused.
    token_limits : most new tokens, by the task.
    key : that they ask for; empty: none.
    authorities : certificates (PEM) that https is checked with; None: the system's.
    connect_seconds : in which a server must take the connection, and say who it is.
    """

    servers: tuple[str, ...]
    domain: Domain
    token_limits: TokenLimits
    key: str = ""
    authorities: Path | None = None
    connect_seconds: float = 5.0


def only_of_ours(names: tuple[str, ...], address: str) -> ServedName:
    """Return the one name that is ours. Raises `EngineAway` without or with several."""
    found = [own for own in map(ServedName.parse, names) if own is not None]
    if len(found) != 1:
        raise EngineAway(
            f"{address} serves {len(found)} models under a name of ours: start it by "
            "model.engines.vllmserve.serving"
        )
    return found[0]
