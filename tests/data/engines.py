"""Engines with given answers; no setting can select them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from model.engine import EngineIdentity
from model.errors import ConstantImage
from model.options import Domain
from model.report import (
    Flag,
    FlagKind,
    GroundedPhrase,
    GroundedReport,
    NormalizedBox,
    Provenance,
    Question,
    ReportRequest,
    Task,
)

NODULE = NormalizedBox(x_min=0.205, y_min=0.305, x_max=0.405, y_max=0.455)
HEART = NormalizedBox(x_min=0.445, y_min=0.505, x_max=0.805, y_max=0.845)

FINDINGS = (
    GroundedPhrase(text="There is a nodule in the right mid lung.", boxes=(NODULE,)),
    GroundedPhrase(text="The heart is enlarged.", boxes=(HEART,)),
    GroundedPhrase(text="No pleural effusion."),
)


@dataclass
class CannedEngine:
    """Answers every request with `phrases` and remembers what it was asked."""

    domain: Domain = Domain.RADIOGRAPH
    phrases: tuple[GroundedPhrase, ...] = FINDINGS
    flags: tuple[FlagKind, ...] = ()
    asked: list[ReportRequest] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """Raised one after the other before the first answer to something asked."""

    @property
    def identity(self) -> EngineIdentity:
        return EngineIdentity(
            engine="canned",
            model_name="canned answers",
            model_manufacturer="test suite",
            weights_digest=sha256(b"canned").hexdigest(),
            settings_digest=sha256(b"none").hexdigest(),
            domain=self.domain,
        )

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        if requests and self.failures:
            raise self.failures.pop(0)
        self.asked.extend(requests)
        return [tuple(map(self._answer, request.questions)) for request in requests]

    def _answer(self, question: Question) -> GroundedReport:
        frontal = question.inputs.current_frontal
        if frontal.min() == frontal.max():
            raise ConstantImage("current_frontal has no contrast")
        return GroundedReport(
            task=question.task,
            text=" ".join(phrase.text for phrase in self.phrases),
            phrases=self._phrases(question),
            flags=tuple(Flag(kind=kind) for kind in self.flags),
            provenance=_provenance(self.identity, question),
            phrase=question.phrase,
        )

    def _phrases(self, question: Question) -> tuple[GroundedPhrase, ...]:
        if question.task is Task.FINDINGS:
            return (GroundedPhrase(text=" ".join(p.text for p in self.phrases)),)
        if question.phrase is not None:
            return (GroundedPhrase(text=question.phrase, boxes=(NODULE,)),)
        return self.phrases


def _provenance(identity: EngineIdentity, question: Question) -> Provenance:
    inputs = question.inputs
    images = {
        "current_frontal": inputs.current_frontal,
        "current_lateral": inputs.current_lateral,
        "prior_frontal": inputs.prior_frontal,
    }
    texts = (inputs.prior_report, inputs.indication, inputs.technique)
    return Provenance(
        engine=identity.engine,
        model_name=identity.model_name,
        weights_digest=identity.weights_digest,
        adapter_version="test",
        libraries=(),
        device="none",
        dtype="none",
        crop_side=518,
        max_new_tokens=450,
        prompt_digest=sha256(repr(texts).encode()).hexdigest(),
        image_digests=tuple(
            (name, sha256(np.ascontiguousarray(image).tobytes()).hexdigest())
            for name, image in images.items()
            if image is not None
        ),
        prompt_tokens=10,
        new_tokens=20,
        seconds=0.0,
    )
