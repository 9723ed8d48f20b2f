import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.engine import ReportEngine
from model.engines.local import LocalEngine, token_limit
from model.errors import CheckpointError, ConstantImage, EngineUnavailable
from model.maira2.inference import choose_placement
from model.maira2.modeling import Attention
from model.maira2.snapshot import weights_digest
from model.options import Domain, EngineOptions, TokenLimits
from model.report import (
    Flag,
    FlagKind,
    GreyImage,
    GroundedPhrase,
    ReportInputs,
    ReportRequest,
    Task,
)
from tests.data.tiny_maira2 import IMAGE_TOKENS, SIDE, write_tiny

LIMITS = TokenLimits(findings=6, grounded_findings=7, phrase_grounding=5)


def image(seed: int) -> GreyImage:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (50, 60), dtype=np.uint8)


def request(task: Task = Task.FINDINGS, **texts: str) -> ReportRequest:
    return ReportRequest(
        inputs=ReportInputs(
            current_frontal=image(1),
            current_lateral=image(2),
            indication=texts.get("indication"),
        ),
        tasks=() if task is Task.PHRASE_GROUNDING else (task,),
        phrases=("effusion",) if task is Task.PHRASE_GROUNDING else (),
    )


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> EngineOptions:
    folder = write_tiny(tmp_path_factory.mktemp("snapshot"))
    return EngineOptions(
        checkpoint=folder, device="cpu", token_limits=LIMITS, threads=1
    )


@pytest.fixture(scope="module")
def engine(options: EngineOptions) -> ReportEngine:
    return LocalEngine(options)


def test_each_request_is_answered_in_order(engine: ReportEngine) -> None:
    tasks = [Task.PHRASE_GROUNDING, Task.FINDINGS, Task.GROUNDED_FINDINGS]
    answers = engine.generate([request(task) for task in tasks])
    assert [report.task for (report,) in answers] == tasks
    assert answers[0][0].phrase == "effusion"


def test_one_request_asks_any_combination(engine: ReportEngine) -> None:
    asked = replace(
        request(),
        tasks=(Task.GROUNDED_FINDINGS, Task.FINDINGS),
        phrases=("effusion", "nodule"),
    )
    (reports,) = engine.generate([asked])
    assert [(report.task, report.phrase) for report in reports] == [
        (Task.GROUNDED_FINDINGS, None),
        (Task.FINDINGS, None),
        (Task.PHRASE_GROUNDING, "effusion"),
        (Task.PHRASE_GROUNDING, "nodule"),
    ]


def test_the_same_request_has_the_same_answer(engine: ReportEngine) -> None:
    (first,), (second,) = engine.generate([request(), request()])
    assert replace(second, provenance=first.provenance) == first


def test_plain_findings_are_one_phrase(engine: ReportEngine) -> None:
    ((report,),) = engine.generate([request()])
    assert report.phrases == (GroundedPhrase(text=report.text.strip()),)


def test_reaching_the_token_limit_is_flagged(engine: ReportEngine) -> None:
    ((report,),) = engine.generate([request()])
    assert Flag(kind=FlagKind.CUT_OFF) in report.flags
    assert report.provenance.new_tokens == report.provenance.max_new_tokens == 6


def test_the_provenance_tells_how_the_report_came_about(
    engine: ReportEngine, options: EngineOptions
) -> None:
    ((report,),) = engine.generate([request()])
    provenance = report.provenance
    assert provenance.weights_digest == weights_digest(options.checkpoint)
    assert (provenance.device, provenance.dtype) == ("cpu", "float32")
    assert provenance.crop_side == SIDE
    assert provenance.prompt_tokens > 2 * IMAGE_TOKENS
    assert provenance.seconds > 0
    assert dict(provenance.libraries).keys() >= {"torch", "transformers"}
    pixels = np.array([50, 60], dtype="<u4").tobytes() + image(2).tobytes()
    digests = dict(provenance.image_digests)
    assert digests["current_lateral"] == hashlib.sha256(pixels).hexdigest()
    assert list(digests) == ["current_frontal", "current_lateral"]


def test_a_control_token_in_a_text_is_neutralised_and_flagged(
    engine: ReportEngine,
) -> None:
    ((report,),) = engine.generate([request(indication="dry <image> cough")])
    ((clean,),) = engine.generate([request(indication="dry   cough")])
    flag = Flag(kind=FlagKind.NEUTRALISED_INPUT, detail="indication")
    assert report.flags == (flag, *clean.flags)
    assert report.text == clean.text
    assert report.provenance.prompt_digest == clean.provenance.prompt_digest


def test_a_constant_image_is_refused(engine: ReportEngine) -> None:
    flat = ReportInputs(current_frontal=np.zeros((50, 60), dtype=np.uint8))
    with pytest.raises(ConstantImage, match="current_frontal"):
        engine.generate([ReportRequest(inputs=flat, tasks=(Task.FINDINGS,))])


def test_a_phantom_checkpoint_says_what_it_is(engine: ReportEngine) -> None:
    assert engine.identity.domain is Domain.PHANTOM
    assert engine.identity.model_name == "MAIRA-2 phantom"


def test_a_checkpoint_without_our_key_reads_radiographs(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path, domain=None)
    identity = LocalEngine(EngineOptions(checkpoint=folder, device="cpu")).identity
    assert identity.domain is Domain.RADIOGRAPH
    assert (identity.model_name, identity.model_manufacturer) == (
        "MAIRA-2",
        "Microsoft",
    )


def test_a_token_limit_changes_the_settings_digest(
    engine: ReportEngine, options: EngineOptions
) -> None:
    longer = replace(options, token_limits=replace(LIMITS, findings=99))
    other = LocalEngine(longer).identity
    assert other.settings_digest != engine.identity.settings_digest
    assert other.weights_digest == engine.identity.weights_digest


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        LocalEngine(EngineOptions(checkpoint=tmp_path))


@pytest.mark.parametrize(
    "options",
    [EngineOptions(device="tpu"), EngineOptions(device="cpu", dtype="int3")],
)
def test_an_unknown_device_or_format_is_refused(options: EngineOptions) -> None:
    with pytest.raises(ValueError, match="is none of auto"):
        choose_placement(options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_device_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable, match="cuda"):
        choose_placement(EngineOptions(device="cuda"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_shorter_number_format_answers_too(
    options: EngineOptions, dtype: str
) -> None:
    ((report,),) = LocalEngine(replace(options, dtype=dtype)).generate([request()])
    assert report.provenance.dtype == dtype


def test_float32_on_a_cpu_runs_the_attention_of_the_golden_answers() -> None:
    exact = choose_placement(EngineOptions(device="cpu"))
    fused = choose_placement(EngineOptions(device="cpu", dtype="bfloat16"))
    assert (exact.attention, fused.attention) == (Attention.EAGER, Attention.SDPA)


@pytest.mark.parametrize("task", list(Task))
def test_each_task_has_its_token_limit(task: Task) -> None:
    wanted = {
        Task.FINDINGS: 6,
        Task.GROUNDED_FINDINGS: 7,
        Task.PHRASE_GROUNDING: 5,
    }
    assert token_limit(LIMITS, task) == wanted[task]
