"""Prompts in, generated ids out: images, prefix, prefill and decode, each measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.maira2.decoding import (
    CompiledSteps,
    Decoder,
    FixedDecoder,
    GrowingDecoder,
    token_embeddings,
)
from model.maira2.generation import continue_all, continue_drafted
from model.maira2.lookup import Drafting, Evidence
from model.maira2.memory import token_bytes
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.prefix import Hit, Prefix, PrefixCache, common_prefix
from model.maira2.preparing import Prompt
from model.maira2.stopping import Generated, StopRule
from model.maira2.work import DECODE, IMAGES, PREFILL, PREFIX, ImageFeatures, Work
from model.report import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class FastPaths:
    """What makes answers faster; in float32 none changes an id.

    prefix_memory_bytes : how much may be kept of prompts that were read.
    prompt_lookup : whether single answers read guesses along.
    backend : which backend of torch compiles the steps; None: not compiled.
    """

    prefix_memory_bytes: int = 0
    prompt_lookup: bool = False
    backend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """How many tokens were guessed for an answer and how many were right.

    `given_up` tells that guessing cost more than it brought.
    """

    proposed: int
    accepted: int
    given_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The ids of one answer and how they came about.

    `rows` : prompts answered together. Work that they share is in the phases of the
    first.
    """

    generated: Generated
    phases: tuple[Phase, ...]
    rows: int
    guesses: Guesses | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Prefilled:
    """Prompts that were read: tokens taken from memory and read, a row; the rest."""

    decoder: GrowingDecoder
    first: list[int]
    restored: tuple[int, ...]
    read: int


