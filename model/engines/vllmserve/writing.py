"""Questions as the server is asked them: words between pictures, and the pictures.

The whole prompt is written here; the server's template puts nothing between the parts.
A picture crosses as it is: 8 bits of grey in a PNG, which loses nothing. The server
makes the model's pixels of it by `model.maira2.processing`, as the local engine does.
"""

import base64
import hashlib
import io
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from model.engines.ended import token_limit
from model.engines.inputs import Cleaned, clean_question, image_digest, look_once
from model.engines.vllmserve.plan import ServedName
from model.grounding import ALL_TAGS
from model.maira2.prompts import BEGIN, END, IMAGE, prompt_images, prompt_text
from model.options import TokenLimits
from model.report import GreyImage, ReportRequest

SPECIAL = (BEGIN, END, "<unk>")
"""What no text shows; the local engine leaves it out when it writes ids as text."""
CONTROL_TOKENS = frozenset({*ALL_TAGS, *SPECIAL, IMAGE, "<prev_im>", "<lat_image>"})
"""All added tokens of MAIRA-2: a free text must hold none."""

_QUICK = 1
"""Level of the PNG, the least that compresses: 0.3 to 0.6 s for 3000 x 2500 pixels on a
a busy core, to 4.1 MB of 7.5."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """One question, cleaned and written, its pictures as data URLs in its order.

    seconds : that it took.
    """

    cleaned: Cleaned
    text: str
    pictures: tuple[str, ...]
    image_digests: tuple[tuple[str, str], ...]
    limit: int
    seconds: float

    @property
    def prompt_digest(self) -> str:
        """Return the SHA-256 of the prompt before widening."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def write_request(request: ReportRequest, limits: TokenLimits) -> Iterator[Written]:
    """Write the questions of a request; its images are looked at once.

    Raises `ConstantImage` or `RefusedRequest` for what can never be answered.
    """
    seen: dict[str, tuple[str, str]] = {}
    for question in request.questions:
        started = time.perf_counter()
        names = prompt_images(question)
        look_once(request.inputs, names, seen, _digest_and_url)
        cleaned = clean_question(question, CONTROL_TOKENS)
        yield Written(
            cleaned=cleaned,
            text=prompt_text(cleaned.question),
            pictures=tuple(seen[name][1] for name in names),
            image_digests=tuple((name, seen[name][0]) for name in names),
            limit=token_limit(limits, question.task),
            seconds=time.perf_counter() - started,
        )


def _digest_and_url(image: GreyImage) -> tuple[str, str]:
    return image_digest(image), data_url(image)


def data_url(image: GreyImage) -> str:
    """Return an image, (rows, columns) uint8, as a PNG in a URL."""
    held = io.BytesIO()
    Image.fromarray(image).save(held, "PNG", compress_level=_QUICK)
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def completion(written: Written, served: ServedName) -> bytes:
    """Return the body of the question: greedy, token by token, with all ids."""
    asked: Mapping[str, object] = {
        "model": str(served),
        "messages": [{"role": "user", "content": [*_parts(written)]}],
        "max_tokens": written.limit,
        "temperature": 0.0,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "stream": True,
        "add_special_tokens": True,
        "skip_special_tokens": False,
        "return_token_ids": True,
    }
    return json.dumps(asked).encode()


def tokenization(written: Written, served: ServedName) -> bytes:
    """Return the body of the question which ids the prompt has before widening."""
    asked = {"model": str(served), "prompt": written.text, "add_special_tokens": True}
    return json.dumps(asked).encode()


def is_widened(written: Sequence[int], read: Sequence[int], pictures: int) -> bool:
    """Tell whether ids that were read are the written ones with widened pictures.

    Each picture's token, and nothing else, stands there more often than it was written;
    all pictures equally often.
    """
    ours, theirs = _runs(written), _runs(read)
    if [token for token, _ in ours] != [token for token, _ in theirs]:
        return False
    more = [
        (token, long - short)
        for (token, short), (_, long) in zip(ours, theirs, strict=True)
        if long != short
    ]
    return len(more) == pictures and len({*more}) == 1 and more[0][1] > 0


def _runs(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return each token that stands once or several times in a row, and how often."""
    return [(token, len([*run])) for token, run in itertools.groupby(ids)]


def _parts(written: Written) -> Iterator[dict[str, object]]:
    words = written.text.split(IMAGE)
    for number, text in enumerate(words):
        if number:
            picture = {"url": written.pictures[number - 1]}
            yield {"type": "image_url", "image_url": picture}
        yield {"type": "text", "text": text}
