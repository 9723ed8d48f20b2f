"""Text with finding and box tokens <-> findings. Pure; never raises on model output.

A well-formed text is a pure sequence of ``<obj>sentence<box>...</box></obj>``, any
number of boxes a sentence, a box being ``<xA><yB><xC><yD>`` with A to D in 0..99: the
hundredth of the crop's side, whose middle is meant. On these, and on texts without
any of the four tags, the result is the official parser's. On all others, which that
parser refuses, findings are recovered and each oddity becomes a flag.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from model.report import Flag, FlagKind, GroundedPhrase, NormalizedBox, Task

COORDINATE_BINS = 100
PHRASE_TAGS = ("<obj>", "</obj>")
BOX_TAGS = ("<box>", "</box>")
COORDINATE_TAGS = tuple(
    f"<{axis}{place}>" for axis in "xy" for place in range(COORDINATE_BINS)
)
ALL_TAGS = (*PHRASE_TAGS, *BOX_TAGS, *COORDINATE_TAGS)

_TAG = re.compile("(" + "|".join((*PHRASE_TAGS, *BOX_TAGS)) + ")")
_COORDINATE = re.compile(r"<[xy]\d+>")
_BOX = re.compile(r"<x(\d+?)><y(\d+?)><x(\d+?)><y(\d+?)>")
_END_OF_TEXT = "</s>"
_DETAIL_LENGTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a text says, and what was wrong with it."""

    phrases: tuple[GroundedPhrase, ...]
    flags: tuple[Flag, ...]


def read_answer(task: Task, text: str, *, cut_off: bool = False) -> Reading:
    """Read a generated text as the answer to a task.

    Plain findings are one phrase without boxes. `cut_off` says that the token
    limit ended the text. A box with a coordinate beyond the crop, such as
    ``<x100>``, lies outside what the model saw: it is left out and has the flag
    `FlagKind.COORDINATE_OUT_OF_RANGE`.
    """
    reading = parse_findings(text, cut_off=cut_off)
    tagged = _TAG.search(text) is not None
    if task is Task.FINDINGS and tagged:
        return _as_plain(reading)
    if task is not Task.FINDINGS and not tagged and reading.phrases:
        flag = Flag(kind=FlagKind.STRAY_TEXT, detail="no finding tag in the answer")
        return Reading(phrases=reading.phrases, flags=(*reading.flags, flag))
    return reading


def parse_findings(text: str, *, cut_off: bool = False) -> Reading:
    """Read any text as findings.

    Boxes keep the order that the model wrote (`FlagKind.INVERTED_BOX`); boxes
    without four coordinates in range are left out and flagged. What the official
    parser refuses has at least one flag.
    """
    stripped = text.strip()
    parser = _Parser()
    if cut_off:
        parser.flag(FlagKind.CUT_OFF)
    if not stripped:
        parser.flag(FlagKind.EMPTY)
    elif _TAG.search(stripped) is None:
        parser.phrases.append(GroundedPhrase(text=stripped))
    else:
        parser.read(stripped, cut_off=cut_off)
    return Reading(phrases=tuple(parser.phrases), flags=tuple(parser.flags))


def write_findings(phrases: Iterable[GroundedPhrase]) -> str:
    """Write findings as the model does; the inverse of `parse_findings`.

    Coordinates become the bin that holds them. Raises `ValueError` for a sentence
    that holds a tag.
    """
    return "".join(map(_write_phrase, phrases))


def coordinate_value(place: int) -> float:
    """Return the middle of a bin as a share of the crop's side."""
    return (place + 0.5) / COORDINATE_BINS


def coordinate_bin(value: float) -> int:
    """Return the bin that holds a share of the crop's side in [0, 1]."""
    return min(int(value * COORDINATE_BINS), COORDINATE_BINS - 1)


def _as_plain(reading: Reading) -> Reading:
    """Make one sentence without boxes of findings that nobody asked to locate."""
    text = " ".join(phrase.text.strip() for phrase in reading.phrases).strip()
    flag = Flag(kind=FlagKind.STRAY_TAG, detail="finding tags in plain findings")
    phrases = (GroundedPhrase(text=text),) if text else ()
    return Reading(phrases=phrases, flags=(*reading.flags, flag))


def _write_phrase(phrase: GroundedPhrase) -> str:
    if _TAG.search(phrase.text) is not None:
        raise ValueError(f"a sentence holds a tag: {phrase.text!r}")
    boxes = "".join(map(_write_box, phrase.boxes))
    return f"<obj>{phrase.text}{boxes}</obj>"


def _write_box(box: NormalizedBox) -> str:
    x_min, y_min, x_max, y_max = map(
        coordinate_bin, (box.x_min, box.y_min, box.x_max, box.y_max)
    )
    return f"<box><x{x_min}><y{y_min}><x{x_max}><y{y_max}></box>"


