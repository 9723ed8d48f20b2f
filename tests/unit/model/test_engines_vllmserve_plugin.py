"""The plug-in, against a stand-in of vLLM's registries, and the rules of its backend.

The real one runs in `tests/integration/test_vllm_server.py`, where there is a vLLM.
"""

import importlib
import json
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoModel, AutoProcessor
from transformers.conversion_mapping import get_model_conversion_mapping

from model.engines.vllmserve.plan import MODE
from model.maira2.auto import Maira2Processor
from model.maira2.configuration import read_config
from model.maira2.modeling import Maira2ForConditionalGeneration, Maira2Model
from model.maira2.processing import read_processor
from model.maira2.weights import Placement, load_model, tensor_shapes
from model.options import PHANTOM_CHECKPOINT
from model.report import Question, ReportInputs, Task
from tests.data.tiny_maira2 import IMAGE_TOKENS, write_tiny

ROOT = Path(__file__).parents[3]
PLUGIN = "model.engines.vllmserve.plugin"


class Registry:
    """Keeps what is registered; as vLLM's do, by name."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, ...]] = {}
        self.tokenizers = self.known

    def register_model(self, name: str, where: str) -> None:
        """Take "module:class", which is loaded when it is needed."""
        module, _, kind = where.partition(":")
        assert module
        assert kind
        self.known[name] = (where,)

    def register(self, mode: str, module: str, kind: str) -> None:
        """Refuse a second time: vLLM warns."""
        assert mode not in self.known
        self.known[mode] = (module, kind)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    found = SimpleNamespace(
        models=Registry(), tokenizers=Registry(), renderers=Registry()
    )
    modules: dict[str, dict[str, object]] = {
        "vllm": {"ModelRegistry": found.models},
        "vllm.renderers": {},
        "vllm.renderers.registry": {"RENDERER_REGISTRY": found.renderers},
        "vllm.tokenizers": {},
        "vllm.tokenizers.hf": {"get_cached_tokenizer": lambda same: same},
        "vllm.tokenizers.registry": {"TokenizerRegistry": found.tokenizers},
    }
    for name, values in modules.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, PLUGIN, raising=False)
    yield found
    sys.modules.pop(PLUGIN, None)


def test_the_entry_point_registers_all_that_a_server_needs(
    vllm: SimpleNamespace,
) -> None:
    group = "vllm.general_plugins"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (where,) = project["entry-points"][group].values()
    register = EntryPoint(name=MODE, value=where, group=group).load()
    register()
    register()
    config = json.loads((PHANTOM_CHECKPOINT / "config.json").read_text("utf-8"))
    (architecture,) = config["architectures"]
    assert vllm.models.known[architecture][0].startswith("vllm.")
    assert vllm.tokenizers.known == {MODE: (PLUGIN, "Tokenizer")}
    assert vllm.renderers.known == {MODE: ("vllm.renderers.hf", "HfRenderer")}
    assert AutoConfig.from_pretrained(PHANTOM_CHECKPOINT).model_type == "maira2"


def test_its_tokenizer_is_the_folders_and_knows_the_end_of_a_text(
    plugin: ModuleType,
) -> None:
    tokenizer = plugin.Tokenizer.from_pretrained(str(PHANTOM_CHECKPOINT), revision=None)
    ours = read_processor(PHANTOM_CHECKPOINT, read_config(PHANTOM_CHECKPOINT)).tokenizer
    text = "USER:  a<image> b  ASSISTANT: "
    assert tokenizer.encode(text) == ours.encode(text, image_tokens=1).tolist()
    assert tokenizer.eos_token_id == ours.end_id


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture
def plugin(vllm: SimpleNamespace) -> ModuleType:
    """The plug-in, loaded and called by a vLLM that stands in."""
    found = importlib.import_module(PLUGIN)
    found.register()
    assert vllm.models.known
    return found


@pytest.fixture
def base(folder: Path, plugin: ModuleType) -> Maira2Model:
    """The model as vLLM's backend builds it: from its configuration, without head."""
    assert Maira2ForConditionalGeneration.__name__ == plugin.ARCHITECTURE
    model = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    assert isinstance(model, Maira2Model)
    return model


def test_the_backend_may_take_the_model(base: Maira2Model) -> None:
    assert Maira2ForConditionalGeneration.is_backend_compatible()
    assert base.config is not base.config.get_text_config()
    assert type(base.get_decoder()).__name__ == "LlamaModel"
    assert base.get_input_embeddings() is base.language_model.embed_tokens


def test_every_stored_tensor_has_a_place_by_the_registered_names(
    base: Maira2Model, folder: Path
) -> None:
    names = [*tensor_shapes(folder)]
    for rule in get_model_conversion_mapping(base):
        names = [rule.rename_source_key(name)[0] for name in names]
    ours = {f"model.{name}" for name in base.state_dict()} | {"lm_head.weight"}
    assert {*names} == ours


def test_the_features_of_a_picture_are_the_engines_own(
    base: Maira2Model, folder: Path
) -> None:
    whole = load_model(folder, Placement())
    base.load_state_dict(whole.model.state_dict())
    base.use_attention(Placement().attention)
    processor = AutoProcessor.from_pretrained(folder)
    picture = np.random.default_rng(5).integers(0, 255, (60, 50), np.uint8)
    text = "USER:  a<image> b  ASSISTANT: "
    given = processor(
        text=text,
        images=[Image.fromarray(picture).convert("RGB")],
        return_tensors="pt",
        return_mm_token_type_ids=True,
        return_text_replacement_offsets=True,
    )
    question = Question(
        inputs=ReportInputs(current_frontal=picture), task=Task.FINDINGS
    )
    own = read_processor(folder, read_config(folder)).encode_text(question, text)
    assert np.array_equal(given["pixel_values"].numpy(), own.pixel_values)
    assert given["input_ids"][0].tolist() == own.input_ids.tolist()
    (offset,) = given["text_replacement_offsets"][0]
    assert offset["replacement"] == "<image>" * IMAGE_TOKENS
    assert int(given["mm_token_type_ids"].sum()) == IMAGE_TOKENS
    with torch.inference_mode():
        said = base.get_image_features(given["pixel_values"], return_dict=True)
        wanted = whole.image_features(torch.from_numpy(own.pixel_values))
    assert torch.equal(torch.stack(said.pooler_output), wanted)


@pytest.mark.usefixtures("plugin")
def test_the_processor_counts_the_tokens_of_a_picture(folder: Path) -> None:
    processor = AutoProcessor.from_pretrained(folder)
    assert isinstance(processor, Maira2Processor)
    counted = processor._get_num_multimodal_tokens(image_sizes=[(60, 50), (9, 9)])
    assert counted["num_image_tokens"] == [IMAGE_TOKENS] * 2
    assert counted["num_image_patches"] == [1, 1]
