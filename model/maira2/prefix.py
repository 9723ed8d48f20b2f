"""Prompts that begin alike are read once: their keys and values are kept.

All prompts of a study begin with the same words and images; what is common is found
by comparing tokens and images, never assumed. A cache belongs to one set of loaded
weights in one number format, with one adapter or none, and goes with it.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.maira2.memory import KeyValues
from model.maira2.tokenization import TokenIds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PromptTokens:
    """What a model reads: ids, and the images behind the image tokens.

    `ids` : (length,) int64; `image_starts` : the place of each image's first token;
    `image_digests` : of each image's pixel values, in the same order; `image_tokens` :
    tokens of one image.
    """

    ids: TokenIds
    image_starts: tuple[int, ...]
    image_digests: tuple[str, ...]
    image_tokens: int

    @property
    def image_ends(self) -> tuple[int, ...]:
        """Return the place behind each image's last token."""
        return tuple(start + self.image_tokens for start in self.image_starts)

    @property
    def images_end(self) -> int:
        """Return the place behind all images, 0 without images."""
        return self.image_ends[-1] if self.image_starts else 0

    @property
    def is_image(self) -> npt.NDArray[np.bool_]:
        """Tell of each token whether it stands for a patch: (length,)."""
        places = np.zeros(len(self.ids), dtype=bool)
        for start, end in zip(self.image_starts, self.image_ends, strict=True):
            places[start:end] = True
        return places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefix:
    """A prompt that was read, and its keys and values."""

    tokens: PromptTokens
    memory: KeyValues


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hit:
    """Keys and values whose first `length` tokens are those of a prompt."""

    memory: KeyValues
    length: int


def common_prefix(one: PromptTokens, other: PromptTokens) -> int:
    """Count the tokens from the first on that are equal, images included."""
    shorter = min(len(one.ids), len(other.ids))
    differing = np.flatnonzero(one.ids[:shorter] != other.ids[:shorter])
    length = int(differing[0]) if differing.size else shorter
    images = zip(one.image_starts, one.image_digests, other.image_digests, strict=False)
    for start, ours, theirs in images:
        if ours != theirs:
            return min(length, start)
    return length


class PrefixCache:
    """Read prompts within a budget of bytes; the longest unused goes first.

    A budget of 0 keeps nothing.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[int, Prefix] = OrderedDict()
        self._next = 0

    @property
    def nbytes(self) -> int:
        """Count the bytes that are kept."""
        return sum(prefix.memory.nbytes for prefix in self._kept.values())

    def __len__(self) -> int:
        """Count the prompts that are kept."""
        return len(self._kept)

    def find(self, tokens: PromptTokens) -> Hit | None:
        """Find what is kept of a prompt: as long as possible, never all of it.

        The last token is always read anew: its logits begin the answer.
        """
        lengths = {
            key: common_prefix(prefix.tokens, tokens)
            for key, prefix in self._kept.items()
        }
        best = max(lengths, key=lengths.__getitem__, default=None)
        if best is None or lengths[best] == 0:
            return None
        self._kept.move_to_end(best)
        length = min(lengths[best], len(tokens.ids) - 1)
        return Hit(memory=self._kept[best].memory, length=length)

    def fits(self, nbytes: int) -> bool:
        """Tell whether so many bytes may be kept at all."""
        return nbytes <= self._most_bytes

    def keep(self, prefix: Prefix) -> None:
        """Keep a prompt, in the place of those whose images it begins with too."""
        for key, kept in list(self._kept.items()):
            if _covers(prefix.tokens, kept.tokens):
                del self._kept[key]
        self._kept[self._next] = prefix
        self._next += 1
        while self.nbytes > self._most_bytes:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Give all memory back."""
        self._kept.clear()


def _covers(new: PromptTokens, old: PromptTokens) -> bool:
    """Tell whether all that is dear in the old prompt, its images, is in the new."""
    return common_prefix(new, old) >= max(old.images_end, 1)
