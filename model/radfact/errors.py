"""Errors of `model.radfact`.

ModelError
├── JudgeFailure             one question got no usable answer; it counts as "no"
└── JudgeUnavailable         no question gets an answer: the run must end
"""

from model.errors import ModelError


class JudgeFailure(ModelError):  # noqa: N818 - says what failed
    """One question got no usable answer; the message says why, without the text."""


class JudgeUnavailable(ModelError):  # noqa: N818 - states a condition
    """The judge answers nobody; what was answered before is kept where it keeps."""