class _Parser:
    """Reads tag by tag. A finding may be open, and in it a box.

    Text or a box outside every finding opens an implicit one, so that nothing
    which the model wrote is lost.
    """

    def __init__(self) -> None:
        self.phrases: list[GroundedPhrase] = []
        self.flags: list[Flag] = []
        self._sentence: str | None = None
        self._implicit = False
        self._box: str | None = None
        self._boxes: list[NormalizedBox] = []
        self._had_box = False

    def flag(self, kind: FlagKind, detail: str = "") -> None:
        """Note one oddity; the detail is capped."""
        self.flags.append(Flag(kind=kind, detail=detail[:_DETAIL_LENGTH]))

    def read(self, text: str, *, cut_off: bool) -> None:
        """Read a text with tags to its end."""
        tags: dict[str, Callable[[], None]] = {
            "<obj>": self._open_finding,
            "</obj>": self._close_finding,
            "<box>": self._open_box,
            "</box>": self._close_box,
        }
        for part in _TAG.split(text):
            if part in tags:
                tags[part]()
            elif part:
                self._text(part)
        self._end(cut_off=cut_off)

    def _open_finding(self) -> None:
        if self._sentence is not None:
            self._leave("<obj> inside a finding")
        self._sentence, self._implicit = "", False

    def _close_finding(self) -> None:
        if self._sentence is None or self._implicit:
            self.flag(FlagKind.STRAY_TAG, "</obj> without <obj>")
        self._leave("")

    def _open_box(self) -> None:
        if self._sentence is None:
            self._sentence, self._implicit = "", True
        if self._implicit:
            self.flag(FlagKind.STRAY_TAG, "<box> outside a finding")
        self._abandon_box()
        self._box, self._had_box = "", True

    def _close_box(self) -> None:
        if self._box is None:
            self.flag(FlagKind.STRAY_TAG, "</box> without <box>")
        else:
            self._finish_box(self._box)

    def _text(self, text: str) -> None:
        """Take text as box content, sentence, or something outside a finding."""
        if self._box is not None:
            self._box += text
        elif self._sentence is None or self._implicit:
            self._outside(text)
        else:
            self._inside(text)

    def _inside(self, text: str) -> None:
        if self._had_box:
            self.flag(FlagKind.STRAY_TEXT, f"after a box: {text}")
        if _COORDINATE.search(text):
            self.flag(FlagKind.STRAY_TAG, f"coordinate outside a box: {text}")
        self._sentence = (self._sentence or "") + text

    def _outside(self, text: str) -> None:
        """Keep text outside the tags as a sentence; blanks are only flagged."""
        if _END_OF_TEXT in text:
            self.flag(FlagKind.STRAY_TAG, _END_OF_TEXT)
            text = text.replace(_END_OF_TEXT, "")
        if text:
            self.flag(FlagKind.STRAY_TEXT, f"outside a finding: {text}")
        if text.strip():
            self._sentence = (self._sentence or "") + text
            self._implicit = True

    def _end(self, *, cut_off: bool) -> None:
        """Close what is still open; the token limit explains an open finding."""
        explained = cut_off or self._implicit
        self._leave("" if explained else "<obj> without </obj>")

    def _leave(self, problem: str) -> None:
        """Close the finding, if one is open, as a phrase."""
        if self._sentence is None:
            return
        if problem:
            self.flag(FlagKind.STRAY_TAG, problem)
        self._abandon_box()
        sentence = self._sentence.lstrip()
        if self._had_box or self._implicit or problem:
            sentence = sentence.rstrip()
        self.phrases.append(GroundedPhrase(text=sentence, boxes=tuple(self._boxes)))
        self._sentence, self._implicit = None, False
        self._boxes, self._had_box = [], False

    def _abandon_box(self) -> None:
        """End a box that has no end tag; its coordinates may be whole."""
        if self._box is not None:
            self.flag(FlagKind.STRAY_TAG, "<box> without </box>")
            self._finish_box(self._box)

    def _finish_box(self, content: str) -> None:
        self._box = None
        match = _BOX.search(content)
        if match is None:
            self.flag(FlagKind.BOX_WITHOUT_FOUR_COORDINATES, content)
            return
        self._flag_rest(content[: match.start()] + content[match.end() :])
        values = _values(match.groups())
        if values is None:
            self.flag(FlagKind.COORDINATE_OUT_OF_RANGE, content)
        else:
            self._keep_box(values)

    def _flag_rest(self, rest: str) -> None:
        """Note what a box holds beside its first four coordinates."""
        if _COORDINATE.search(rest):
            self.flag(FlagKind.STRAY_TAG, f"in a box: {rest}")
        elif rest.strip():
            self.flag(FlagKind.STRAY_TEXT, f"in a box: {rest}")

    def _keep_box(self, values: tuple[float, float, float, float]) -> None:
        x_min, y_min, x_max, y_max = values
        if x_max < x_min or y_max < y_min:
            self.flag(FlagKind.INVERTED_BOX, str(values))
        elif x_max == x_min or y_max == y_min:
            self.flag(FlagKind.BOX_WITHOUT_AREA, str(values))
        self._boxes.append(
            NormalizedBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)
        )


def _values(digits: Sequence[str]) -> tuple[float, float, float, float] | None:
    """Turn four bins into shares of the side; None where one is out of range."""
    try:
        x_min, y_min, x_max, y_max = map(int, digits)
    except ValueError:  # more digits than int() takes
        return None
    places = (x_min, y_min, x_max, y_max)
    if any(place >= COORDINATE_BINS for place in places):
        return None
    values = [coordinate_value(place) for place in places]
    return values[0], values[1], values[2], values[3]
