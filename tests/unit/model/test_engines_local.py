import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.engine import ReportEngine
from model.engines.ended import read_ended, token_limit
from model.engines.local import LocalEngine
from model.errors import CheckpointError, ConstantImage, EngineUnavailable
from model.maira2.answering import Answered, Answerer
from model.maira2.inference import Answer, choose_placement
from model.maira2.modeling import Attention
from model.maira2.preparing import Prompt
from model.maira2.snapshot import weights_digest
from model.maira2.stopping import Ending, StopRule
from model.maira2.work import ImageFeatures
from model.options import Domain, EngineOptions, TokenLimits
from model.report import (
    Flag,
    FlagKind,
    GreyImage,
    GroundedPhrase,
    GroundedReport,
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


def test_half_precision_is_not_for_a_cpu(options: EngineOptions) -> None:
    with pytest.raises(ValueError, match="float16"):
        LocalEngine(replace(options, dtype="float16"))


def test_float32_on_a_cpu_runs_the_attention_of_the_golden_answers() -> None:
    exact = choose_placement(EngineOptions(device="cpu"))
    fused = choose_placement(EngineOptions(device="cpu", attention="sdpa"))
    assert (exact.attention, fused.attention) == (Attention.EAGER, Attention.SDPA)


@pytest.mark.parametrize("task", list(Task))
def test_each_task_has_its_token_limit(task: Task) -> None:
    wanted = {
        Task.FINDINGS: 6,
        Task.GROUNDED_FINDINGS: 7,
        Task.PHRASE_GROUNDING: 5,
    }
    assert token_limit(LIMITS, task) == wanted[task]


def five_tasks() -> ReportRequest:
    return replace(
        request(),
        tasks=(Task.FINDINGS, Task.GROUNDED_FINDINGS),
        phrases=("effusion", "nodule"),
    )


def phases(report: GroundedReport) -> dict[str, int]:
    return {phase.name: phase.tokens for phase in report.provenance.phases}


def test_a_study_asked_again_takes_its_images_from_memory(
    options: EngineOptions,
) -> None:
    engine = LocalEngine(options)
    ((first, grounded, phrase, _),) = engine.generate([five_tasks()])
    assert phases(first)["images"] == 2 * IMAGE_TOKENS
    assert phases(grounded)["prefix"] > 2 * IMAGE_TOKENS
    assert phases(phrase)["prefix"] > IMAGE_TOKENS
    ((again,),) = engine.generate([request()])
    assert (phases(again)["images"], phases(again)["prefill"]) == (0, 1)
    assert again.text == first.text


def test_the_phases_are_the_parts_of_the_seconds(engine: ReportEngine) -> None:
    ((report,),) = engine.generate([request()])
    provenance = report.provenance
    names = [phase.name for phase in provenance.phases]
    assert names == ["prepare", "images", "prefix", "prefill", "decode"]
    assert provenance.seconds == sum(phase.seconds for phase in provenance.phases)
    assert phases(report)["decode"] == provenance.new_tokens
    read = phases(report)["prefix"] + phases(report)["prefill"]
    assert read == provenance.prompt_tokens


def test_the_provenance_names_what_else_decided(engine: ReportEngine) -> None:
    ((report,),) = engine.generate([request()])
    settings = dict(report.provenance.settings)
    assert settings.pop("guesses")
    assert settings == {
        "attention": "eager",
        "weights": "as-stored",
        "adapter": "none",
        "prefix cache": "on",
        "prompt lookup": "on",
        "compiled steps": "off",
        "batch": "1",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"prefix_memory_bytes": 0},
        {"prompt_lookup": False},
        {"batch_tokens": 4000},
        {"compile_steps": "eager"},
    ],
)
def test_fast_paths_change_neither_the_words_nor_the_identity(
    engine: ReportEngine, options: EngineOptions, change: dict[str, int]
) -> None:
    other = LocalEngine(replace(options, **change))  # type: ignore[arg-type]
    assert other.identity == engine.identity
    (ours,) = other.generate([five_tasks()])
    (wanted,) = engine.generate([five_tasks()])
    assert [report.text for report in ours] == [report.text for report in wanted]
    assert [report.flags for report in ours] == [report.flags for report in wanted]


def test_what_a_deadline_leaves_no_time_for_is_empty_and_says_so(
    engine: ReportEngine,
) -> None:
    hurried = replace(five_tasks(), deadline_seconds=1e-9)
    (reports,) = engine.generate([hurried])
    assert [report.text for report in reports] == [""] * 4
    late = (Flag(kind=FlagKind.DEADLINE),)
    assert {report.flags for report in reports} == {late}
    assert {report.provenance.new_tokens for report in reports} == {0}


def test_requests_have_their_own_deadlines(engine: ReportEngine) -> None:
    hurried = replace(request(), deadline_seconds=1e-9)
    patient = replace(request(), deadline_seconds=600.0)
    (late,), (done,) = engine.generate([hurried, patient])
    assert (late.text, done.provenance.new_tokens) == ("", 6)
    assert FlagKind.DEADLINE not in {flag.kind for flag in done.flags}


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (Ending.REPETITION, FlagKind.REPETITION),
        (Ending.DEADLINE, FlagKind.DEADLINE),
        (Ending.TOKEN_LIMIT, FlagKind.CUT_OFF),
    ],
)
def test_what_ended_an_answer_is_flagged(ending: Ending, kind: FlagKind) -> None:
    answer = Answer(text="<obj>Effusion", new_tokens=4, ending=ending, rows=1)
    reading = read_ended(Task.GROUNDED_FINDINGS, answer)
    assert [flag.kind for flag in reading.flags] == [kind]
    assert [phrase.text for phrase in reading.phrases] == ["Effusion"]


