"""A phantom study that was read, and its console on a port of this machine."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from pydicom import dcmread

from config.load import Table
from dicom_io.coordinates import ImageFrame, PixelBox, to_normalized
from dicom_io.header import read_instance
from dicom_io.status import Status
from gateway.lifecycle import State
from gateway.site import Site
from gateway.web.app import create_app
from model.options import Domain
from model.report import FlagKind, GroundedPhrase, NormalizedBox
from tests.data.console import add_accounts
from tests.data.films import write_film
from tests.data.phantoms import Phantom, phantom_files
from tests.data.stages import Bench, ScriptedPriors, answer, bench_at

CROP_SIDE = 518
"""Of the canned engine's reports."""
SENTENCES = (
    "There is a focal opacity in the left mid lung.",
    "The cardiac silhouette is enlarged.",
    "There is a small right pleural effusion, new since the prior.",
    "A nodule projects over the right upper lobe.",
)
WITHOUT_A_PLACE = "No pneumothorax is seen."
_READY_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class ReadStudy:
    """A phantom study on a bench, and what the engine says about it."""

    bench: Bench
    phantom: Phantom
    frame: ImageFrame
    planted: tuple[PixelBox, ...]

    @property
    def uid(self) -> str:
        return self.phantom.study_instance_uid

    def turn_all(self) -> State:
        """Work until nothing is due."""
        while self.bench.turn():
            pass
        return self.bench.study(self.uid).state


@contextmanager
def read_study(
    folder: Path,
    overrides: Table | None = None,
    *,
    short_side: int = 420,
    attributes: Mapping[str, str] | None = None,
    flags: tuple[FlagKind, ...] = (),
    phrases: tuple[GroundedPhrase, ...] = (),
) -> Iterator[ReadStudy]:
    """Bring a phantom with lateral and prior through all stages.

    attributes : set in the headers of what the modality sends. flags : of the report.
    phrases : what the engine says besides the planted findings.
    """
    phantom = phantom_files(folder / "sent", seed=11, short_side=short_side)
    _change(phantom.current, attributes or {})
    priors = _priors(phantom)
    with bench_at(folder, overrides, priors=priors) as bench:
        study = _study(bench, phantom, flags)
        bench.engine.phrases = (*bench.engine.phrases, *phrases)
        for path in phantom.current:
            assert bench.send(path) is Status.SUCCESS
        bench.clock.add(seconds=60)
        bench.complete()
        study.turn_all()
        yield study


def _study(bench: Bench, phantom: Phantom, flags: tuple[FlagKind, ...]) -> ReadStudy:
    header = read_instance(phantom.frontal)
    assert header.rows
    assert header.columns
    frame = ImageFrame(rows=header.rows, columns=header.columns)
    bench.engine.domain = Domain.PHANTOM
    bench.engine.flags = flags
    bench.engine.phrases = (*_phrases(phantom, frame), _unplaced())
    return ReadStudy(bench=bench, phantom=phantom, frame=frame, planted=phantom.planted)


def _phrases(phantom: Phantom, frame: ImageFrame) -> list[GroundedPhrase]:
    """Return a sentence a planted box; the second has two boxes where there are."""
    boxes = [_normalized(box, frame) for box in phantom.planted]
    return [
        GroundedPhrase(text=text, boxes=(box,))
        for text, box in zip(SENTENCES, boxes, strict=False)
    ]


def _normalized(box: PixelBox, frame: ImageFrame) -> NormalizedBox:
    found = to_normalized(box, frame, CROP_SIDE)
    assert found is not None
    return found


def _unplaced() -> GroundedPhrase:
    return GroundedPhrase(text=WITHOUT_A_PLACE)


def _change(paths: list[Path], attributes: Mapping[str, str]) -> None:
    for path in paths if attributes else ():
        ds = dcmread(path)
        ds.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
        write_film(path, ds, ds.file_meta.TransferSyntaxUID)


def _priors(phantom: Phantom) -> ScriptedPriors:
    before, now = read_instance(phantom.prior[0]), read_instance(phantom.frontal)
    assert before.study_date
    known = replace(
        answer(before.study_instance_uid, patient=now.patient),
        study_date=before.study_date,
        instance_count=len(phantom.prior),
    )
    return ScriptedPriors(
        answers=[known], holds={before.study_instance_uid: phantom.prior}
    )


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve the console of a site, with an account for each role; yield its origin."""
    add_accounts(site)
    config = uvicorn.Config(
        create_app(site), host="127.0.0.1", port=0, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{_port(server)}"
    finally:
        server.should_exit = True
        thread.join(_READY_SECONDS)


def _port(server: uvicorn.Server) -> int:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if server.started:
            return int(server.servers[0].sockets[0].getsockname()[1])
        time.sleep(0.02)
    raise TimeoutError("the console did not start")
