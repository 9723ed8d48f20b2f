"""Reading a checkpoint whole: its numbers are numbers, and those that were shipped.

``python -m model.maira2.scanning FOLDER`` writes the digest to ship it with.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from model.maira2.snapshot import weights_digest
from model.maira2.weights import open_shard, shard_files

DIGEST_FILE = "weights.sha256"
"""In a checkpoint that was shipped with its digest: that of `weights_digest`."""


def scan_weights(
    folder: Path, seen: Callable[[str], None] = lambda _: None
) -> Iterator[str]:
    """Yield a line for each tensor that holds NaN or infinity, and a wrong digest.

    One tensor is in memory at a time; `seen` hears of each before it is read.
    Raises `CheckpointError` where a shard cannot be read.
    """
    for shard in shard_files(folder):
        with open_shard(shard) as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                seen(f"{shard.name} {name}")
                if not bool(torch.isfinite(file.get_tensor(name)).all()):
                    yield f"tensor {name} in {shard.name} holds what is no number"
    yield from _digest_problem(folder)


def main() -> None:
    """Write the digest of the folder that is named into it."""
    folder = Path(sys.argv[1])
    (folder / DIGEST_FILE).write_text(f"{weights_digest(folder)}\n", "ascii")


def _digest_problem(folder: Path) -> Iterator[str]:
    pinned = folder / DIGEST_FILE
    if pinned.is_file():
        wanted, found = pinned.read_text("ascii").strip(), weights_digest(folder)
        if found != wanted:
            yield f"the digest is {found}, shipped was {wanted}"


if __name__ == "__main__":
    main()
