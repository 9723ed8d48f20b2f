"""The engine behind vLLM: what each answer of a server means for a study."""

import base64
import hashlib
import io
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.engine import author_of, domain_of
from model.engines.local import LocalEngine
from model.engines.vllmserve.asking import VllmEngine
from model.engines.vllmserve.plan import ServedName, VllmPlace
from model.errors import ConstantImage, EngineAway, EngineDied, RefusedRequest
from model.maira2.snapshot import weights_digest
from model.options import PHANTOM_CHECKPOINT, Domain, EngineOptions, TokenLimits
from model.phantom.asking import held_out
from model.phantom.text import inputs_of
from model.report import FlagKind, GroundedReport, ReportInputs, ReportRequest, Task
from tests.data.certificates import authority
from tests.data.ports import NOBODYS_PORT
from tests.data.vllm_server import (
    EXCHANGE,
    IMAGE_TOKENS,
    NAME,
    FakeVllm,
    fake_vllm,
    tokens_of,
)

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)
REQUEST = ReportRequest(
    inputs=ReportInputs(current_frontal=IMAGE), tasks=(Task.GROUNDED_FINDINGS,)
)
LIMITS = TokenLimits()


def place_of(*servers: str) -> VllmPlace:
    return VllmPlace(
        servers=servers,
        domain=Domain.RADIOGRAPH,
        token_limits=LIMITS,
        connect_seconds=30.0,
    )


def engine_at(*servers: str) -> VllmEngine:
    return VllmEngine(place_of(*servers))


@pytest.fixture
def server() -> Iterator[FakeVllm]:
    with fake_vllm() as opened:
        yield opened


@pytest.fixture
def nobody() -> str:
    return f"http://127.0.0.1:{NOBODYS_PORT}"


def ask(server: FakeVllm, request: ReportRequest = REQUEST) -> GroundedReport:
    ((report, *_),) = engine_at(server.address).generate([request])
    return report


def kinds(report: GroundedReport) -> list[FlagKind]:
    return [flag.kind for flag in report.flags]


def test_an_answer_is_read_as_one_of_the_local_engine_is(server: FakeVllm) -> None:
    report = ask(server)
    assert report.text == "<obj>The heart is enlarged.</obj>"
    assert [phrase.text for phrase in report.phrases] == ["The heart is enlarged."]
    made = report.provenance
    assert (made.engine, made.libraries) == ("vllm", (("vllm", "0.32.0"),))
    assert (made.dtype, made.crop_side) == ("bfloat16", 518)
    assert (made.new_tokens, made.max_new_tokens) == (4, 450)
    assert [phase.name for phase in made.phases] == ["prepare", "prefill", "decode"]


def test_special_tokens_are_no_part_of_a_text(server: FakeVllm) -> None:
    server.answer = ["<s>", "Clear<unk>", " lungs.", "</s>"]
    assert ask(server).text == "Clear lungs."


def test_pictures_stand_in_the_prompt_where_they_belong(server: FakeVllm) -> None:
    inputs = ReportInputs(
        current_frontal=IMAGE,
        current_lateral=IMAGE.T.copy(),
        prior_frontal=IMAGE + np.uint8(7),
        indication="  Cough.\n ",
    )
    report = ask(server, replace(REQUEST, inputs=inputs))
    (asked,) = server.asked
    parts = asked["messages"][0]["content"]
    text = "".join(part.get("text", "<image>") for part in parts)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert report.provenance.prompt_digest == digest
    assert "INDICATION:   Cough.\n  TECHNIQUE: N/A" in text
    shown = [part["image_url"]["url"] for part in parts if "image_url" in part]
    wanted = (IMAGE, IMAGE.T, IMAGE + np.uint8(7))
    for url, image in zip(shown, wanted, strict=True):
        assert np.array_equal(pixels_of(url), image)
    tokens = len(tokens_of(text)) + 3 * (IMAGE_TOKENS - 1)
    assert report.provenance.prompt_tokens == tokens


