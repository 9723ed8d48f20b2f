"""Every shared file by every sender in PDUs of every length: `make differential`.

Prints what was stored the same by this receiver and by storescp; status 1 where
anything differs.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tests.differential.comparison import FATES, compared
from tests.differential.senders import SENDERS

MAX_PDU_BYTES = (4096, 16_384, 131_072, 1 << 20, 0)
"""What the receiver announces; 0: any length. storescp announces 131072 at most."""


def main() -> int:
    """Compare; return 1 where something differs."""
    parser = ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("--senders", nargs="*", default=list(SENDERS))
    parser.add_argument("--pdus", nargs="*", type=int, default=MAX_PDU_BYTES)
    asked = parser.parse_args()
    different = 0
    for name in asked.senders:
        for max_pdu_bytes in asked.pdus:
            different += _cell(name, max_pdu_bytes)
    for (name, file), fate in FATES.items():
        _say(f"{name} {file}: here {fate.ours}, storescp {fate.storescp}; {fate.why}")
    return 1 if different else 0


def _cell(name: str, max_pdu_bytes: int) -> int:
    started = monotonic()
    with TemporaryDirectory() as folder:
        found = compared(SENDERS[name], max_pdu_bytes, Path(folder))
    _say(
        f"{name:10} announced {max_pdu_bytes:7} longest P-DATA-TF {found.longest_pdu:7}"
        f" same {found.same} files {found.compared_bytes / 1e6:.1f} MB"
        f" different {len(found.different)} in {monotonic() - started:.1f} s"
    )
    for each in found.different:
        _say(f"  {each}")
    return len(found.different)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
