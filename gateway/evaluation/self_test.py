"""Questions with known answers, put to a judge before it is believed.

Written for this project; they hold what a judge of radiology text gets wrong:
negation, side, severity, generality, change, silence, several sentences.
"""

from dataclasses import dataclass

from gateway.evaluation.errors import JudgeUnfit
from model.radfact.errors import JudgeFailure
from model.radfact.judge import Judge
from model.radfact.values import Verdict

LEAST_RIGHT = 0.8
"""Share of right answers below which a judge is refused."""

_REPORT = (
    "Small right pleural effusion, larger than before.",
    "Dense consolidation in the left lower lobe.",
    "The heart is moderately enlarged.",
    "No pneumothorax.",
    "The tip of the central line lies in the superior vena cava.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAnswer:
    """A statement about a report; `evidence` (from 0), None: it does not follow."""

    statement: str
    report: tuple[str, ...] = _REPORT
    evidence: tuple[int, ...] | None = None


KNOWN_ANSWERS = (
    KnownAnswer(statement="There is a small pleural effusion.", evidence=(0,)),
    KnownAnswer(statement="There is a small left pleural effusion."),
    KnownAnswer(statement="The right effusion has increased.", evidence=(0,)),
    KnownAnswer(statement="The right effusion is unchanged."),
    KnownAnswer(statement="Left basal airspace opacity.", evidence=(1,)),
    KnownAnswer(statement="The left lung is clear."),
    KnownAnswer(statement="Cardiomegaly.", evidence=(2,)),
    KnownAnswer(statement="The heart is of normal size."),
    KnownAnswer(statement="There is no pneumothorax.", evidence=(3,)),
    KnownAnswer(statement="No rib fracture."),
    KnownAnswer(
        statement="Enlarged heart and right pleural effusion.", evidence=(0, 2)
    ),
    KnownAnswer(
        statement="The central line ends in the superior vena cava.", evidence=(4,)
    ),
    KnownAnswer(statement="The central line ends in the right atrium."),
    KnownAnswer(statement="Right pleural effusion.", report=("No pleural effusion.",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """How a judge answered; `wrong` names the statements that it got wrong.

    `failure` says why the first that got no answer got none; None: all got one.
    """

    asked: int
    wrong: tuple[str, ...]
    failure: str | None = None

    @property
    def share_right(self) -> float:
        """Share of right answers in [0, 1]."""
        return 1.0 - len(self.wrong) / self.asked


def run_self_test(judge: Judge) -> SelfTest:
    """Ask every known question; no answer is a wrong one.

    Right is the verdict, and for an entailed statement evidence that holds at
    least one of the known sentences. Raises JudgeUnavailable.
    """
    answers = [(known, _answer(judge, known)) for known in KNOWN_ANSWERS]
    failures = (verdict.failure for _, verdict in answers)
    return SelfTest(
        asked=len(answers),
        wrong=tuple(
            known.statement
            for known, verdict in answers
            if not _is_right(known, verdict)
        ),
        failure=next((why for why in failures if why is not None), None),
    )


def demand_fit(result: SelfTest, least: float = LEAST_RIGHT) -> None:
    """Raise JudgeUnfit where too few answers were right."""
    if result.share_right < least:
        silence = f"; without an answer: {result.failure}" if result.failure else ""
        raise JudgeUnfit(
            f"the judge got {len(result.wrong)} of {result.asked} known answers wrong "
            f"(first: {result.wrong[0]!r}{silence}); "
            f"at least {least:.0%} must be right. "
            "Use another model, or say --accept-unfit-judge"
        )


def _answer(judge: Judge, known: KnownAnswer) -> Verdict:
    try:
        return judge.entails(known.statement, known.report)
    except JudgeFailure as failure:
        return Verdict(entailed=False, failure=str(failure))


def _is_right(known: KnownAnswer, verdict: Verdict) -> bool:
    if verdict.failure is not None:
        return False
    if known.evidence is None:
        return not verdict.entailed
    return verdict.entailed and bool({*verdict.evidence} & {*known.evidence})
