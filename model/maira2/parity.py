"""Runs golden answers of the official code through the product's own code.

Inputs and ids must be identical, the greedy ids equal, features and logits within
1e-4. Sums of float32 depend on the width of the processor's vectors: under
`model.maira2.arithmetic.REFERENCE` and the same torch every difference is 0.0, while
wider vectors move the largest logits (about 36) by up to 1.7e-4.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

from model.grounding import parse_findings
from model.maira2.configuration import read_config
from model.maira2.generation import (
    Prompts,
    StopRule,
    generate_greedy,
    pad_left,
)
from model.maira2.golden import (
    CaseResult,
    Difference,
    Float32Array,
    GoldenBox,
    GoldenCase,
    GoldenDecode,
    GoldenString,
    case_folders,
    count_mismatches,
    distance,
    golden_question,
    mismatch,
    read_arrays,
    read_boxes,
    read_case,
    read_decodes,
    read_strings,
)
from model.maira2.modeling import Attention, Maira2ForConditionalGeneration
from model.maira2.processing import (
    ModelInput,
    Processor,
    adjust_box_for_original_image_size,
    read_processor,
    stretch,
)
from model.maira2.prompts import answered_text, prompt_images, prompt_text
from model.maira2.weights import Placement, load_model
from model.report import GroundedPhrase, NormalizedBox, Question

_NEW_TOKENS = 32
_FEATURE_STEP = 37
"""The golden arrays hold every 37th patch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityResult:
    """The results of a folder: cases first, then parser, boxes, tokenizer."""

    attention: str
    cases: tuple[CaseResult, ...]

    @property
    def exact(self) -> bool:
        """Tell whether there were cases and all agree; nothing run is no proof."""
        return bool(self.cases) and all(case.exact for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """What the model computed for one prompt.

    `tower` : (images, 1 + patches, vision width); `projected` : (images, patches,
    text width); `logits` : (vocabulary,).
    """

    tower: Float32Array
    projected: Float32Array
    logits: Float32Array
    prompts: Prompts


def run_parity(folder: Path, attention: Attention = Attention.EAGER) -> ParityResult:
    """Run every golden case found in a folder, in float32 on the CPU.

    Raises `CheckpointError` where the folder's checkpoint cannot be loaded or a
    case names a file that is missing.
    """
    checkpoint = folder / "checkpoint"
    model = load_model(checkpoint, Placement(attention=attention))
    processor = read_processor(checkpoint, read_config(checkpoint))
    results = (
        *(_run_case(folder, path, model, processor) for path in case_folders(folder)),
        *(_run_decode(n, case) for n, case in enumerate(read_decodes(folder))),
        *(_run_box(n, case) for n, case in enumerate(read_boxes(folder))),
        *_run_tokenizer(folder, processor),
    )
    return ParityResult(attention=attention.value, cases=results)


def _run_case(
    folder: Path,
    path: Path,
    model: Maira2ForConditionalGeneration,
    processor: Processor,
) -> CaseResult:
    """Run one case: inputs, features, first logits, greedy answer."""
    golden, arrays = read_case(path), read_arrays(path)
    question = golden_question(folder, golden["inputs"])
    prompt = processor.encode_text(question, _text(question, golden))
    seen = _see(model, prompt)
    ids = [int(token) for token in arrays["input_ids"]]
    differences = (
        mismatch("prompt", prompt.text, golden["prompt_text"]),
        count_mismatches("input ids", prompt.input_ids.tolist(), ids),
        *_image_differences(question, prompt, golden),
        *_feature_differences(seen, arrays),
        *_answer_differences(model, seen.prompts, processor, golden),
    )
    return CaseResult(name=f"case {path.name}", differences=differences)


@torch.inference_mode()
def _see(model: Maira2ForConditionalGeneration, prompt: ModelInput) -> _Seen:
    """Run one prompt through the whole forward pass, as the golden logits were."""
    pixels = torch.from_numpy(prompt.pixel_values)
    features = model.image_features(pixels)
    ids = torch.from_numpy(prompt.input_ids)[None]
    prompts = pad_left([model.embed(ids, features)[0]])
    forward = model(
        inputs_embeds=prompts.embeddings,
        attention_mask=prompts.attention_mask,
        use_cache=False,
    )
    return _Seen(
        tower=model.feature_map(pixels).numpy(),
        projected=features.numpy(),
        logits=forward.logits[0, -1].numpy(),
        prompts=prompts,
    )


def _text(question: Question, golden: GoldenCase) -> str:
    answer = golden["inputs"].get("assistant_text")
    return prompt_text(question) if answer is None else answered_text(question, answer)


def _image_differences(
    question: Question, prompt: ModelInput, golden: GoldenCase
) -> tuple[Difference, ...]:
    """Compare the bytes after the grey stretch, and those of the pixel values."""
    images = [getattr(question.inputs, name) for name in prompt_images(question)]
    greys = [hashlib.sha256(stretch(image).tobytes()).hexdigest() for image in images]
    pixels = prompt.pixel_values.astype("<f4").tobytes()
    digest = hashlib.sha256(pixels).hexdigest()
    wanted = golden["pixel_values"]
    return (
        mismatch("grey levels", greys, golden["normalised_image_sha256_uint8"]),
        mismatch("pixel shape", list(prompt.pixel_values.shape), wanted["shape"]),
        mismatch("pixel values", digest, wanted["sha256_float32_le"]),
    )


def _feature_differences(
    seen: _Seen, arrays: dict[str, Float32Array]
) -> tuple[Difference, ...]:
    """Compare the tower's output, the projector's, and the first token's logits."""
    patches = seen.tower[:, 1::_FEATURE_STEP]
    projected = seen.projected[:, ::_FEATURE_STEP]
    return (
        distance("CLS feature", seen.tower[:, 0], arrays["cls_feature"]),
        distance("features", patches, arrays["feature_sub"]),
        distance("image features", projected, arrays["image_features_sub"]),
        distance("first logits", seen.logits, arrays["first_logits"]),
    )


def _answer_differences(
    model: Maira2ForConditionalGeneration,
    prompts: Prompts,
    processor: Processor,
    golden: GoldenCase,
) -> tuple[Difference, ...]:
    """Compare the greedy ids, the end token left out, and their text."""
    end_id = processor.tokenizer.end_id
    rule = StopRule(end_id=end_id, max_new_tokens=_NEW_TOKENS)
    answer = generate_greedy(model, prompts, [rule])[0]
    wanted = [token for token in golden["greedy_ids"] if token != end_id]
    text = processor.tokenizer.decode(answer.ids)
    return (
        count_mismatches("greedy ids", answer.ids, wanted),
        mismatch("greedy text", text, golden["greedy_text_skip_special"]),
    )


def _run_decode(number: int, golden: GoldenDecode) -> CaseResult:
    """Parse one text. Where the official parser raises, a flag must say why."""
    reading = parse_findings(golden["input"])
    wanted = _phrases(golden)
    if wanted is None:
        difference = mismatch("flagged", bool(reading.flags), wanted=True)
    else:
        difference = mismatch("phrases", reading.phrases, wanted)
    return CaseResult(name=f"parser {number}", differences=(difference,))


def _phrases(golden: GoldenDecode) -> tuple[GroundedPhrase, ...] | None:
    """Read the official result as findings; None where there was an error."""
    match golden.get("result"):
        case None:
            return None
        case "":
            return ()
        case str(text):
            return (GroundedPhrase(text=text),)
        case list(pairs):
            return tuple(
                GroundedPhrase(text=text, boxes=tuple(map(_box, boxes or ())))
                for text, boxes in pairs
            )


def _box(values: list[float]) -> NormalizedBox:
    x_min, y_min, x_max, y_max = values
    return NormalizedBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)


