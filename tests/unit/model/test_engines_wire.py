"""The wire: what is written is read back; what is no message is refused."""

import json
import math
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.engine import EngineIdentity
from model.engines.wire import (
    MAX_BODY_BYTES,
    PREFIX,
    VERSION,
    Alive,
    Ask,
    Failed,
    Message,
    Ready,
    Reports,
    decode,
    encode,
    read_message,
)
from model.errors import (
    BadFrame,
    CheckpointError,
    ConstantImage,
    EngineUnavailable,
    ModelError,
    RefusedRequest,
)
from model.options import Domain
from model.report import (
    Flag,
    FlagKind,
    GreyImage,
    GroundedPhrase,
    GroundedReport,
    NormalizedBox,
    Phase,
    Provenance,
    ReportInputs,
    ReportRequest,
    Task,
)
from tests.data.engines import CannedEngine

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SHARES = st.floats(0, 1)
COUNTS = st.integers(0, 10**9)
SECONDS = st.floats(0, 1e9)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple)
IMAGES: st.SearchStrategy[GreyImage] = arrays.arrays(
    np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)
)
MAYBE_IMAGE, MAYBE_TEXT = st.none() | IMAGES, st.none() | TEXTS
INPUTS = st.builds(
    ReportInputs,
    current_frontal=IMAGES,
    current_lateral=MAYBE_IMAGE,
    prior_frontal=MAYBE_IMAGE,
    prior_report=MAYBE_TEXT,
    indication=MAYBE_TEXT,
    technique=MAYBE_TEXT,
    comparison=MAYBE_TEXT,
)
TASKS = st.lists(
    st.sampled_from([Task.FINDINGS, Task.GROUNDED_FINDINGS]), min_size=1, unique=True
)
REQUESTS = st.builds(
    ReportRequest,
    inputs=INPUTS,
    tasks=TASKS.map(tuple),
    phrases=st.lists(TEXTS, max_size=2).map(tuple),
    deadline_seconds=st.none() | st.floats(1e-3, 1e9),
)
BOXES = st.builds(NormalizedBox, x_min=SHARES, y_min=SHARES, x_max=SHARES, y_max=SHARES)
PHRASES = st.builds(
    GroundedPhrase, text=TEXTS, boxes=st.lists(BOXES, max_size=2).map(tuple)
)
FLAGS = st.builds(Flag, kind=st.sampled_from(FlagKind), detail=TEXTS)
PHASES = st.builds(Phase, name=TEXTS, tokens=COUNTS, seconds=SECONDS)
PROVENANCE = st.builds(
    Provenance,
    engine=TEXTS,
    model_name=TEXTS,
    weights_digest=TEXTS,
    adapter_version=TEXTS,
    libraries=PAIRS,
    device=TEXTS,
    dtype=TEXTS,
    crop_side=COUNTS,
    max_new_tokens=COUNTS,
    prompt_digest=TEXTS,
    image_digests=PAIRS,
    prompt_tokens=COUNTS,
    new_tokens=COUNTS,
    seconds=SECONDS,
    settings=PAIRS,
    phases=st.lists(PHASES, max_size=2).map(tuple),
)
REPORTS = st.builds(
    GroundedReport,
    task=st.sampled_from(Task),
    text=TEXTS,
    phrases=st.lists(PHRASES, max_size=2).map(tuple),
    flags=st.lists(FLAGS, max_size=2).map(tuple),
    provenance=PROVENANCE,
    phrase=MAYBE_TEXT,
)


def frontal(rows: int = 3, columns: int = 2) -> GreyImage:
    return np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)


def asked(**inputs: object) -> Ask:
    given_inputs = {"current_frontal": frontal(), **inputs}
    request = ReportRequest(
        inputs=ReportInputs(**given_inputs),  # type: ignore[arg-type]
        tasks=(Task.FINDINGS,),
    )
    return Ask(requests=(request,))


def plain(request: ReportRequest) -> object:
    """The request with values that can be compared."""
    images = ("current_frontal", "current_lateral", "prior_frontal")
    of = request.inputs
    pixels = [
        None if (image := getattr(of, name)) is None else image.tolist()
        for name in images
    ]
    texts = (of.prior_report, of.indication, of.technique, of.comparison)
    rest = (request.tasks, request.phrases, request.deadline_seconds)
    return pixels, texts, rest


def header_of(frame: bytes) -> dict[str, object]:
    length = PREFIX.unpack(frame[: PREFIX.size])[3]
    found: dict[str, object] = json.loads(frame[PREFIX.size :][:length])
    return found


def framed(header: object, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return PREFIX.pack(b"MGEW", VERSION, 0, len(text), len(body)) + text + body


@given(st.lists(REQUESTS, max_size=3))
def test_requests_are_read_as_they_were_written(requests: list[ReportRequest]) -> None:
    read = decode(encode(Ask(requests=tuple(requests))))
    assert isinstance(read, Ask)
    assert list(map(plain, read.requests)) == list(map(plain, requests))


@given(st.lists(st.lists(REPORTS, max_size=2).map(tuple), max_size=2).map(tuple))
def test_reports_are_read_as_they_were_written(
    reports: tuple[tuple[GroundedReport, ...], ...],
) -> None:
    message = Reports(reports=reports)
    assert decode(encode(message)) == message


@given(
    st.builds(
        EngineIdentity,
        engine=TEXTS,
        model_name=TEXTS,
        model_manufacturer=TEXTS,
        weights_digest=TEXTS,
        settings_digest=TEXTS,
        domain=st.sampled_from(Domain),
    )
)
def test_an_identity_is_read_as_it_was_written(identity: EngineIdentity) -> None:
    message = Ready(identity=identity, device="cuda")
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "error",
    [
        CheckpointError("a"),
        ConstantImage("b"),
        RefusedRequest("c"),
        EngineUnavailable("out of memory on cuda"),
    ],
    ids=repr,
)
def test_an_error_keeps_its_class_and_message(error: ModelError) -> None:
    message = decode(encode(Failed.of(error)))
    assert isinstance(message, Failed)
    raised = message.exception()
    assert (type(raised), str(raised)) == (type(error), str(error))


