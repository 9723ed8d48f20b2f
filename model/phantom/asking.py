"""How an engine is asked about phantoms that no training has seen."""

from collections.abc import Iterator

from model.engine import ReportEngine
from model.phantom.generator import PhantomStudy, make_phantom
from model.report import GroundedReport, ReportInputs, ReportRequest, Task

SEED_LIMIT = 1 << 16
SEED_STRIDE = 1 << 20
"""Most phantoms of one evaluation seed; the next seed's follow them."""


def held_out_seeds(seed: int, count: int) -> range:
    """Return seeds of phantoms that no training uses (`dataset.TRAINING_SEEDS`).

    Raises `ValueError` where the seeds would not stay apart.
    """
    if not (0 <= seed < SEED_LIMIT and 0 <= count <= SEED_STRIDE):
        raise ValueError(f"seed must be in 0..{SEED_LIMIT - 1}, n up to {SEED_STRIDE}")
    first = seed * SEED_STRIDE
    return range(first, first + count)


def held_out(seed: int, count: int) -> Iterator[PhantomStudy]:
    """Yield phantoms that no training has seen, at full size."""
    return map(make_phantom, held_out_seeds(seed, count))


def grounded_report(engine: ReportEngine, inputs: ReportInputs) -> GroundedReport:
    """Ask the engine for a grounded report."""
    request = ReportRequest(inputs=inputs, tasks=(Task.GROUNDED_FINDINGS,))
    ((report,),) = engine.generate([request])
    return report