def _run_box(number: int, golden: GoldenBox) -> CaseResult:
    found = adjust_box_for_original_image_size(
        _box(golden["box"]), golden["width"], golden["height"]
    )
    difference = mismatch("box", found, _box(golden["result"]))
    return CaseResult(name=f"box {number}", differences=(difference,))


def _run_tokenizer(folder: Path, processor: Processor) -> tuple[CaseResult, ...]:
    """Tokenise each text and compare the added tokens' ids, where given."""
    golden = read_strings(folder)
    strings = tuple(
        _run_string(number, case, processor)
        for number, case in enumerate(golden["strings"])
    )
    if not golden["added_vocab"]:
        return strings
    wanted = golden["added_vocab"]
    found = {name: processor.tokenizer.token_id(name) for name in wanted}
    added = mismatch("added tokens", found, wanted)
    return (*strings, CaseResult(name="tokenizer added", differences=(added,)))


def _run_string(number: int, golden: GoldenString, processor: Processor) -> CaseResult:
    tokenizer = processor.tokenizer
    ids = tokenizer.encode_answer(golden["text"])
    ended = [*ids, tokenizer.end_id]
    kept = tokenizer.decode(ended, keep_special=True)
    differences = (
        count_mismatches("ids", ids, golden["ids"]),
        mismatch("text", tokenizer.decode(ended), golden["decode_skip_special"]),
        mismatch("text with end", kept, golden["decode_keep_special"]),
    )
    return CaseResult(name=f"tokenizer {number}", differences=differences)
