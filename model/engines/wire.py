"""The wire of a report engine: messages as bytes, for any other process or host.

A message is one frame, numbers in network order:

    4 bytes   b"MGEW"
    2 bytes   version of the wire, 1
    2 bytes   zero
    4 bytes   length of the header
    8 bytes   length of the body
    header    one JSON object in UTF-8; `kind` names the message
    body      the images of an `Ask`, one after the other; empty for all else

An image is (rows, columns) uint8 in C order; the header gives the two sizes under
the image's name, and the images follow in the order in which it names them. What a
value is called here is what its field is called in `model.report`.

The engine speaks first: `Alive` as often as it likes, then `Ready` once. After that
each `Ask` is answered by `Reports` or `Failed`, in order. It carries plain values
alone: nothing on it is code, and nothing needs torch.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from model.engine import EngineIdentity
from model.engines.inputs import FREE_TEXTS, IMAGES
from model.errors import (
    BadFrame,
    CheckpointError,
    ConstantImage,
    EngineAway,
    EngineDied,
    EngineUnavailable,
    ModelError,
    RefusedRequest,
)
from model.report import GreyImage, GroundedReport, ReportInputs, ReportRequest, Task

VERSION = 1
PREFIX = struct.Struct("!4sHHIQ")
MAX_HEADER_BYTES = 1 << 26
MAX_BODY_BYTES = 1 << 32

_MAGIC = b"MGEW"
_ERRORS: Mapping[str, type[ModelError]] = {
    kind.__name__: kind
    for kind in (
        CheckpointError,
        ConstantImage,
        EngineAway,
        EngineDied,
        EngineUnavailable,
        RefusedRequest,
    )
}
"""Errors that cross by their name; an engine's other errors may be tried again."""

