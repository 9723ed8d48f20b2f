"""A loaded checkpoint: model inputs to generated text, as plain values."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from model.errors import EngineUnavailable
from model.maira2.configuration import read_config
from model.maira2.generation import Generated, StopRule, generate_greedy, pad_left
from model.maira2.modeling import Attention, Maira2Model
from model.maira2.processing import ModelInput, Processor, read_processor
from model.maira2.weights import Placement, load_model
from model.options import Domain, EngineOptions

_LIBRARIES = ("numpy", "pillow", "tokenizers", "torch", "transformers")
_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model wrote for one prompt, tags included.

    `cut_off` tells that the token limit ended it.
    """

    text: str
    new_tokens: int
    cut_off: bool


class Inference:
    """A checkpoint on a device.

    Raises `CheckpointError` where the folder is not whole, `EngineUnavailable`
    where the device is absent or too small.
    """

    def __init__(self, options: EngineOptions) -> None:
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        config = read_config(options.checkpoint)
        self._placement = choose_placement(options)
        self.processor: Processor = read_processor(options.checkpoint, config)
        self._model = _load(options.checkpoint, self._placement)
        self.domain: Domain = config.domain

    @property
    def device(self) -> str:
        """Name the device as torch does."""
        return self._placement.device

    @property
    def dtype(self) -> str:
        """Name the number format of the weights."""
        return str(self._placement.dtype).removeprefix("torch.")

    @property
    def attention(self) -> str:
        """Name the attention code."""
        return self._placement.attention.value

    def answer(self, prompt: ModelInput, *, max_new_tokens: int) -> Answer:
        """Generate greedily. Raises `EngineUnavailable` where memory runs out."""
        end_id = self.processor.tokenizer.end_id
        rule = StopRule(end_id=end_id, max_new_tokens=max_new_tokens)
        try:
            generated = self._generate(prompt, rule)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise EngineUnavailable(
                f"out of memory on {self.device} for {len(prompt.input_ids)} tokens"
            ) from error
        return Answer(
            text=self.processor.tokenizer.decode(generated.ids),
            new_tokens=len(generated.ids),
            cut_off=generated.cut_off,
        )

    @torch.inference_mode()
    def _generate(self, prompt: ModelInput, rule: StopRule) -> Generated:
        pixels = torch.from_numpy(prompt.pixel_values)
        ids = torch.from_numpy(prompt.input_ids).to(self.device)
        features = self._model.image_features(
            pixels.to(self.device, self._placement.dtype)
        )
        embeddings = self._model.embed(ids[None], features)
        return generate_greedy(self._model, pad_left([embeddings[0]]), [rule])[0]


def choose_placement(options: EngineOptions) -> Placement:
    """Resolve "auto": CUDA where there is one; float32 on a CPU, bfloat16 on CUDA.

    float32 on a CPU runs the attention code of the golden answers. Raises
    `ValueError` for an unknown name, `EngineUnavailable` where CUDA is absent.
    """
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in {"cpu", "cuda"}:
        raise ValueError(f"device {device!r} is none of auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise EngineUnavailable("device cuda: no CUDA device is usable here")
    dtype = _choose_dtype(options.dtype, device)
    exact = device == "cpu" and dtype is torch.float32
    attention = Attention.EAGER if exact else Attention.SDPA
    return Placement(dtype=dtype, device=device, attention=attention)


def library_versions() -> tuple[tuple[str, str], ...]:
    """Name the libraries that decide an answer, with their versions."""
    return tuple((name, version(name)) for name in _LIBRARIES)


def _load(folder: Path, placement: Placement) -> Maira2Model:
    try:
        return load_model(folder, placement)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EngineUnavailable(
            f"out of memory on {placement.device} while loading {folder.name}"
        ) from error


def _choose_dtype(name: str, device: str) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device == "cuda" else torch.float32
    if name not in _DTYPES:
        raise ValueError(f"dtype {name!r} is none of auto, {', '.join(_DTYPES)}")
    return _DTYPES[name]