class Answerer:
    """Answers batches of prompts with one model. Not for several threads at once."""

    def __init__(self, model: Maira2ForConditionalGeneration, paths: FastPaths) -> None:
        self._model = model
        self._paths = paths
        self._prefixes = PrefixCache(paths.prefix_memory_bytes)
        self._evidence = Evidence()
        self._embed = token_embeddings(model)
        self._token_bytes = token_bytes(model.config.text, self._embed.weight.dtype)
        self._steps = CompiledSteps(model, paths.backend) if paths.backend else None

    @property
    def token_bytes(self) -> int:
        """Count the bytes that one token takes while it is under generation."""
        return self._token_bytes

    @property
    def kept_bytes(self) -> int:
        """Count the bytes of the prompts that are kept."""
        return self._prefixes.nbytes

    def features(self) -> ImageFeatures:
        """Begin a memory of image features, to be shared by the batches of a call."""
        return ImageFeatures(self._model)

    def forget(self) -> None:
        """Forget the prompts that were read."""
        self._prefixes.clear()

    def release(self) -> None:
        """Give back all memory beside the weights."""
        self.forget()
        if self._steps is not None:
            self._steps.release()

    @torch.inference_mode()
    def answer(
        self,
        prompts: Sequence[Prompt],
        rules: Sequence[StopRule],
        features: ImageFeatures,
    ) -> list[Answered]:
        """Answer prompts together, each by its rule."""
        work = Work(self._embed.weight.device)
        known = features.tokens
        if len(prompts) > 1:
            self._read_images(prompts, features, work)
        room = max(rule.max_new_tokens for rule in rules)
        prefilled = self._prefill(prompts, room, features, work)
        images = features.tokens - known
        with work.phase(DECODE):
            generated, guesses = self._decode(prefilled, prompts, rules, room)
        return [
            Answered(
                generated=one,
                phases=work.phases(
                    {
                        IMAGES: 0 if row else images,
                        PREFIX: restored,
                        PREFILL: len(prompts[row].tokens.ids) - restored,
                        DECODE: len(one.ids),
                    },
                    first=row == 0,
                ),
                rows=len(prompts),
                guesses=guesses,
            )
            for row, (one, restored) in enumerate(
                zip(generated, prefilled.restored, strict=True)
            )
        ]

    def _read_images(
        self, prompts: Sequence[Prompt], features: ImageFeatures, work: Work
    ) -> None:
        """Read each prompt with images that are not kept yet, alone, and keep it.

        So an image is read once however many rows show it, and what is left of the
        rows is short and of like length. Left out where not all of them have a place:
        the last would drive out the first, and every row be read again.
        """
        unread, needed = self._unread(prompts)
        if self._prefixes.fits(needed):
            for prompt in unread:
                self._prefill([prompt], 0, features, work)

    def _unread(self, prompts: Sequence[Prompt]) -> tuple[list[Prompt], int]:
        """Choose prompts that show all images which are not kept.

        Also returns the bytes that these and what is kept for the others take.
        """
        unread: list[Prompt] = []
        kept: dict[int, int] = {}
        for prompt in prompts:
            hit, shown = self._prefixes.find(prompt.tokens), prompt.tokens.images_end
            if hit is not None and hit.length >= shown:
                kept[id(hit.memory)] = hit.memory.nbytes
            elif all(common_prefix(p.tokens, prompt.tokens) < shown for p in unread):
                unread.append(prompt)
        lengths = (len(prompt.tokens.ids) for prompt in unread)
        return unread, self._token_bytes * sum(lengths) + sum(kept.values())

    def _prefill(
        self,
        prompts: Sequence[Prompt],
        room: int,
        features: ImageFeatures,
        work: Work,
    ) -> _Prefilled:
        """Read prompts from where memory ends; rows read equally many columns.

        The row with the least in memory decides how many: the others read some of
        their known tokens anew, which needs no padding in the middle.
        """
        hits = [self._prefixes.find(prompt.tokens) for prompt in prompts]
        lengths = [len(prompt.tokens.ids) for prompt in prompts]
        read = max(
            length - (hit.length if hit else 0)
            for length, hit in zip(lengths, hits, strict=True)
        )
        restored = tuple(max(length - read, 0) for length in lengths)
        decoder = GrowingDecoder(self._model, lengths, room)
        with work.phase(PREFIX):
            for row, hit in enumerate(hits):
                if hit is not None and restored[row]:
                    decoder.restore(row, hit.memory, restored[row], read=read)
        with work.phase(IMAGES):
            tails = [*map(lambda p, r: self._tail(p, r, features), prompts, restored)]
        with work.phase(PREFILL):
            first = decoder.prefill(_align_right(tails, read))
        with work.phase(PREFIX):
            self._keep(prompts, hits, decoder)
        return _Prefilled(decoder=decoder, first=first, restored=restored, read=read)

    def _tail(self, prompt: Prompt, start: int, features: ImageFeatures) -> Tensor:
        """Embed a prompt from a token on: (tokens, text width)."""
        ids = torch.from_numpy(prompt.tokens.ids[start:])
        embeddings: Tensor = self._embed(ids.to(self._embed.weight.device))
        places = np.flatnonzero(prompt.tokens.is_image[start:])
        if not places.size:
            return embeddings
        shown = [
            features.get(image)
            for image, end in zip(prompt.images, prompt.tokens.image_ends, strict=True)
            if end > start
        ]
        rows = torch.cat(shown)[-places.size :]
        slots = torch.from_numpy(places).to(embeddings.device)
        return embeddings.index_copy(0, slots, rows.to(embeddings.dtype))

    def _keep(
        self,
        prompts: Sequence[Prompt],
        hits: Sequence[Hit | None],
        decoder: GrowingDecoder,
    ) -> None:
        """Keep the prompts that showed images which were not kept."""
        for row, (prompt, hit) in enumerate(zip(prompts, hits, strict=True)):
            if self._is_worth_keeping(prompt, hit):
                memory = decoder.cache.read(row, decoder.pads[row])
                self._prefixes.keep(Prefix(tokens=prompt.tokens, memory=memory))

    def _is_worth_keeping(self, prompt: Prompt, hit: Hit | None) -> bool:
        """Tell whether a prompt shows an image that is not kept, and has a place."""
        if not prompt.images or not self._prefixes.fits(
            self._token_bytes * len(prompt.tokens.ids)
        ):
            return False
        return hit is None or hit.length < prompt.tokens.images_end

    def _decode(
        self,
        prefilled: _Prefilled,
        prompts: Sequence[Prompt],
        rules: Sequence[StopRule],
        room: int,
    ) -> tuple[list[Generated], Guesses | None]:
        """Generate the answers behind prefilled prompts."""
        decoder: Decoder = prefilled.decoder
        if self._steps is not None:
            decoder = FixedDecoder(self._steps, prefilled.decoder, room)
        if len(prompts) > 1 or not self._paths.prompt_lookup:
            return continue_all(decoder, prefilled.first, rules), None
        words = prompts[0].tokens.ids[~prompts[0].tokens.is_image]
        drafting = Drafting(words.tolist(), self._evidence)
        generated = continue_drafted(decoder, prefilled.first[0], rules[0], drafting)
        guesses = Guesses(
            proposed=drafting.proposed,
            accepted=drafting.accepted,
            given_up=not drafting.pays,
        )
        return [generated], guesses


def _align_right(tails: Sequence[Tensor], columns: int) -> Tensor:
    """Join tails, each (tokens, width), behind zeros: (rows, columns, width)."""
    joined = tails[0].new_zeros((len(tails), columns, tails[0].shape[-1]))
    for row, tail in enumerate(tails):
        joined[row, columns - len(tail) :] = tail
    return joined