Size = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
"""Rows and columns of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The engine's process runs; nothing else is said."""

    kind: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The engine is loaded and warm. `device` is "cpu" or "cuda"."""

    identity: EngineIdentity
    device: str
    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Requests to be answered together."""

    requests: tuple[ReportRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The answers to an `Ask`, request by request."""

    reports: tuple[tuple[GroundedReport, ...], ...]
    kind: Literal["reports"] = "reports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why there is no answer: an error of `model` by name, and its message."""

    error: str
    detail: str
    kind: Literal["failed"] = "failed"

    @staticmethod
    def of(error: ModelError) -> "Failed":
        """Return the message of an error."""
        return Failed(error=type(error).__name__, detail=str(error))

    def exception(self) -> ModelError:
        """Return the error to raise on this side."""
        return _ERRORS.get(self.error, EngineUnavailable)(self.detail)


Message = Alive | Ready | Ask | Reports | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request as the header has it."""

    images: dict[str, Size]
    texts: dict[str, str]
    tasks: tuple[Task, ...]
    phrases: tuple[str, ...]
    deadline_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _AskHeader:
    requests: tuple[_Asked, ...]
    kind: Literal["ask"] = "ask"


_Header = Alive | Ready | _AskHeader | Reports | Failed
_HEADER: TypeAdapter[_Header] = TypeAdapter(
    Annotated[_Header, Field(discriminator="kind")]
)


def encode(message: Message) -> bytes:
    """Return the frame of a message.

    Raises `RefusedRequest` where an image is none or a text is no Unicode.
    """
    body = b""
    header: _Header
    if isinstance(message, Ask):
        header = _AskHeader(requests=tuple(map(_asked, message.requests)))
        body = b"".join(_pixels(message))
    else:
        header = message
    try:
        text = _HEADER.dump_json(header)
    except PydanticSerializationError as error:
        raise RefusedRequest("a text that no UTF-8 can hold") from error
    return PREFIX.pack(_MAGIC, VERSION, 0, len(text), len(body)) + text + body


def decode(frame: bytes) -> Message:
    """Return the message of one whole frame. Raises `BadFrame`."""
    header, body = split_prefix(frame[: PREFIX.size])
    if len(frame) != PREFIX.size + header + body:
        raise BadFrame(f"{len(frame)} bytes, of {PREFIX.size + header + body}")
    start = PREFIX.size + header
    return _message(frame[PREFIX.size : start], frame[start:])


def read_message(read: Callable[[int], bytes]) -> Message | None:
    """Read the next message; None where the stream ends before one begins.

    read : returns that many bytes, fewer only where the stream ends.
    Raises `BadFrame`, also for a stream that ends within a message.
    """
    prefix = read(PREFIX.size)
    if not prefix:
        return None
    header, body = split_prefix(prefix)
    return decode(prefix + read(header) + read(body))


def split_prefix(prefix: bytes) -> tuple[int, int]:
    """Return the lengths of header and body. Raises `BadFrame`."""
    if len(prefix) != PREFIX.size:
        raise BadFrame(f"{len(prefix)} bytes, of the {PREFIX.size} before a message")
    magic, version, zero, header, body = PREFIX.unpack(prefix)
    if (magic, zero) != (_MAGIC, 0):
        raise BadFrame(f"a message begins with {prefix[:8]!r}")
    if version != VERSION:
        raise BadFrame(f"version {version} of the wire, expected {VERSION}")
    if header > MAX_HEADER_BYTES or body > MAX_BODY_BYTES:
        raise BadFrame(f"a message of {header} and {body} bytes")
    return header, body


def _asked(request: ReportRequest) -> _Asked:
    inputs = request.inputs
    return _Asked(
        images={name: _size(name, image) for name, image in _images(inputs)},
        texts={
            name: text
            for name in FREE_TEXTS
            if (text := getattr(inputs, name)) is not None
        },
        tasks=request.tasks,
        phrases=request.phrases,
        deadline_seconds=request.deadline_seconds,
    )


def _images(inputs: ReportInputs) -> Iterator[tuple[str, GreyImage]]:
    for name in IMAGES:
        image = getattr(inputs, name)
        if image is not None:
            yield name, image


def _size(name: str, image: GreyImage) -> Size:
    if image.ndim != 2 or image.dtype != np.uint8:
        raise RefusedRequest(
            f"{name} is {image.dtype} of shape {image.shape}, "
            "expected (rows, columns) uint8"
        )
    return image.shape[0], image.shape[1]


def _pixels(ask: Ask) -> Iterator[bytes]:
    for request in ask.requests:
        for _, image in _images(request.inputs):
            yield image.tobytes()


def _message(text: bytes, body: bytes) -> Message:
    try:
        header = _HEADER.validate_json(text)
        if isinstance(header, _AskHeader):
            return _ask(header, body)
    except (ValidationError, TypeError, ValueError) as error:
        # Neither names what was read: it may be about a patient.
        raise BadFrame("a header that is no message") from error
    if body:
        raise BadFrame(f"{header.kind} has a body of {len(body)} bytes")
    return header


def _ask(header: _AskHeader, body: bytes) -> Ask:
    pixels = memoryview(body)
    requests: list[ReportRequest] = []
    for asked in header.requests:
        images: dict[str, GreyImage] = {}
        for name, (rows, columns) in asked.images.items():
            taken, pixels = pixels[: rows * columns], pixels[rows * columns :]
            images[name] = np.frombuffer(taken, np.uint8).reshape(rows, columns)
        requests.append(_request(asked, images))
    if len(pixels):
        raise BadFrame(f"{len(pixels)} bytes after the last image")
    return Ask(requests=tuple(requests))


def _request(asked: _Asked, images: Mapping[str, GreyImage]) -> ReportRequest:
    given: dict[str, GreyImage | str] = {**images, **asked.texts}
    if not images.keys() <= {*IMAGES} or not asked.texts.keys() <= {*FREE_TEXTS}:
        raise BadFrame("an input that reports do not have")
    return ReportRequest(
        inputs=ReportInputs(**given),  # type: ignore[arg-type]
        tasks=asked.tasks,
        phrases=asked.phrases,
        deadline_seconds=asked.deadline_seconds,
    )
