"""The engine that asks a server of vLLM. No vllm, no torch.

The rules of the local engine hold here, too: what is cleaned before, when an answer
ends, how it is read. The server knows no loops and no deadlines; where one has come,
the connection is closed, and the server ends its work.
"""

import hashlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TypeVar

from model.checks import check_report
from model.engine import EngineIdentity, ReplicatedEngine
from model.engines.connecting import trust
from model.engines.ended import MODELS, read_ended
from model.engines.vllmserve.exchange import Chunk, Server
from model.engines.vllmserve.listening import NOT_BEGUN, Told, listen
from model.engines.vllmserve.plan import ServedName, VllmPlace, only_of_ours
from model.engines.vllmserve.writing import (
    Written,
    completion,
    is_widened,
    tokenization,
    write_request,
)
from model.errors import EngineAway, EngineDied
from model.options import Domain
from model.report import GroundedReport, Phase, Provenance, ReportRequest
from model.version import VERSION

ENGINE = "vllm"
_DEVICE = "server"
"""Where it ran: the server does not say more."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A server that was just asked who it is, and who answers there."""

    server: Server
    served: ServedName
    version: str
    identity: EngineIdentity


class VllmEngine(ReplicatedEngine):
    """A `ReportEngine` for several threads; servers of vLLM answer.

    Studies that are asked at one time are batched by the server, token by token. The
    questions of one study are asked one after the other: what their prompts have in
    common, the server then has read.
    """

    def __init__(self, place: VllmPlace) -> None:
        self._place = place
        trusted = trust(place.authorities)
        self._servers = tuple(
            Server(address, place.connect_seconds, trusted, place.key)
            for address in place.servers
        )
        self._turns = itertools.count()
        self._lock = threading.Lock()
        """Held for a moment, around the fields below."""
        self._authors: dict[tuple[str, str], EngineIdentity] = {}
        self._heard: EngineIdentity | None = None

    @property
    def domain(self) -> Domain:
        """What it may read, by the settings."""
        return self._place.domain

    @property
    def identity(self) -> EngineIdentity:
        """Say who was asked last. Raises `EngineAway` where nobody was yet."""
        if self._heard is None:
            raise EngineAway("no server has been asked yet")
        return self._heard

    def author(self, report: GroundedReport) -> EngineIdentity:
        """Return who wrote a report that this engine gave."""
        said = report.provenance
        return self._authors[said.weights_digest, said.settings_digest]

    def demand_server(self, seconds: float) -> EngineIdentity:
        """Return who would answer now. Raises `EngineAway` where nobody would.

        seconds : that each server gets to take a connection, and to say who it is.
        """
        return self._with_server(lambda serving: serving.identity, seconds)

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        """Have a server answer each request, in order.

        Raises `EngineAway` where nobody began with it, `EngineDied` where the server or
        the way to it was lost or no token came before the deadline, `ConstantImage` or
        `RefusedRequest` for a request without content or too long.
        """
        if not requests:
            self.demand_server(self._place.connect_seconds)
        now = time.monotonic()
        return [self._reports(request, now) for request in requests]

    def _reports(
        self, request: ReportRequest, now: float
    ) -> tuple[GroundedReport, ...]:
        seconds = request.deadline_seconds
        until = None if seconds is None else now + seconds
        written = [*write_request(request, self._place.token_limits)]
        return self._with_server(
            lambda serving: tuple(self._answers(serving, written, until))
        )

    def _answers(
        self, serving: Serving, written: Sequence[Written], until: float | None
    ) -> Iterator[GroundedReport]:
        """Ask one question after the other; for the last ones there may be no time."""
        answered = False
        for one in written:
            try:
                told = _ask(serving, one, until)
            except TimeoutError:
                if not answered:
                    raise EngineDied(
                        f"{serving.server.address} wrote nothing before the deadline"
                    ) from None
                told = NOT_BEGUN
            answered = True
            yield _report(serving, one, told)

    def _with_server(
        self, work: Callable[[Serving], Result], seconds: float | None = None
    ) -> Result:
        """Have one server after the other do it, each time beginning with another."""
        start = next(self._turns) % len(self._servers)
        reasons: list[str] = []
        for server in (*self._servers[start:], *self._servers[:start]):
            try:
                return work(
                    self._greet(server if seconds is None else server.within(seconds))
                )
            except EngineAway as error:
                reasons.append(str(error))
        raise EngineAway("; ".join(reasons))

    def _greet(self, server: Server) -> Serving:
        """Ask a server who it is, and remember it. Raises `EngineAway`."""
        names = tuple(model.id for model in server.models())
        served, version = only_of_ours(names, server.address), server.version()
        if served.domain is not self.domain:
            raise EngineAway(
                f"{server.address} reads a {served.domain}, and vllm.reads says "
                f"{self.domain}: change the settings and restart the gateway"
            )
        name, manufacturer = MODELS[served.domain]
        identity = EngineIdentity(
            engine=ENGINE,
            model_name=name,
            model_manufacturer=manufacturer,
            weights_digest=served.digest,
            settings_digest=self._settings_digest(served, version),
            domain=served.domain,
        )
        with self._lock:
            self._authors[served.digest, identity.settings_digest] = identity
            self._heard = identity
        return Serving(server=server, served=served, version=version, identity=identity)

    def _settings_digest(self, served: ServedName, version: str) -> str:
        """Digest what can change an answer beside the weights."""
        settings = {
            "vllm": version,
            "dtype": served.dtype,
            "token_limits": asdict(self._place.token_limits),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _ask(serving: Serving, written: Written, until: float | None) -> Told:
    """Ask one question, and check that the model was shown what was written.

    Raises TimeoutError where the deadline comes before the first token.
    """
    ids = serving.server.tokens(tokenization(written, serving.served))
    chunks = serving.server.chunks(completion(written, serving.served), until)
    with closing(chunks):
        return listen(_shown(chunks, ids, written, serving.server.address))


def _shown(
    chunks: Iterator[Chunk], ids: Sequence[int], written: Written, address: str
) -> Iterator[Chunk]:
    """Pass on an answer to the prompt that was written. Raises `EngineAway`.

    A server with another template would give worse text without any error.
    """
    for number, chunk in enumerate(chunks):
        read = chunk.prompt_token_ids or ()
        if number == 0 and not is_widened(ids, read, len(written.pictures)):
            raise EngineAway(
                f"{address} shows the model another prompt than is written: start it "
                "by model.engines.vllmserve.serving"
            )
        yield chunk


def _report(serving: Serving, written: Written, told: Told) -> GroundedReport:
    """Read an answer. Flags: what was done to the input, the form, the content."""
    question = written.cleaned.question
    reading = read_ended(question.task, told)
    checks = check_report(question, reading.phrases, told.text)
    return GroundedReport(
        task=question.task,
        text=told.text,
        phrases=reading.phrases,
        flags=(*written.cleaned.flags, *reading.flags, *checks),
        provenance=_provenance(serving, written, told),
        phrase=question.phrase,
    )


def _provenance(serving: Serving, written: Written, told: Told) -> Provenance:
    phases = (
        Phase(name="prepare", tokens=len(told.prompt), seconds=written.seconds),
        Phase(name="prefill", tokens=len(told.prompt), seconds=told.first_seconds),
        Phase(
            name="decode",
            tokens=told.new_tokens,
            seconds=told.seconds - told.first_seconds,
        ),
    )
    return Provenance(
        engine=ENGINE,
        model_name=serving.identity.model_name,
        weights_digest=serving.served.digest,
        adapter_version=VERSION,
        libraries=(("vllm", serving.version),),
        device=_DEVICE,
        dtype=serving.served.dtype,
        crop_side=serving.served.side,
        max_new_tokens=written.limit,
        prompt_digest=written.prompt_digest,
        image_digests=written.image_digests,
        prompt_tokens=len(told.prompt),
        new_tokens=told.new_tokens,
        seconds=sum(phase.seconds for phase in phases),
        phases=phases,
        settings_digest=serving.identity.settings_digest,
    )
