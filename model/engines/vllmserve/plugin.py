"""What vLLM loads by its entry point `vllm.general_plugins`. The home of vllm.

MAIRA-2 runs there by vLLM's own backend for models of transformers: nothing of the
model is written a second time, and no Python file of a checkpoint is run. vLLM loads
this in each of its processes; again is harmless.
"""

from pathlib import Path

from vllm import ModelRegistry
from vllm.renderers.registry import RENDERER_REGISTRY
from vllm.tokenizers.hf import get_cached_tokenizer
from vllm.tokenizers.registry import TokenizerRegistry

from model.engines.vllmserve.plan import MODE
from model.maira2 import auto
from model.maira2.auto import read_fast_tokenizer

ARCHITECTURE = "Maira2ForConditionalGeneration"
_BACKEND = "vllm.model_executor.models.transformers:TransformersMultiModalForCausalLM"


class Tokenizer:
    """Reads `tokenizer.json` as it is.

    vLLM's way by `tokenizer_config.json` would build a Llama tokenizer anew; and a
    folder without that file would name no token that ends a text.
    """

    @classmethod
    def from_pretrained(cls, folder: str | Path, *_: object, **__: object) -> object:
        """Return the library's class, as vLLM wants it: quick to ask."""
        return get_cached_tokenizer(read_fast_tokenizer(Path(folder)))


def register() -> None:
    """Make MAIRA-2 known to transformers and to vLLM."""
    auto.register()
    ModelRegistry.register_model(ARCHITECTURE, _BACKEND)
    if MODE not in TokenizerRegistry.tokenizers:
        TokenizerRegistry.register(MODE, __name__, Tokenizer.__name__)
        RENDERER_REGISTRY.register(MODE, "vllm.renderers.hf", "HfRenderer")