def test_no_requests_have_no_answers(engine: ReportEngine) -> None:
    assert engine.generate([]) == []


def test_memory_that_runs_out_is_unavailable_and_tells_the_size(
    options: EngineOptions,
) -> None:
    endless = replace(LIMITS, findings=10**14)
    engine = LocalEngine(replace(options, token_limits=endless))
    with pytest.raises(EngineUnavailable, match=r"out of memory on cpu .* MiB"):
        engine.generate([request()])


@dataclass
class Starved:
    """An answerer for which memory runs out so many times."""

    fed: Answerer
    times: int

    @property
    def token_bytes(self) -> int:
        return self.fed.token_bytes

    def features(self) -> ImageFeatures:
        return self.fed.features()

    def release(self) -> None:
        self.fed.release()

    def answer(
        self,
        prompts: Sequence[Prompt],
        rules: Sequence[StopRule],
        features: ImageFeatures,
    ) -> list[Answered]:
        if self.times:
            self.times -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.fed.answer(prompts, rules, features)


def starved(options: EngineOptions, times: int, **changes: object) -> LocalEngine:
    """Return an engine that takes itself for one on CUDA with little memory."""
    few = replace(options, batch_tokens=10**6, **changes)  # type: ignore[arg-type]
    engine = LocalEngine(few)
    inside = engine._inference
    inside._placement = replace(inside._placement, device="cuda")
    inside._answerer = Starved(inside._answerer, times)  # type: ignore[assignment]
    return engine


def flags_of(report: GroundedReport) -> list[FlagKind]:
    return [f.kind for f in report.flags if f.kind is FlagKind.DEVICE_CHANGED]


TWO = [request(), request(Task.GROUNDED_FINDINGS)]


def test_prompts_that_find_no_memory_together_are_answered_one_by_one(
    options: EngineOptions, engine: ReportEngine
) -> None:
    reports = [each for (each,) in starved(options, 1).generate(TWO)]
    usual = [each for (each,) in engine.generate(TWO)]
    assert [each.text for each in reports] == [each.text for each in usual]
    for each in reports:
        told = dict(each.provenance.settings)
        assert told["memory ran out for"] == "2 together on cuda"
        assert told["batch"] == "1"
        assert (each.provenance.device, flags_of(each)) == ("cuda", [])


def test_a_prompt_that_finds_no_memory_alone_is_answered_on_the_cpu_where_allowed(
    options: EngineOptions, engine: ReportEngine
) -> None:
    small = starved(options, 2, cpu_fallback=True)
    (moved,), (stayed,) = small.generate(TWO)
    ((usual,), _) = engine.generate(TWO)
    assert moved.text == usual.text
    assert (moved.provenance.device, moved.provenance.dtype) == ("cpu", "float32")
    assert flags_of(moved) == [FlagKind.DEVICE_CHANGED]
    assert (stayed.provenance.device, flags_of(stayed)) == ("cuda", [])


def test_each_step_of_the_way_to_the_cpu_is_logged(
    options: EngineOptions, caplog: pytest.LogCaptureFixture
) -> None:
    starved(options, 2, cpu_fallback=True).generate(TWO)
    first, second = [record.message for record in caplog.records]
    assert first == "out of memory for 2 together on cuda; one by one"
    assert second.startswith("out of memory on cuda for ")
    assert second.endswith("it is answered on the CPU")


@pytest.mark.parametrize("times", [2, 3])
def test_without_leave_for_the_cpu_a_lack_of_memory_is_unavailable(
    options: EngineOptions, times: int
) -> None:
    small = starved(options, times)
    with pytest.raises(EngineUnavailable, match="out of memory on cuda"):
        small.generate(TWO)


def test_where_the_cpu_has_no_memory_either_it_is_unavailable(
    options: EngineOptions,
) -> None:
    small = starved(options, 2, cpu_fallback=True)
    inside = small._inference
    inside._spare = Starved(inside._answerer.fed, 1)  # type: ignore[assignment, attr-defined]
    with pytest.raises(EngineUnavailable, match="out of memory on cpu"):
        small.generate([request()] * 2)
    assert len(small.generate([request()])) == 1


def test_unknown_weights_are_refused(options: EngineOptions) -> None:
    with pytest.raises(ValueError, match="none of as-stored, int8"):
        LocalEngine(replace(options, weights="int3"))


def test_int8_weights_are_marked_and_are_another_engine(
    engine: ReportEngine, options: EngineOptions
) -> None:
    pytest.importorskip("torchao", reason="the extra `quantised` is not installed")
    other = LocalEngine(replace(options, weights="int8"))
    assert other.identity.settings_digest != engine.identity.settings_digest
    ((report,),) = other.generate([request()])
    assert dict(report.provenance.settings)["weights"] == "int8 (torchao)"
    assert "torchao" in dict(report.provenance.libraries)
    assert report.provenance.new_tokens == 6
