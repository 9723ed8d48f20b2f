"""What it costs to open and release an association, beside storescp and pynetdicom.

Association after association by one sender, with one presentation context.
Usage: python -m benchmarks.associate [--rounds 5] [--times 50]
"""

import argparse
import struct
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.receivers import RECEIVERS
from benchmarks.rounds import Target, in_turn, keep
from benchmarks.sender import associated
from benchmarks.serving import serving

NAMES = ("ours, durable", "storescp, tuned", "pynetdicom")
_RELEASE_RQ = struct.pack(">BxLL", 5, 4, 0)
_RELEASE_RP_BYTES = 10


def open_and_release(port: int, times: int) -> float:
    """Return the milliseconds that one association takes."""
    began = time.perf_counter()
    for _ in range(times):
        connection, _ = associated(port)
        with connection:
            connection.sendall(_RELEASE_RQ)
            if len(connection.recv(_RELEASE_RP_BYTES)) != _RELEASE_RP_BYTES:
                raise RuntimeError("the association was not released")
    return (time.perf_counter() - began) * 1000 / times


def main(words: Sequence[str] | None = None) -> None:
    """Measure the receivers in turn, all of them running, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=50)
    given = parser.parse_args(words)
    with ExitStack() as stack:
        ports = {}
        for name in NAMES:
            if RECEIVERS[name].is_present():
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                ports[name], _ = stack.enter_context(serving(name, Path(folder)))
        ways = {
            name: partial(open_and_release, port, given.times)
            for name, port in ports.items()
        }
        found = in_turn(ways, given.rounds, "ms")
    own, targets = found[NAMES[0]].median, []
    if NAMES[1] in found:
        ratio = own / found[NAMES[1]].median
        what = "an association, over storescp"
        targets.append(Target(what=what, reached=ratio, bound=1.0, at_least=False))
    keep("associate", list(found.values()), targets)


if __name__ == "__main__":
    main()