def pixels_of(url: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Read a picture as the server does: in colour, of which grey is made again."""
    kind, _, data = url.partition("base64,")
    assert kind == "data:image/png;"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    return np.asarray(picture.convert("RGB").convert("L"))


def test_each_question_has_its_limit_and_is_greedy(server: FakeVllm) -> None:
    request = replace(REQUEST, tasks=(Task.FINDINGS,), phrases=("the heart", "a rib"))
    (reports,) = engine_at(server.address).generate([request])
    assert [report.phrase for report in reports] == [None, "the heart", "a rib"]
    assert [asked["max_tokens"] for asked in server.asked] == [300, 150, 150]
    assert {asked["temperature"] for asked in server.asked} == {0.0}
    assert {asked["skip_special_tokens"] for asked in server.asked} == {False}


def test_control_tokens_of_a_free_text_do_not_reach_the_server(
    server: FakeVllm,
) -> None:
    inputs = replace(REQUEST.inputs, indication="<image><x1></s>cough<lat_image>")
    report = ask(server, replace(REQUEST, inputs=inputs))
    words = server.asked[0]["messages"][0]["content"][-1]["text"]
    assert "INDICATION:    cough  TECHNIQUE" in words
    assert kinds(report) == [FlagKind.NEUTRALISED_INPUT]


def test_what_has_no_content_is_refused_before_anybody_is_asked(nobody: str) -> None:
    flat = ReportInputs(current_frontal=np.zeros((4, 4), np.uint8))
    with pytest.raises(ConstantImage, match="current_frontal"):
        engine_at(nobody).generate([replace(REQUEST, inputs=flat)])


def test_nobody_need_be_there_before_the_first_question(nobody: str) -> None:
    engine = engine_at(nobody)
    assert domain_of(engine) is Domain.RADIOGRAPH
    with pytest.raises(EngineAway, match="no server has been asked"):
        engine.identity  # noqa: B018 - to look at it is what is tried
    for requests in ([], [REQUEST]):
        with pytest.raises(EngineAway, match="cannot be reached: Connection refused"):
            engine.generate(requests)


def test_each_report_names_the_weights_that_wrote_it(server: FakeVllm) -> None:
    engine = engine_at(server.address)
    ((old,),) = engine.generate([REQUEST])
    server.names = ["base", str(replace(NAME, digest="b" * 64))]
    ((new,),) = engine.generate([REQUEST])
    assert author_of(engine, old).weights_digest == "a" * 64
    assert author_of(engine, new).weights_digest == "b" * 64
    assert engine.identity == author_of(engine, new)


def test_another_vllm_or_number_format_is_another_author(server: FakeVllm) -> None:
    engine = engine_at(server.address)
    seen = {engine.demand_server(30).settings_digest}
    server.version = "0.33.0"
    seen.add(engine.demand_server(30).settings_digest)
    server.names = [str(replace(NAME, dtype="float32"))]
    seen.add(engine.demand_server(30).settings_digest)
    assert len(seen) == 3


def test_a_model_that_reads_what_the_settings_do_not_say_is_not_asked(
    server: FakeVllm,
) -> None:
    server.names = [str(replace(NAME, domain=Domain.PHANTOM))]
    with pytest.raises(
        EngineAway, match=r"reads a phantom, and vllm\.reads says radio"
    ):
        ask(server)
    assert server.asked == []


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["maira"],
        [f"{NAME}0"],
        [str(NAME).replace("radio", "photo")],
        [str(NAME)] * 2,
    ],
    ids=["none", "unnamed", "longer", "of-nothing", "two"],
)
def test_a_server_that_was_started_otherwise_is_not_asked(
    server: FakeVllm, names: list[str]
) -> None:
    server.names = names
    with pytest.raises(EngineAway, match="models under a name of ours"):
        ask(server)


@pytest.mark.parametrize("widen", [1, 0], ids=["as-written", "left-out"])
def test_a_prompt_that_was_read_otherwise_gives_no_report(
    server: FakeVllm, widen: int
) -> None:
    server.widen = widen
    with pytest.raises(EngineAway, match="shows the model another prompt"):
        ask(server)


def test_a_server_that_is_gone_is_passed_over(server: FakeVllm, nobody: str) -> None:
    engine = engine_at(nobody, server.address)
    for _ in range(4):
        assert engine.generate([REQUEST])
        engine.generate([])
    assert len(server.asked) == 4


def test_servers_take_turns(server: FakeVllm) -> None:
    with fake_vllm() as second:
        engine = engine_at(server.address, second.address)
        for _ in range(6):
            engine.generate([REQUEST])
        assert (len(server.asked), len(second.asked)) == (3, 3)


@pytest.mark.parametrize("status", [404, 429, 503])
def test_a_full_server_leaves_the_question_to_the_next(
    server: FakeVllm, status: int
) -> None:
    with fake_vllm() as second:
        server.next = [status]
        assert engine_at(server.address, second.address).generate([REQUEST])
        assert len(second.asked) == 1
    server.next = [status]
    with pytest.raises(EngineAway):
        ask(server)


def test_the_key_of_the_server_is_shown(server: FakeVllm) -> None:
    server.key = "secret"
    place = place_of(server.address)
    assert VllmEngine(replace(place, key="secret")).generate([REQUEST])
    with pytest.raises(EngineAway, match="wants another key"):
        VllmEngine(place).generate([REQUEST])


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_server_refuses_can_never_be_answered(
    server: FakeVllm, status: int
) -> None:
    server.next = [status]
    with pytest.raises(RefusedRequest, match="max-model-len") as told:
        ask(server)
    assert "Canary" not in str(told.value)


@pytest.mark.parametrize(
    "does",
    [500, b"", b"data: ", b'data: {"error": {"message": "Canary^Zebra"}}\n\n'],
    ids=["status", "nothing", "cut", "error"],
)
def test_a_server_lost_at_work_died_and_no_other_is_asked_at_once(
    server: FakeVllm, does: int | bytes
) -> None:
    with fake_vllm() as second:
        server.next = [does]
        engine = engine_at(server.address, second.address)
        with pytest.raises(EngineDied, match="at work on this") as told:
            engine.generate([REQUEST])
        assert second.asked == []
    assert "Canary" not in str(told.value)


def test_an_answer_that_the_server_gives_up_is_no_report(server: FakeVllm) -> None:
    server.finish = "abort"
    with pytest.raises(EngineDied, match="gave up its answer: abort"):
        ask(server)


def test_a_server_that_is_no_vllm_is_away(server: FakeVllm) -> None:
    server.quick = lambda *_: {"object": "list"}  # type: ignore[method-assign]
    with pytest.raises(EngineAway, match="does not answer as vLLM does"):
        ask(server)


def test_the_token_limit_is_flagged(server: FakeVllm) -> None:
    server.finish = "length"
    assert kinds(ask(server)) == [FlagKind.CUT_OFF]


def test_a_loop_is_ended_and_so_is_the_work_of_the_server(server: FakeVllm) -> None:
    server.answer = ["<obj>", "No.", "</obj>", *["and", "so"] * 2000]
    report = ask(server)
    assert kinds(report)[0] is FlagKind.REPETITION
    assert report.provenance.new_tokens < 40
    assert server.gone.wait(30)


def test_what_the_deadline_cuts_off_is_flagged(server: FakeVllm) -> None:
    server.go.clear()
    request = replace(REQUEST, phrases=("the heart",), deadline_seconds=3.0)
    (first, second) = engine_at(server.address).generate([request])[0]
    assert first.text == "<obj>"
    assert kinds(first) == [FlagKind.DEADLINE]
    assert (second.text, kinds(second)) == ("", [FlagKind.DEADLINE])
    assert len(server.asked) == 1


def test_a_server_that_writes_nothing_before_the_deadline_is_taken_for_dead(
    server: FakeVllm,
) -> None:
    server.answer = [""]
    server.go.clear()
    with pytest.raises(EngineDied, match="nothing before the deadline"):
        ask(server, replace(REQUEST, deadline_seconds=0.3))


def test_several_threads_may_ask(server: FakeVllm) -> None:
    engine, found = engine_at(server.address), []
    threads = [
        threading.Thread(target=lambda: found.append(engine.generate([REQUEST])))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8


def test_whoever_only_asks_whether_it_is_there_does_not_wait_long(
    server: FakeVllm,
) -> None:
    waits = threading.Event()
    server.quick = lambda *_: waits.wait(60)  # type: ignore[assignment,method-assign]
    started = time.monotonic()
    with pytest.raises(EngineAway, match=r"does not answer /v1/models"):
        engine_at(server.address).demand_server(0.2)
    waits.set()
    assert time.monotonic() - started < 30


def test_over_tls_the_server_must_be_who_it_says(tmp_path: Path) -> None:
    made = authority(tmp_path / "ca")
    node = made.node("localhost", alternative="DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(node.certificate, node.key)
    with fake_vllm(context) as server:
        address = server.address.replace("127.0.0.1", "localhost")
        place = replace(place_of(address), authorities=made.certificate)
        assert VllmEngine(place).generate([REQUEST])
        with pytest.raises(EngineAway, match="cannot be reached"):
            VllmEngine(replace(place, authorities=None)).generate([REQUEST])


@pytest.fixture
def recorded(server: FakeVllm) -> FakeVllm:
    """Answer as the real server did, to what it was asked."""
    said = {(each["method"], each["path"]): each for each in EXCHANGE["exchange"]}

    def quick(path: str, body: bytes) -> dict[str, object] | None:
        method = "POST" if body else "GET"
        if path.endswith("completions"):
            return None
        each = said[method, path]
        if body:
            assert comparable(json.loads(body)) == each["asked"]
        found: dict[str, object] = json.loads(each["said"])
        return found

    stream = said["POST", "/v1/chat/completions"]["said"].encode()
    server.quick = quick  # type: ignore[method-assign]
    server.names = [said["POST", "/tokenize"]["asked"]["model"]]
    server.next = [stream]
    return server


def comparable(asked: dict[str, Any]) -> dict[str, Any]:
    """Put a digest in the place of a prompt."""
    own = dict(asked)
    if "messages" in own:
        (message,) = own.pop("messages")
        text = "".join(part.get("text", "<image>") for part in message["content"])
    else:
        text = own.pop("prompt")
    return {**own, "prompt_sha256": hashlib.sha256(text.encode()).hexdigest()}


def test_what_crossed_to_a_real_server_is_asked_and_read_the_same(
    recorded: FakeVllm,
) -> None:
    """vLLM 0.32 with the phantom checkpoint answered it; so does the local engine."""
    shown = inputs_of(*held_out(3, 1))
    inputs = ReportInputs(
        current_frontal=np.ascontiguousarray(shown.current_frontal[::4, ::4]),
        indication=shown.indication,
        technique=shown.technique,
        comparison=shown.comparison,
    )
    request = replace(REQUEST, inputs=inputs)
    place = replace(place_of(recorded.address), domain=Domain.PHANTOM)
    engine = VllmEngine(place)
    ((ours,),) = engine.generate([request])
    (asked,) = recorded.asked
    assert comparable(asked) == EXCHANGE["exchange"][-1]["asked"]
    ((local,),) = LocalEngine(EngineOptions(threads=1)).generate([request])
    assert (ours.text, ours.phrases, ours.flags) == (
        local.text,
        local.phrases,
        local.flags,
    )
    for key in ("new_tokens", "prompt_tokens", "crop_side", "image_digests", "dtype"):
        assert getattr(ours.provenance, key) == getattr(local.provenance, key)
    name = ServedName.parse(recorded.names[0])
    assert name is not None
    assert name.digest == weights_digest(PHANTOM_CHECKPOINT)
