"""What this machine can do at most: memory, loopback, page cache, durable writes.

No receiver is faster than these; the durable targets are shares of the last ones.
Usage: python -m benchmarks.limits [--rounds 5] [--mebibytes 10]
"""

import argparse
import os
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.rounds import Measure, in_turn, keep
from gateway import digests
from gateway.blockfile import BlockFile

MEGABYTE = 1e6


def copy_memory(size: int) -> float:
    """Return MB/s of copying `size` bytes in memory."""
    source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)
    began = time.perf_counter()
    np.copyto(target, source)
    return size / (time.perf_counter() - began) / MEGABYTE


def digest(kind: str, size: int) -> float:
    """Return MB/s of a digest; a receiver of ours computes BLAKE3 of all it takes."""
    body, digesting = bytes(size), digests.begin(f"{kind}:")
    began = time.perf_counter()
    digesting.update(body)
    digesting.hexdigest()
    return size / (time.perf_counter() - began) / MEGABYTE


def loopback(chunk: int, size: int) -> float:
    """Return MB/s of one TCP stream on loopback, both ends in this process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = threading.Thread(
            target=_pour, args=(server.getsockname(), chunk, size)
        )
        sender.start()
        with server.accept()[0] as stream:
            began, window = time.perf_counter(), bytearray(chunk)
            while stream.recv_into(window):
                pass
            seconds = time.perf_counter() - began
        sender.join()
    return size / seconds / MEGABYTE


def _pour(address: tuple[str, int], chunk: int, size: int) -> None:
    with socket.create_connection(address) as stream:
        body = bytes(chunk)
        for _ in range(size // chunk):
            stream.sendall(body)


def write_files(folder: Path, body: bytes, count: int, *, durable: bool) -> float:
    """Return MB/s of writing `count` files; durable: file and folder fsynced."""
    began = time.perf_counter()
    for number in range(count):
        part = folder / f"{threading.get_ident()}-{number}.part"
        with part.open("wb", buffering=0) as file:
            file.write(body)
            if durable:
                os.fsync(file.fileno())
        part.rename(part.with_suffix(""))
        if durable:
            _sync_folder(folder)
    seconds = time.perf_counter() - began
    for path in folder.glob(f"{threading.get_ident()}-*"):
        path.unlink()
    return len(body) * count / seconds / MEGABYTE


def write_blocks(folder: Path, body: bytes, count: int) -> float:
    """Return MB/s of writing `count` files as the spool does, past the page cache."""
    began = time.perf_counter()
    for number in range(count):
        part = folder / f"block-{number}.part"
        file = BlockFile(part, lambda _block: None)
        file.write([body])
        file.sync()
        file.close()
        part.rename(part.with_suffix(""))
        _sync_folder(folder)
    seconds = time.perf_counter() - began
    for path in folder.glob("block-*"):
        path.unlink()
    return len(body) * count / seconds / MEGABYTE


def write_together(folder: Path, body: bytes, count: int, threads: int) -> float:
    """Return MB/s of durable writes by several threads at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for done in [
            pool.submit(write_files, folder, body, count, durable=True)
            for _ in range(threads)
        ]:
            done.result()
    return len(body) * count * threads / (time.perf_counter() - began) / MEGABYTE


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def contenders(folder: Path, size: int) -> dict[str, Measure]:
    """Return each limit with what measures it; `size` is a film's, in bytes."""
    large, small = os.urandom(size), os.urandom(max(1, size // 20))
    return {
        "memory copy": partial(copy_memory, size * 16),
        "SHA-256": partial(digest, "sha256", size * 4),
        "BLAKE3": partial(digest, "blake3", size * 4),
        "loopback, reads of 16 KiB": partial(loopback, 1 << 14, size * 16),
        "loopback, reads of 1 MiB": partial(loopback, 1 << 20, size * 32),
        "write films": partial(write_files, folder, large, 10, durable=False),
        "write films, durable": partial(write_files, folder, large, 10, durable=True),
        "write films past the page cache, durable": partial(
            write_blocks, folder, large, 10
        ),
        "write films, durable, 8 threads": partial(write_together, folder, large, 2, 8),
        "write small, durable": partial(write_files, folder, small, 40, durable=True),
    }


def main(words: Sequence[str] | None = None) -> None:
    """Measure all limits in turn and keep them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=10)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as scratch:
        measured = contenders(Path(scratch), given.mebibytes << 20)
        figures = in_turn(measured, given.rounds, "MB/s")
    keep("limits", list(figures.values()))


if __name__ == "__main__":
    main()
