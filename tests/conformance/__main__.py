"""Generated cases and all shared films before the validators: `make validate-results`.

Says what it validated and what it found; status 1 where that is anything.
"""

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from pydicom import dcmread

from dicom_io.errors import NotEncodable, UnreadableHeader
from dicom_io.results.encode import encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.preflight import check_objects
from dicom_io.results.values import EncodedInstance
from tests.conformance.generated import encoded, evidence_of, generated
from tests.conformance.validators import (
    DOCUMENTS,
    ascii_copy,
    by_pixelmed,
    complaints,
    greys,
)
from tests.data.peers import require_data
from tests.data.reports import context, report

_FOLDERS = ("dicom", "odd")
_TOGETHER = 10
"""Documents of one PixelMed run."""


@dataclass(slots=True)
class Tally:
    """What was validated so far, and what was found."""

    counts: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    documents: list[Path] = field(default_factory=list)


def main() -> int:
    """Validate; return 1 where a validator found something."""
    parser = ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument(
        "--pixelmed-every", type=int, default=20, help="0: not at all; slow"
    )
    asked = parser.parse_args()
    started, tally = monotonic(), Tally()
    with TemporaryDirectory() as folder:
        for number in range(asked.cases):
            sampled = bool(asked.pixelmed_every) and number % asked.pixelmed_every == 0
            _case(number, _sub(folder, f"case {number}"), tally, sampled=sampled)
        for film in _films():
            _film(film, _sub(folder, f"film {film.name}"), tally)
        _pixelmed(tally)
    counts = ", ".join(f"{count} {what}" for what, count in tally.counts.items())
    _say(f"{counts}; {len(tally.found)} complaints in {monotonic() - started:.0f} s")
    return 1 if tally.found else 0


def _case(number: int, folder: Path, tally: Tally, *, sampled: bool) -> None:
    image, made = encoded(generated(number), folder)
    tally.counts["generated cases"] += 1
    _objects(made, folder, tally, sampled=sampled)
    for each in made:
        if each.kind is ResultKind.GSPS:
            _greys(image, folder / f"{each.kind}.dcm", tally)


def _film(film: Path, folder: Path, tally: Tally) -> None:
    seen = evidence_of(film)
    try:
        made = encode_results(film, report(), seen, context())
    except (NotEncodable, UnreadableHeader) as refused:
        tally.counts["films refused"] += 1
        _say(f"{film.name}: {refused}")
        return
    tally.counts["films"] += 1
    _found(tally, film.name, list(check_objects(made, seen)))
    _objects(made, folder, tally, sampled=False)


def _objects(
    made: tuple[EncodedInstance, ...], folder: Path, tally: Tally, *, sampled: bool
) -> None:
    for each in made:
        path = folder / f"{each.kind}.dcm"
        path.write_bytes(each.data)
        tally.counts[each.kind] += 1
        _found(tally, folder.name, complaints(each.kind, path))
        if sampled and each.kind in DOCUMENTS:
            tally.documents.append(path)


def _greys(image: Path, state: Path, tally: Tally) -> None:
    source = ascii_copy(image)
    plain = greys(source)
    if isinstance(plain, str):
        tally.counts["images that dcmp2pgm does not show"] += 1
        return
    tally.counts["grey pictures"] += 1
    if plain != greys(source, ascii_copy(state)):
        _found(tally, state.parent.name, ["greys differ with the state"])


def _pixelmed(tally: Tally) -> None:
    for first in range(0, len(tally.documents), _TOGETHER):
        some = tally.documents[first : first + _TOGETHER]
        tally.counts["documents before PixelMed"] += len(some)
        _found(tally, "PixelMed", by_pixelmed(some))


def _films() -> Iterator[Path]:
    """Yield what is an image among the shared data."""
    for folder in _FOLDERS:
        for path in sorted(require_data(folder).glob("*.dcm")):
            if "Rows" in dcmread(path, stop_before_pixels=True):
                yield path


def _found(tally: Tally, where: str, problems: list[str]) -> None:
    for problem in problems:
        tally.found.append(problem)
        _say(f"{where}: {problem}")


def _sub(folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.mkdir()
    return path


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
