"""Where `evaluate` finds the reports that were named on its command line."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from gateway.cli.output import WRONG_USE, fail, waiting
from gateway.cli.site import now, os_user, site_ledger, site_settings
from model.version import VERSION

if TYPE_CHECKING:
    from gateway.evaluation.output import About
    from gateway.evaluation.readers import Layout
    from gateway.evaluation.run import Pairing
    from gateway.evaluation.sources import BoxFrame, Reports

LEDGER, RECEIVED, ARCHIVE = "ledger", "received", "archive"
"""Words in place of a path: sources that this site has itself."""


class LayoutChoice(StrEnum):
    """As `Layout`; here so that `--help` loads no library."""

    TEXTS = "texts"
    TABLE = "table"
    RADFACT = "radfact"
    MIMIC_CXR = "mimic-cxr"
    PADCHEST_GR = "padchest-gr"
    IU_XRAY = "iu-xray"
    DICOM = "dicom"


class FrameChoice(StrEnum):
    """As `BoxFrame`."""

    IMAGE = "image"
    CROP = "crop"


class Places(NamedTuple):
    """What was named on the command line."""

    generated: str
    references: str
    match: Path | None


def read_pairing(
    context: typer.Context,
    places: Places,
    layout: LayoutChoice | None,
    boxes: FrameChoice,
) -> tuple["Pairing", "About"]:
    """Read both sides and join them; the judge is not known yet."""
    from gateway.evaluation.readers import Layout, box_frame, guess_layout
    from gateway.evaluation.run import pair_reports
    from gateway.evaluation.sources import BoxFrame, read_matches

    path = Path(places.references)
    lies = Layout(layout) if layout else guess_layout(path)
    matches = read_matches(places.match) if places.match else None
    frame = BoxFrame.CROP
    if places.references not in (RECEIVED, ARCHIVE):
        frame = box_frame(lies, BoxFrame(boxes))
    with waiting("reading reports"):
        generated = _generated(context, places.generated, frame)
        if places.references in (RECEIVED, ARCHIVE):
            names = _wanted(generated, matches)
            references = _of_site(context, places.references, names)
        else:
            references = _from_path(path, lies, frame)
    return pair_reports(generated, references, matches), _about(generated, references)


def _generated(context: typer.Context, named: str, frame: "BoxFrame") -> "Reports":
    from gateway.evaluation.generated import read_generated, read_ledger

    if named != LEDGER:
        return read_generated(Path(named), frame)
    with site_ledger(context) as ledger:
        return read_ledger(ledger, frame, os_user(), now())


def _wanted(generated: "Reports", matches: Mapping[str, str] | None) -> tuple[str, ...]:
    """Return the studies whose references are needed, under the references' names."""
    if matches is not None:
        return tuple(dict.fromkeys(matches.values()))
    return (*generated.reports, *(each.study_id for each in generated.absent))


def _from_path(path: Path, layout: "Layout", frame: "BoxFrame") -> "Reports":
    from gateway.evaluation.readers import read_references

    return read_references(path, layout, frame)


def _of_site(context: typer.Context, named: str, studies: Sequence[str]) -> "Reports":
    """Read the reports of persons that this site or its archive holds.

    That they were asked for is in the audit before anything is read.
    """
    from gateway.evaluation.received import fetch_reports, read_spool, record_reading
    from gateway.spool import Spool

    settings = site_settings(context)
    if named == ARCHIVE:
        archive = settings.archive_ae()
        if archive is None:
            fail("no archive is named in the settings: archive.peer", WRONG_USE)
        with site_ledger(context) as ledger:
            record_reading(ledger, studies, os_user(), now())
        return fetch_reports(settings.local_ae(), archive, studies)
    spool = Spool(
        settings.storage.folder.resolve() / "spool",
        reserve_bytes=settings.storage.reserve_bytes,
    )
    with site_ledger(context) as ledger:
        record_reading(ledger, studies, os_user(), now())
        return read_spool(ledger, spool, studies)


def _about(generated: "Reports", references: "Reports") -> "About":
    from gateway.evaluation.output import About

    return About(
        command=shlex.join(["maira-gateway", *sys.argv[1:]]),
        version=VERSION,
        at=now(),
        judge="",
        prompts=None,
        generated=generated.place,
        references=references.place,
        models=generated.models,
        with_text=False,
    )
