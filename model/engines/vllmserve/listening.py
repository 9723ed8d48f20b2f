"""An answer as it comes: text, ids, and what ends it. The clock is the caller's."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from model.engines.vllmserve.exchange import Choice, Chunk
from model.engines.vllmserve.writing import SPECIAL
from model.errors import EngineAway, EngineDied
from model.maira2.stopping import Ending, repeats

_ENDINGS = {"stop": Ending.END_TOKEN, "length": Ending.TOKEN_LIMIT}
"""Why the model wrote no more, in the server's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was written for one prompt, tags included, and why it ended.

    `rows` is 0 where there was no time to begin. `first_seconds` : to the first token;
    `seconds` : to the last. The end token is no part of the tokens.
    """

    text: str
    ending: Ending
    new_tokens: int = 0
    prompt: tuple[int, ...] = ()
    rows: int = 1
    first_seconds: float = 0.0
    seconds: float = 0.0


NOT_BEGUN = Told(text="", ending=Ending.DEADLINE, rows=0)
"""There was no time left to ask."""


@dataclass(slots=True)
class _Heard:
    text: str = ""
    ids: list[int] = field(default_factory=list)
    prompt: tuple[int, ...] = ()
    loops: bool = False
    finish: str | None = None
    started: float = field(default_factory=time.perf_counter)
    first: float | None = None

    def take(self, chunk: Chunk) -> None:
        """Keep what came; a chunk holds one token, or several of a busy server."""
        self.prompt = chunk.prompt_token_ids or self.prompt
        for choice in chunk.choices:
            self._take(choice)

    def _take(self, choice: Choice) -> None:
        if choice.token_ids is None and choice.delta.content:
            raise EngineAway("the server gives no ids of tokens: is it vLLM?")
        for token in choice.token_ids or ():
            self.ids.append(token)
            self.loops = self.loops or repeats(self.ids)
        if self.ids and self.first is None:
            self.first = time.perf_counter()
        self.text += choice.delta.content or ""
        self.finish = choice.finish_reason or self.finish

    def told(self, ending: Ending) -> Told:
        """Return all that was heard; its text as the local engine writes ids.

        That one writes the answer alone: without the blank that parts it from the
        prompt, and without special tokens.
        """
        text = self.text.removeprefix(" ")
        for token in SPECIAL:
            text = text.replace(token, "")
        now = time.perf_counter()
        return Told(
            text=text,
            ending=ending,
            new_tokens=len(self.ids) - (ending is Ending.END_TOKEN),
            prompt=self.prompt,
            first_seconds=(self.first or now) - self.started,
            seconds=now - self.started,
        )


def listen(chunks: Iterable[Chunk]) -> Told:
    """Hear an answer to its end, or until it loops or its deadline has come.

    A loop is seen in the chunk that closes it, and no more is asked for then. Raises
    TimeoutError where the deadline comes before the first token, `EngineDied` where the
    answer ends without a reason, and what `Server.chunks` raises.
    """
    heard = _Heard()
    try:
        for chunk in chunks:
            heard.take(chunk)
            if heard.finish is not None:
                break
            if heard.loops:
                return heard.told(Ending.REPETITION)
    except TimeoutError:
        if not heard.ids:
            raise
        return heard.told(Ending.DEADLINE)
    if heard.finish not in _ENDINGS:
        raise EngineDied(f"the server gave up its answer: {heard.finish or 'no end'}")
    return heard.told(_ENDINGS[heard.finish])
