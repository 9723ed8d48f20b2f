"""Result objects are made and looked at in processes beside the gateway's own.

The objects of one report take some 100 ms of Python. In the gateway's interpreter all
its other threads would wait for that, the receiver's among them; here each has a core.
The findings SR takes half of that, so it is made beside the other objects.
The processes begin when the first report is encoded and live as long as this one.
"""

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar

from dicom_io.evidence import Evidence
from dicom_io.options import DecodeLimits
from dicom_io.results.encode import Outputs, encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.overlay import draw_report
from dicom_io.results.preflight import Look, demand_sound, look_at
from dicom_io.results.values import EncodedInstance, ResultContext
from model.report import GroundedReport

Made = TypeVar("Made")

_PROCESSES = 2
_FINDINGS = frozenset({ResultKind.FINDINGS_SR, ResultKind.FINDINGS_SR_2D})


class _Encoders:
    """The processes of this one; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def pool(self) -> ProcessPoolExecutor:
        """Return the processes, which are started where none are."""
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    _PROCESSES,
                    # by exec: a fork of this process would have its threads' locks
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_begin,
                )
            return self._pool

    def lose(self, pool: ProcessPoolExecutor) -> None:
        """Let others take the place of processes one of which has died."""
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False)


_ENCODERS = _Encoders()


def encode_apart(
    frontal: Path,
    report: GroundedReport,
    evidence: Evidence,
    context: ResultContext,
    outputs: Outputs,
) -> tuple[EncodedInstance, ...]:
    """Return the objects of one report as `encode_results` makes them, found sound.

    Raises as `encode_results` and `demand_sound` do, and ChildProcessError where a
    process was killed meanwhile: nothing is wrong with the report then.
    """
    shares = [
        replace(outputs, kinds=share)
        for share in (outputs.kinds & _FINDINGS, outputs.kinds - _FINDINGS)
        if share
    ]
    parts = _apart(
        [partial(_encode, frontal, report, evidence, context, own) for own in shares]
    )
    looks = [each for _, seen in parts for each in seen]
    demand_sound(looks, evidence, context)
    return tuple(each for made, _ in parts for each in made)


def draw_apart(
    frontal: Path,
    report: GroundedReport,
    evidence: Evidence,
    context: ResultContext,
    limits: DecodeLimits,
) -> bytes:
    """Return the picture of one report as `draw_report` draws it; raises as above."""
    (drawn,) = _apart(
        [partial(draw_report, frontal, report, evidence, context, limits)]
    )
    return drawn


def _apart(works: Sequence[Callable[[], Made]]) -> list[Made]:
    """Have each piece of work done in a process, side by side."""
    pool = _ENCODERS.pool()
    try:
        begun = [pool.submit(work) for work in works]
        return [each.result() for each in begun]
    except BrokenProcessPool as error:
        _ENCODERS.lose(pool)
        raise ChildProcessError("a process that makes result objects died") from error


def _encode(
    frontal: Path,
    report: GroundedReport,
    evidence: Evidence,
    context: ResultContext,
    outputs: Outputs,
) -> tuple[tuple[EncodedInstance, ...], tuple[Look, ...]]:
    made = encode_results(frontal, report, evidence, context, outputs)
    return made, tuple(look_at(one, evidence) for one in made)


def _begin() -> None:
    gc.freeze()  # the modules: to look through them takes longer than a report
    _end_with_parent()


def _end_with_parent() -> None:
    """End this process as soon as the one that started it has gone, however it went."""
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)
