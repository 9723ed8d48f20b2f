"""A child process on the wire without a model; requests say how it behaves.

`python -m tests.data.engine_child START`: "ready", a name of `STARTS`, or
"once:FOLDER", which is ready at the first start alone; "hanging" is ready and then
answers nothing. The indication of a request
names what it does then; see `_misbehave`.
"""

import os
import signal
import sys
import time
from pathlib import Path

from model.engines.piped import our_interpreter
from model.engines.wire import (
    Alive,
    Ask,
    Failed,
    Message,
    Ready,
    Reports,
    encode,
    read_message,
)
from model.errors import CheckpointError, EngineUnavailable, ModelError, RefusedRequest
from tests.data.engines import CannedEngine

STARTS = ("no-checkpoint", "exit", "garbage", "silent", "killed", "early-answer")


def child_command(start: str = "ready") -> tuple[str, ...]:
    return our_interpreter("tests.data.engine_child", start)


def _say(message: Message) -> None:
    os.write(1, encode(message))


def _start(how: str) -> None:
    _say(Alive())
    if how == "no-checkpoint":
        _say(Failed.of(CheckpointError("config.json is missing")))
        sys.exit(0)
    if how == "exit":
        sys.exit(7)
    if how == "garbage":
        os.write(1, b"Traceback (most recent call last):\n")
    if how == "silent":
        time.sleep(600)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "early-answer":
        _say(Ask(requests=()))
    if how.startswith("once:") and not _is_first(Path(how[5:])):
        sys.exit(9)


def _is_first(folder: Path) -> bool:
    marks = len(list(folder.iterdir()))
    (folder / str(marks)).touch()
    return marks == 0


def _misbehave(how: str | None) -> None:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "exit":
        sys.exit(3)
    if how == "hang":
        time.sleep(600)
    if how == "garbage":
        os.write(1, b"no message at all, but long enough to be one")
        time.sleep(600)
    if how == "memory":
        raise EngineUnavailable("out of memory on cuda for 4000 tokens")
    if how == "refused":
        raise RefusedRequest("never")


def _answer(engine: CannedEngine, ask: Ask) -> Message:
    try:
        for request in ask.requests:
            _misbehave(request.inputs.indication)
        return Reports(reports=tuple(engine.generate(ask.requests)))
    except ModelError as error:
        return Failed.of(error)


def main(start: str) -> None:
    engine = CannedEngine()
    _start(start)
    _say(Ready(identity=engine.identity, device="cpu"))
    if start == "hanging":
        time.sleep(600)
    while isinstance(ask := read_message(sys.stdin.buffer.read), Ask):
        _say(_answer(engine, ask))


if __name__ == "__main__":
    main(sys.argv[1])