def test_an_error_that_this_side_does_not_know_may_be_tried_again() -> None:
    raised = Failed(error="FromTheFuture", detail="why").exception()
    assert (type(raised), str(raised)) == (EngineUnavailable, "why")


def test_the_frame_of_a_request_is_the_one_that_is_documented() -> None:
    # Two rows of three, by hand: header lengths in network order, pixels in C order.
    frame = encode(asked(current_frontal=frontal(2, 3), indication="cough"))
    assert frame[:8] == b"MGEW\x00\x01\x00\x00"
    assert frame[12:20] == (6).to_bytes(8, "big")
    assert frame[-6:] == bytes(range(6))
    assert header_of(frame) == {
        "kind": "ask",
        "requests": [
            {
                "images": {"current_frontal": [2, 3]},
                "texts": {"indication": "cough"},
                "tasks": ["findings"],
                "phrases": [],
                "deadline_seconds": None,
            }
        ],
    }


def test_an_image_that_is_a_view_is_written_in_c_order() -> None:
    read = decode(encode(asked(current_frontal=frontal(4, 6)[::2, ::-1].T)))
    assert isinstance(read, Ask)
    image = read.requests[0].inputs.current_frontal
    assert image.tolist() == frontal(4, 6)[::2, ::-1].T.tolist()


def test_messages_follow_one_another_on_a_stream_until_it_ends() -> None:
    sent: list[Message] = [Alive(), Failed(error="E", detail="d"), Alive()]
    stream = BytesIO(b"".join(map(encode, sent)))
    assert [read_message(stream.read) for _ in range(4)] == [*sent, None]


@pytest.mark.parametrize("image", [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8)])
def test_an_image_of_another_form_is_refused_before_it_is_sent(
    image: GreyImage,
) -> None:
    with pytest.raises(RefusedRequest, match="current_frontal"):
        encode(asked(current_frontal=image))


def test_a_text_that_is_no_unicode_is_refused_before_it_is_sent() -> None:
    with pytest.raises(RefusedRequest, match="UTF-8"):
        encode(asked(indication="\ud800"))


@given(st.data())
def test_a_frame_that_is_cut_off_is_no_message(data: st.DataObject) -> None:
    frame = encode(asked(indication="cough"))
    cut = frame[: data.draw(st.integers(1, len(frame) - 1))]
    with pytest.raises(BadFrame):
        read_message(BytesIO(cut).read)


@given(st.binary(max_size=80))
def test_any_other_bytes_are_no_message(noise: bytes) -> None:
    with pytest.raises(BadFrame):
        decode(noise)


REQUEST = {
    "images": {"current_frontal": [1, 2]},
    "texts": {},
    "tasks": ["findings"],
    "phrases": [],
    "deadline_seconds": None,
}


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"images": {}}, b""),
        ({"images": {"current_frontal": [1, 3]}}, b"12"),
        ({"images": {"current_frontal": [1, 1]}}, b"12"),
        ({"images": {"current_frontal": [-1, -2]}}, b"12"),
        ({"images": {"current_frontal": [1, 2], "tasks": [0, 0]}}, b"12"),
        ({"texts": {"patient_name": "x"}}, b"12"),
        ({"texts": {"current_frontal": "x"}}, b"12"),
        ({"tasks": ["diagnosis"]}, b"12"),
        ({"tasks": []}, b"12"),
        ({"deadline_seconds": -1.0}, b"12"),
    ],
    ids=repr,
)
def test_a_request_that_is_none_is_refused(
    changes: dict[str, object], body: bytes
) -> None:
    whole = decode(framed({"kind": "ask", "requests": [REQUEST]}, b"12"))
    assert isinstance(whole, Ask)
    with pytest.raises(BadFrame):
        decode(framed({"kind": "ask", "requests": [{**REQUEST, **changes}]}, body))


@pytest.mark.parametrize("header", [{}, [], {"kind": "order"}, {"kind": "ready"}])
def test_a_header_of_no_message_is_refused(header: object) -> None:
    with pytest.raises(BadFrame):
        decode(framed(header))


def test_a_message_of_another_version_is_refused_by_its_number() -> None:
    frame = PREFIX.pack(b"MGEW", VERSION + 1, 0, 0, 0)
    with pytest.raises(BadFrame, match=f"version {VERSION + 1}"):
        decode(frame)


def test_a_length_is_judged_before_anything_is_read() -> None:
    prefix = PREFIX.pack(b"MGEW", VERSION, 0, 0, MAX_BODY_BYTES + 1)
    asked_for: list[int] = []

    def read(count: int) -> bytes:
        asked_for.append(count)
        return prefix

    with pytest.raises(BadFrame):
        read_message(read)
    assert asked_for == [PREFIX.size]


def test_a_report_that_json_has_no_number_for_is_no_message() -> None:
    bright = asked(current_frontal=frontal()).requests
    ((report,),) = CannedEngine().generate(bright)
    odd = replace(report, provenance=replace(report.provenance, seconds=math.nan))
    with pytest.raises(BadFrame):
        decode(encode(Reports(reports=((odd,),))))
