"""A loaded checkpoint: questions to generated text, as plain values."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch

from model.errors import EngineUnavailable
from model.maira2.adapters import Adapter, read_adapter
from model.maira2.answering import Answered, Answerer, FastPaths, Guesses
from model.maira2.batching import plan_batches
from model.maira2.configuration import read_config
from model.maira2.formats import choose_attention, choose_dtype, cpu_has_bfloat16
from model.maira2.modeling import Attention, Maira2ForConditionalGeneration
from model.maira2.preparing import Prompt
from model.maira2.processing import Processor, read_processor
from model.maira2.quantising import INT8, quantise_int8
from model.maira2.stopping import Ending, StopRule, is_late
from model.maira2.weights import Placement, load_model
from model.maira2.work import ImageFeatures
from model.options import Domain, EngineOptions
from model.report import Phase

_LIBRARIES = ("numpy", "pillow", "tokenizers", "torch", "transformers")
logger = logging.getLogger(__name__)

_FREE_SHARE = 0.4
"""Share of the free CUDA memory for one batch. Its keys and values are there twice
while they move to the memory of the compiled steps; the rest is for activations."""
_SPARE = Placement(dtype=torch.float32, device="cpu", attention=Attention.EAGER)
"""Where a prompt is answered for which CUDA has no memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """One prompt, its token limit, and when to stop (`time.monotonic`; None: never)."""

    prompt: Prompt
    max_new_tokens: int
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model wrote for one prompt, tags included, and how it came about.

    `rows` : prompts answered together; 0 where there was no time to begin.
    `ran_out` : what memory had not been enough for before. `moved_to` : the device and
    the number format, where these were not those of the settings.
    """

    text: str
    new_tokens: int
    ending: Ending
    phases: tuple[Phase, ...] = ()
    rows: int = 0
    guesses: Guesses | None = None
    ran_out: tuple[str, ...] = ()
    moved_to: tuple[str, str] | None = None


class Inference:
    """A checkpoint on a device.

    `weights` names the format of the language model's weights, `adapter` is the
    digest of the merged adapter, None without one. Raises `CheckpointError` where
    the folder is not whole, `EngineUnavailable` where the device is absent or too
    small, or torchao is missing.
    """

    def __init__(self, options: EngineOptions) -> None:
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        config = read_config(options.checkpoint)
        self._spare: Answerer | None = None
        self._options = options
        self._placement = choose_placement(options)
        self.weights = choose_weights(options)
        self.processor: Processor = read_processor(options.checkpoint, config)
        self._adapter = (
            None if options.adapter is None else read_adapter(options.adapter)
        )
        self.adapter = None if self._adapter is None else self._adapter.digest
        self._answerer = self._load(self._placement)
        self.domain: Domain = config.domain

    @property
    def device(self) -> str:
        """Name the device as torch does."""
        return self._placement.device

    @property
    def dtype(self) -> str:
        """Name the number format of the weights."""
        return _name_of(self._placement.dtype)

    @property
    def attention(self) -> str:
        """Name the attention code."""
        return self._placement.attention.value

    @property
    def compiled(self) -> bool:
        """Tell whether steps are compiled."""
        return choose_paths(self._options, self._placement).backend is not None

    def answer(self, asked: Sequence[Asked]) -> list[Answer]:
        """Generate greedily; several prompts together on CUDA, one by one else.

        Where memory runs out they are asked one by one, and one that finds none even
        alone is answered on the CPU, if the options allow it. Raises
        `EngineUnavailable` otherwise.
        """
        answers: dict[int, Answer] = {}
        features = self._answerer.features()
        for batch in self._plan(asked):
            in_time = [n for n in batch if not is_late(self._rule(asked[n]), _now())]
            answered = self._together([asked[n] for n in in_time], features)
            answers.update(zip(in_time, answered, strict=True))
        late = Answer(text="", new_tokens=0, ending=Ending.DEADLINE)
        return [answers.get(number, late) for number in range(len(asked))]

    def _plan(self, asked: Sequence[Asked]) -> list[tuple[int, ...]]:
        """Group prompts. On a CPU each is alone: a batch of four cost 10 % more."""
        lengths = [len(one.prompt.tokens.ids) + one.max_new_tokens for one in asked]
        if self.device == "cpu" and not self._options.batch_tokens:
            return [(number,) for number in range(len(asked))]
        budget = self._options.batch_tokens or self._free_tokens()
        return plan_batches(lengths, budget=budget, most=self._options.batch_rows)

    def _free_tokens(self) -> int:
        """Count the tokens that one batch may hold."""
        free, _ = torch.cuda.mem_get_info()
        free += torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(free * _FREE_SHARE / self._answerer.token_bytes)

    def _together(
        self, asked: Sequence[Asked], features: ImageFeatures
    ) -> list[Answer]:
        """Answer a batch. Where memory runs out, free it and go one by one, once."""
        if not asked:
            return []
        try:
            return self._answer(self._answerer, asked, features)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self._release()
        ran_out = f"{len(asked)} together on {self.device}"
        logger.warning("out of memory for %s; one by one", ran_out)
        return [replace(self._alone(one), ran_out=(ran_out,)) for one in asked]

    def _alone(self, one: Asked) -> Answer:
        try:
            return self._answer(self._answerer, [one], self._answerer.features())[0]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._release()
            failure = EngineUnavailable(self._too_large(one, self.device))
            if not self._options.cpu_fallback or self.device == _SPARE.device:
                raise failure from error
        logger.warning("%s; it is answered on the CPU", failure)
        return self._elsewhere(one)

    def _elsewhere(self, one: Asked) -> Answer:
        """Answer a prompt on the CPU; the model stays there for the next."""
        try:
            self._spare = self._spare or self._load(_SPARE)
            (answer,) = self._answer(self._spare, [one], self._spare.features())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if self._spare is not None:
                self._spare.release()
            raise EngineUnavailable(self._too_large(one, _SPARE.device)) from error
        return replace(answer, moved_to=(_SPARE.device, _name_of(_SPARE.dtype)))

    def _too_large(self, one: Asked, device: str) -> str:
        tokens = len(one.prompt.tokens.ids) + one.max_new_tokens
        size = tokens * self._answerer.token_bytes / 2**20
        return (
            f"out of memory on {device} for {tokens} tokens "
            f"({size:.0f} MiB of keys and values)"
        )

    def _load(self, placement: Placement) -> Answerer:
        model = _load(self._options.checkpoint, placement, self._adapter)
        if self.weights == INT8:
            quantise_int8([model.model.language_model, model.lm_head])
        return Answerer(model, choose_paths(self._options, placement))

    def _release(self) -> None:
        self._answerer.release()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _answer(
        self, answerer: Answerer, asked: Sequence[Asked], features: ImageFeatures
    ) -> list[Answer]:
        answered = answerer.answer(
            [one.prompt for one in asked], [*map(self._rule, asked)], features
        )
        return [*map(self._read, answered)]

    def _rule(self, asked: Asked) -> StopRule:
        return StopRule(
            end_id=self.processor.tokenizer.end_id,
            max_new_tokens=asked.max_new_tokens,
            deadline=asked.deadline,
        )

    def _read(self, answered: Answered) -> Answer:
        ids = answered.generated.ids
        return Answer(
            text=self.processor.tokenizer.decode(ids),
            new_tokens=len(ids),
            ending=answered.generated.ending,
            phases=answered.phases,
            rows=answered.rows,
            guesses=answered.guesses,
        )


def choose_placement(options: EngineOptions) -> Placement:
    """Resolve "auto": CUDA where there is one; float32 on a CPU, bfloat16 on CUDA.

    Raises `ValueError` for an unknown name or a format that the device has no
    arithmetic for, `EngineUnavailable` where CUDA is absent.
    """
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in {"cpu", "cuda"}:
        raise ValueError(f"device {device!r} is none of auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise EngineUnavailable("device cuda: no CUDA device is usable here")
    dtype = choose_dtype(options.dtype, device, cpu_bfloat16=cpu_has_bfloat16())
    attention = choose_attention(options.attention, device, dtype)
    return Placement(dtype=dtype, device=device, attention=attention)


def choose_weights(options: EngineOptions) -> str:
    """Name the format of the language model's weights for the provenance.

    Raises `ValueError` for an unknown name.
    """
    if options.weights == "as-stored":
        return options.weights
    if options.weights == "int8":
        return INT8
    raise ValueError(f"weights {options.weights!r} is none of as-stored, int8")


def choose_paths(options: EngineOptions, placement: Placement) -> FastPaths:
    """Resolve "auto": steps are compiled on CUDA, where launches cost most."""
    match options.compile_steps:
        case "auto":
            backend = "inductor" if placement.device == "cuda" else None
        case "off":
            backend = None
        case name:
            backend = name
    return FastPaths(
        prefix_memory_bytes=options.prefix_memory_bytes,
        prompt_lookup=options.prompt_lookup,
        backend=backend,
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out. On a CPU torch says so in words alone."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "not enough memory" in str(error) or "can't allocate memory" in str(error)


def library_versions(weights: str) -> tuple[tuple[str, str], ...]:
    """Name the libraries that decide an answer, with their versions.

    weights : as `Inference.weights`.
    """
    quantising = ("torchao",) if weights == INT8 else ()
    names = sorted((*_LIBRARIES, *quantising))
    return tuple((name, version(name)) for name in names)


def _load(
    folder: Path, placement: Placement, adapter: Adapter | None
) -> Maira2ForConditionalGeneration:
    try:
        return load_model(folder, placement, adapter)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise EngineUnavailable(
            f"out of memory on {placement.device} while loading {folder.name}"
        ) from error


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _now() -> float:
    return time.monotonic()
