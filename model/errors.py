"""Errors of `model`.

ModelError
├── CheckpointError          a snapshot folder is missing something or differs
├── EngineUnavailable        the engine cannot run now; the request may be retried
└── RefusedRequest           the request itself can never be answered
    └── ConstantImage        an image without any contrast
"""


class ModelError(Exception):
    """Base of all errors of this package."""


class CheckpointError(ModelError):
    """A file of the checkpoint is missing, unreadable or of another shape.

    The message names the file or the tensor and what was expected.
    """


class EngineUnavailable(ModelError):  # noqa: N818 - states a condition
    """The engine cannot answer now (memory, device); trying again may help."""


class RefusedRequest(ModelError):  # noqa: N818 - a refusal, not a fault
    """The request can never be answered; the message says why."""


class ConstantImage(RefusedRequest):
    """An image whose pixels are all equal carries nothing to report."""
