"""MAIRA-2 in this process."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from model.checks import check_report
from model.engine import EngineIdentity
from model.engines.ended import MODELS, read_ended, token_limit
from model.engines.inputs import Cleaned, clean_question, image_digest, look_once
from model.maira2.inference import Answer, Asked, Inference, library_versions
from model.maira2.preparing import Preparation, Prompt
from model.maira2.prompts import prompt_images
from model.maira2.snapshot import weights_digest
from model.options import EngineOptions
from model.report import (
    Flag,
    FlagKind,
    GroundedReport,
    Phase,
    Provenance,
    ReportRequest,
)
from model.version import VERSION

ENGINE = "local"
PREPARE = "prepare"
"""The phase before the model's own: images and words to what it reads."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """One question, cleaned and written as a prompt, and the time that took."""

    cleaned: Cleaned
    prompt: Prompt
    seconds: float
    image_digests: tuple[tuple[str, str], ...]
    deadline: float | None


class LocalEngine:
    """A `ReportEngine` that answers greedily, a study's questions with shared work.

    Loads at construction. Raises `CheckpointError` where the folder is not whole.
    Not for several threads at once.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._inference = Inference(options)
        self._options = options
        self._limits = options.token_limits
        name, manufacturer = MODELS[self._inference.domain]
        self._identity = EngineIdentity(
            engine=ENGINE,
            model_name=name,
            model_manufacturer=manufacturer,
            weights_digest=weights_digest(options.checkpoint),
            settings_digest=self._settings_digest(),
            domain=self._inference.domain,
        )

    @property
    def identity(self) -> EngineIdentity:
        """Say who answers."""
        return self._identity

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        """Answer each request, in order: one report a question.

        What a deadline leaves no time for has no text and says so. Raises
        `ConstantImage` or `RefusedRequest` for a request without content,
        `EngineUnavailable` where memory runs out.
        """
        jobs = self._prepare(requests, time.monotonic())
        answers = self._inference.answer([self._ask(job) for job in jobs])
        reports = iter([*map(self._report, jobs, answers)])
        return [tuple(next(reports) for _ in asked.questions) for asked in requests]

    def _prepare(self, requests: Sequence[ReportRequest], now: float) -> list[_Job]:
        """Check, clean and write every question before the first is answered."""
        preparation = Preparation(self._inference.processor)
        jobs: list[_Job] = []
        for request in requests:
            jobs.extend(self._jobs(request, preparation, now))
        return jobs

    def _jobs(
        self, request: ReportRequest, preparation: Preparation, now: float
    ) -> Iterator[_Job]:
        """Write the questions of a request; its images are looked at once."""
        seconds = request.deadline_seconds
        digests: dict[str, str] = {}
        for question in request.questions:
            started = time.perf_counter()
            names = prompt_images(question)
            look_once(request.inputs, names, digests, image_digest)
            tokens = self._inference.processor.tokenizer.control_tokens
            cleaned = clean_question(question, tokens)
            prompt = preparation.prompt(cleaned.question)
            yield _Job(
                cleaned=cleaned,
                prompt=prompt,
                seconds=time.perf_counter() - started,
                image_digests=tuple((name, digests[name]) for name in names),
                deadline=None if seconds is None else now + seconds,
            )

    def _ask(self, job: _Job) -> Asked:
        limit = token_limit(self._limits, job.cleaned.question.task)
        return Asked(prompt=job.prompt, max_new_tokens=limit, deadline=job.deadline)

    def _report(self, job: _Job, answer: Answer) -> GroundedReport:
        """Read an answer. Flags: what was done to the input, the form, the content."""
        question = job.cleaned.question
        reading = read_ended(question.task, answer)
        checks = check_report(question, reading.phrases, answer.text)
        moved = _moved(answer)
        return GroundedReport(
            task=question.task,
            text=answer.text,
            phrases=reading.phrases,
            flags=(*job.cleaned.flags, *moved, *reading.flags, *checks),
            provenance=self._provenance(job, answer),
            phrase=question.phrase,
        )

    def _provenance(self, job: _Job, answer: Answer) -> Provenance:
        tokens = len(job.prompt.tokens.ids)
        prepare = Phase(name=PREPARE, tokens=tokens, seconds=job.seconds)
        usual = self._inference.device, self._inference.dtype
        device, dtype = answer.moved_to or usual
        phases = (prepare, *answer.phases)
        return Provenance(
            engine=ENGINE,
            model_name=self._identity.model_name,
            weights_digest=self._identity.weights_digest,
            adapter_version=VERSION,
            libraries=library_versions(self._inference.weights),
            device=device,
            dtype=dtype,
            crop_side=self._inference.processor.preprocessing.side,
            max_new_tokens=token_limit(self._limits, job.cleaned.question.task),
            prompt_digest=hashlib.sha256(job.prompt.text.encode()).hexdigest(),
            image_digests=job.image_digests,
            prompt_tokens=tokens,
            new_tokens=answer.new_tokens,
            seconds=sum(phase.seconds for phase in phases),
            settings=(*self._settings(), *_course(answer)),
            phases=phases,
            settings_digest=self._identity.settings_digest,
        )

    def _settings(self) -> tuple[tuple[str, str], ...]:
        """Name what else decides an answer, or how fast it comes."""
        options = self._options
        return (
            ("attention", self._inference.attention),
            ("weights", self._inference.weights),
            ("adapter", self._inference.adapter or "none"),
            ("prefix cache", _on(options.prefix_memory_bytes > 0)),
            ("prompt lookup", _on(options.prompt_lookup)),
            ("compiled steps", _on(self._inference.compiled)),
        )

    def _settings_digest(self) -> str:
        """Digest every option that can change an answer.

        In float32 the fast paths change no id (`tests/integration/
        test_golden_parity.py`); in shorter formats they may break ties otherwise.
        """
        settings: dict[str, object] = {
            "device": self._inference.device,
            "dtype": self._inference.dtype,
            "attention": self._inference.attention,
            "token_limits": asdict(self._limits),
        }
        if self._options.weights != "as-stored":
            settings["weights"] = self._inference.weights
        if self._inference.adapter is not None:
            settings["adapter"] = self._inference.adapter
        if self._inference.dtype != "float32" or "weights" in settings:
            settings["fast_paths"] = self._settings()[3:]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _moved(answer: Answer) -> tuple[Flag, ...]:
    if answer.moved_to is None:
        return ()
    device, dtype = answer.moved_to
    return (Flag(kind=FlagKind.DEVICE_CHANGED, detail=f"{device}, {dtype}"),)


def _course(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Tell what the fast paths did for one answer."""
    told = [("batch", str(answer.rows))]
    if answer.ran_out:
        told.append(("memory ran out for", ", ".join(answer.ran_out)))
    if answer.guesses is not None:
        right = f"{answer.guesses.accepted} of {answer.guesses.proposed} guesses right"
        told.append(
            ("guesses", f"{right}, given up" if answer.guesses.given_up else right)
        )
    return tuple(told)


def _on(used: bool) -> str:  # noqa: FBT001 - the one thing it says
    return "on" if used else "off"
