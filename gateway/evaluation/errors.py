"""Errors of `gateway.evaluation`.

GatewayError
└── EvaluationError          nothing was evaluated
    ├── BadSource            a file with reports is not what it should be
    ├── BadEndpoint          an address that report text must not go to
    ├── JudgeUnfit           the judge failed its self-test
    └── MissingLibrary       an optional library is not installed
"""

from gateway.errors import GatewayError


class EvaluationError(GatewayError):
    """Base of the errors of an evaluation."""


class BadSource(EvaluationError):  # noqa: N818 - says what is wrong
    """A file with reports cannot be used; the message names file and line."""


class BadEndpoint(EvaluationError):  # noqa: N818 - says what is wrong
    """An address that report text must not go to like this."""


class JudgeUnfit(EvaluationError):  # noqa: N818 - says what is wrong
    """The judge gave too many wrong answers to questions with known ones."""


class MissingLibrary(EvaluationError):  # noqa: N818 - says what is missing
    """An optional library is not installed."""

    def __init__(self, library: str) -> None:
        super().__init__(
            f"{library} is not installed: pip install 'maira-gateway[evaluate]'"
        )
