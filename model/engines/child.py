"""The child process that holds a `LocalEngine` and answers on the wire.

`process` starts it. Its standard input and output are the wire; what libraries
print goes to standard error. It ends with its parent: the end of its input ends it,
also in the middle of a reading. What it did not expect ends it too, and its parent
starts another.
"""

import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import numpy as np
from pydantic import TypeAdapter

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
from model.errors import BadFrame, ModelError
from model.options import EngineOptions
from model.report import ReportInputs, ReportRequest, Task

if TYPE_CHECKING:
    from model.engine import ReportEngine

OPTIONS = TypeAdapter(EngineOptions)
"""How the options are written on the command line."""

BEAT_SECONDS = 5.0
WARM_UP_SECONDS = 1.0
_FIRST_VICTIM = "500"


class _Outlet:
    """Where messages go; two threads speak."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send one message whole; without a reader this process has no use."""
        frame = encode(message)
        try:
            with self._lock:
                self._stream.write(frame)
                self._stream.flush()
        except OSError:
            _leave()


def main(arguments: list[str]) -> None:
    """Load the engine of the options and answer until the input ends."""
    sys.excepthook = _say_where
    source, outlet = _claim_streams()
    _offer_to_be_killed_first()
    asks: SimpleQueue[Ask] = SimpleQueue()
    threading.Thread(target=_listen, args=(source, asks), daemon=True).start()
    threading.Thread(target=_beat, args=(outlet,), daemon=True).start()
    try:
        engine, ready = load_engine(OPTIONS.validate_json(arguments[0]))
    except ModelError as error:
        outlet.send(Failed.of(error))
        return
    outlet.send(ready)
    while True:
        outlet.send(_answer(engine, asks.get()))


def warm_up_request() -> ReportRequest:
    """Return a question about nothing, to be cut off after a moment."""
    slope = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    return ReportRequest(
        inputs=ReportInputs(current_frontal=slope),
        tasks=(Task.FINDINGS,),
        deadline_seconds=WARM_UP_SECONDS,
    )


def load_engine(options: EngineOptions) -> "tuple[ReportEngine, Ready]":
    """Load, and answer once: memory and device then hold for a whole turn."""
    # Here, as the import alone takes seconds in which the parent should hear us.
    from model.engines.local import LocalEngine  # noqa: PLC0415

    engine = LocalEngine(options)
    ((report,),) = engine.generate([warm_up_request()])
    device = report.provenance.device.partition(":")[0]
    return engine, Ready(identity=engine.identity, device=device)


def _answer(engine: "ReportEngine", ask: Ask) -> Message:
    try:
        return Reports(reports=tuple(engine.generate(ask.requests)))
    except ModelError as error:
        return Failed.of(error)


def _listen(source: BinaryIO, asks: SimpleQueue[Ask]) -> None:
    """Take what is asked; end the process with the input.

    Whatever ends the listening: a process that hears nothing more must not go on
    saying that it is alive.
    """
    try:
        with suppress(BadFrame, OSError):
            while isinstance(message := read_message(source.read), Ask):
                asks.put(message)
    finally:
        _leave()


def _beat(outlet: _Outlet) -> None:
    pause = threading.Event()
    while True:
        outlet.send(Alive())
        pause.wait(BEAT_SECONDS)


def _leave() -> NoReturn:
    """End now, whatever other threads compute."""
    os._exit(1)


def _claim_streams() -> tuple[BinaryIO, _Outlet]:
    """Keep the wire to ourselves: libraries print as they like."""
    source, outlet = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(source, "rb"), _Outlet(os.fdopen(outlet, "wb"))


def _offer_to_be_killed_first() -> None:
    """Where memory runs out, the kernel is to take this process, not the parent."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_VICTIM, "ascii")


def _say_where(
    kind: type[BaseException], _error: BaseException, trace: TracebackType | None
) -> None:
    """Print where it failed, but no message: that may quote a patient's text."""
    sys.stderr.writelines([*traceback.format_tb(trace), f"{kind.__name__}\n"])


if __name__ == "__main__":
    main(sys.argv[1:])
