"""Errors of `model`.

ModelError
├── CheckpointError          a snapshot folder is missing something or differs
├── DownloadRefused          a snapshot cannot be fetched; the message says why
├── EngineUnavailable        the engine cannot run now; the request may be retried
│   ├── EngineAway           nobody began with the request: there is no engine now
│   └── EngineDied           the engine ended while it worked on the request
├── BadFrame                 bytes that are no message of the engine's wire
└── RefusedRequest           the request itself can never be answered
    └── ConstantImage        an image without any contrast
"""


class ModelError(Exception):
    """Base of all errors of this package."""


class CheckpointError(ModelError):
    """A file of the checkpoint is missing, unreadable or of another shape.

    The message names the file or the tensor and what was expected.
    """


class DownloadRefused(ModelError):  # noqa: N818 - a refusal, not a fault
    """Server, network or disk are in the way; the message says what to do."""


class EngineUnavailable(ModelError):  # noqa: N818 - states a condition
    """The engine cannot answer now (memory, device); trying again may help."""


class EngineAway(EngineUnavailable):
    """No engine is there to ask; the request did nothing to bring this about."""


class EngineDied(EngineUnavailable):
    """The engine ended at work on the request, which may be what ended it."""


class BadFrame(ModelError):  # noqa: N818 - says what was read
    """Bytes that are no message of the engine's wire, or of another version."""


class RefusedRequest(ModelError):  # noqa: N818 - a refusal, not a fault
    """The request can never be answered; the message says why."""


class ConstantImage(RefusedRequest):
    """An image whose pixels are all equal carries nothing to report."""
