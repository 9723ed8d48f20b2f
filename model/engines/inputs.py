"""What is checked and cleaned before a question reaches a model. Pure.

The model itself is faithful to upstream: there, tags in a free text steer the
output and a constant image becomes zeros. Neither gets past this module.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from model.errors import ConstantImage, RefusedRequest
from model.report import Flag, FlagKind, GreyImage, Question, ReportInputs

FREE_TEXTS = ("prior_report", "indication", "technique", "comparison")
IMAGES = ("current_frontal", "current_lateral", "prior_frontal")

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A question without control tokens, and a flag for each input that had some."""

    question: Question
    flags: tuple[Flag, ...]


def neutralise(text: str, control_tokens: Iterable[str]) -> str:
    """Put a blank in the place of every control token.

    A blank, because taking a token out could join its neighbours to another one.
    """
    longest_first = sorted(control_tokens, key=len, reverse=True)
    if not longest_first:
        return text
    return re.sub("|".join(map(re.escape, longest_first)), " ", text)


def clean_question(question: Question, control_tokens: Iterable[str]) -> Cleaned:
    """Neutralise every free text of a question.

    A text that held nothing else becomes None. Raises `RefusedRequest` for a
    phrase that says nothing.
    """
    tokens = tuple(control_tokens)
    before = {name: getattr(question.inputs, name) for name in FREE_TEXTS}
    after = {name: _clean(text, tokens) for name, text in before.items()}
    phrase = _clean(question.phrase, tokens)
    if question.phrase is not None and not (phrase or "").strip():
        raise RefusedRequest("the phrase to locate is empty")
    changed = [name for name in FREE_TEXTS if after[name] != before[name]]
    if phrase != question.phrase:
        changed.append("phrase")
    return Cleaned(
        question=replace(
            question, inputs=_with_texts(question.inputs, after), phrase=phrase
        ),
        flags=tuple(
            Flag(kind=FlagKind.NEUTRALISED_INPUT, detail=name) for name in changed
        ),
    )


def check_images(inputs: ReportInputs, names: Iterable[str]) -> None:
    """Refuse images that carry nothing.

    Raises `ConstantImage` where all pixels are equal, `RefusedRequest` where the
    array is not a `GreyImage`; the message names the input.
    """
    for name in names:
        image: GreyImage = getattr(inputs, name)
        if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:
            raise RefusedRequest(
                f"{name} is {image.dtype} of shape {image.shape}, "
                "expected (rows, columns) uint8"
            )
        if image.min() == image.max():
            raise ConstantImage(f"all pixels of {name} are {int(image.min())}")


def look_once(
    inputs: ReportInputs,
    names: Iterable[str],
    seen: MutableMapping[str, Seen],
    look: Callable[[GreyImage], Seen],
) -> None:
    """Check the images that are not in `seen` yet, and add what `look` makes of each.

    Raises as `check_images`, before any is looked at.
    """
    new = [name for name in names if name not in seen]
    check_images(inputs, new)
    for name in new:
        seen[name] = look(getattr(inputs, name))


def image_digest(image: GreyImage) -> str:
    """Digest an image: rows and columns as 32-bit little endian, then the pixels.

    Returns the lowercase SHA-256.
    """
    size = np.array(image.shape, dtype="<u4").tobytes()
    return hashlib.sha256(size + np.ascontiguousarray(image).tobytes()).hexdigest()


def _clean(text: str | None, tokens: tuple[str, ...]) -> str | None:
    """Neutralise one text; unchanged where it holds no token."""
    if text is None:
        return None
    cleaned = neutralise(text, tokens)
    if cleaned == text:
        return text
    return cleaned if cleaned.strip() else None


def _with_texts(inputs: ReportInputs, texts: dict[str, str | None]) -> ReportInputs:
    return replace(
        inputs,
        prior_report=texts["prior_report"],
        indication=texts["indication"],
        technique=texts["technique"],
        comparison=texts["comparison"],
    )
