"""MAIRA-2 in this process."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict

from model.engine import EngineIdentity
from model.engines.inputs import Cleaned, check_images, clean_question, image_digest
from model.grounding import read_answer
from model.maira2.inference import Answer, Inference, library_versions
from model.maira2.processing import ModelInput
from model.maira2.prompts import prompt_images
from model.maira2.snapshot import weights_digest
from model.options import Domain, EngineOptions, TokenLimits
from model.report import GroundedReport, Provenance, Question, ReportRequest, Task
from model.version import VERSION

ENGINE = "local"
_MODELS = {
    Domain.RADIOGRAPH: ("MAIRA-2", "Microsoft"),
    Domain.PHANTOM: ("MAIRA-2 phantom", "maira-gateway"),
}
"""Name and manufacturer by what the checkpoint reads."""


class LocalEngine:
    """A `ReportEngine` that answers one request after the other, greedily.

    Loads at construction. Raises `CheckpointError` where the folder is not whole.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._inference = Inference(options)
        self._limits = options.token_limits
        name, manufacturer = _MODELS[self._inference.domain]
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

        Raises `ConstantImage` or `RefusedRequest` for a request without content,
        `EngineUnavailable` where memory runs out.
        """
        return [tuple(map(self._answer, request.questions)) for request in requests]

    def _answer(self, question: Question) -> GroundedReport:
        started = time.perf_counter()
        check_images(question.inputs, prompt_images(question))
        tokenizer = self._inference.processor.tokenizer
        cleaned = clean_question(question, tokenizer.control_tokens)
        prompt = self._inference.processor.encode(cleaned.question)
        limit = token_limit(self._limits, question.task)
        answer = self._inference.answer(prompt, max_new_tokens=limit)
        seconds = time.perf_counter() - started
        provenance = self._provenance(cleaned.question, prompt, answer, seconds)
        return _report(cleaned, answer, provenance)

    def _provenance(
        self,
        question: Question,
        prompt: ModelInput,
        answer: Answer,
        seconds: float,
    ) -> Provenance:
        return Provenance(
            engine=ENGINE,
            model_name=self._identity.model_name,
            weights_digest=self._identity.weights_digest,
            adapter_version=VERSION,
            libraries=library_versions(),
            device=self._inference.device,
            dtype=self._inference.dtype,
            crop_side=self._inference.processor.preprocessing.side,
            max_new_tokens=token_limit(self._limits, question.task),
            prompt_digest=hashlib.sha256(prompt.text.encode()).hexdigest(),
            image_digests=tuple(
                (name, image_digest(getattr(question.inputs, name)))
                for name in prompt_images(question)
            ),
            prompt_tokens=len(prompt.input_ids),
            new_tokens=answer.new_tokens,
            seconds=seconds,
        )

    def _settings_digest(self) -> str:
        """Digest every option that can change an answer."""
        settings = {
            "device": self._inference.device,
            "dtype": self._inference.dtype,
            "attention": self._inference.attention,
            "token_limits": asdict(self._limits),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def token_limit(limits: TokenLimits, task: Task) -> int:
    """Return the most new tokens for a task."""
    match task:
        case Task.FINDINGS:
            return limits.findings
        case Task.GROUNDED_FINDINGS:
            return limits.grounded_findings
        case Task.PHRASE_GROUNDING:
            return limits.phrase_grounding


def _report(cleaned: Cleaned, answer: Answer, provenance: Provenance) -> GroundedReport:
    """Read the answer; what was done to the input comes first among the flags."""
    question = cleaned.question
    reading = read_answer(question.task, answer.text, cut_off=answer.cut_off)
    return GroundedReport(
        task=question.task,
        text=answer.text,
        phrases=reading.phrases,
        flags=(*cleaned.flags, *reading.flags),
        provenance=provenance,
        phrase=question.phrase,
    )
