"""The engine behind Ray Serve: what each answer of a proxy means for a study."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.engine import author_of, domain_of
from model.engines.rayserve.asking import RayEngine
from model.engines.rayserve.plan import ServePlace
from model.engines.wire import Alive, Ready, encode
from model.errors import (
    ConstantImage,
    EngineAway,
    EngineDied,
    EngineUnavailable,
    RefusedRequest,
)
from model.options import Domain
from model.report import ReportInputs, ReportRequest, Task
from tests.data.certificates import authority
from tests.data.engines import CannedEngine
from tests.data.ports import NOBODYS_PORT
from tests.data.serve_proxy import APPLICATION, FakeProxy, fake_proxy

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)
REQUEST = ReportRequest(
    inputs=ReportInputs(current_frontal=IMAGE), tasks=(Task.GROUNDED_FINDINGS,)
)
OTHER = replace(REQUEST, phrases=("the heart",))


def engine_at(*proxies: str, grace: float = 30.0) -> RayEngine:
    place = ServePlace(
        proxies=proxies, application=APPLICATION, domain=Domain.RADIOGRAPH
    )
    return RayEngine(place, grace)


@pytest.fixture
def proxy() -> Iterator[FakeProxy]:
    with fake_proxy() as opened:
        yield opened


@pytest.fixture
def nobody() -> str:
    return f"http://127.0.0.1:{NOBODYS_PORT}"


def texts(answers: list[tuple[object, ...]]) -> list[list[str]]:
    return [[report.text for report in each] for each in answers]  # type: ignore[attr-defined]


def test_requests_are_answered_in_order_as_the_replica_said(proxy: FakeProxy) -> None:
    engine = engine_at(proxy.address)
    answers = engine.generate([REQUEST, OTHER])
    expected = CannedEngine().generate([REQUEST, OTHER])
    assert texts(list(answers)) == texts(list(expected))
    (asked,) = proxy.asked
    assert np.array_equal(asked.requests[0].inputs.current_frontal, IMAGE)


def test_nobody_need_be_there_before_the_first_question(nobody: str) -> None:
    engine = engine_at(nobody)
    assert domain_of(engine) is Domain.RADIOGRAPH
    assert engine.heard is None
    with pytest.raises(EngineAway, match="no replica has answered"):
        engine.identity  # noqa: B018 - to look at it is what is tried


def test_each_report_names_the_replica_that_wrote_it(proxy: FakeProxy) -> None:
    engine = engine_at(proxy.address)
    ((old,),) = engine.generate([REQUEST])
    first = proxy.identity
    proxy.identity = replace(first, weights_digest="e" * 64)
    ((new,),) = engine.generate([REQUEST])
    assert author_of(engine, old) == first
    assert author_of(engine, new) == proxy.identity == engine.identity


def test_other_settings_of_the_same_weights_are_another_author(
    proxy: FakeProxy,
) -> None:
    engine = engine_at(proxy.address)
    ((old,),) = engine.generate([REQUEST])
    first = proxy.identity
    proxy.identity = replace(first, settings_digest="5" * 64)
    ((new,),) = engine.generate([REQUEST])
    assert (author_of(engine, old), author_of(engine, new)) == (first, proxy.identity)


def test_a_replica_that_reads_what_the_settings_do_not_say_is_not_heeded(
    proxy: FakeProxy,
) -> None:
    proxy.identity = replace(proxy.identity, domain=Domain.PHANTOM)
    engine = engine_at(proxy.address)
    with pytest.raises(EngineAway, match=r"reads a phantom, and ray\.reads says radio"):
        engine.generate([REQUEST])
    with pytest.raises(EngineAway):
        engine.greet(5)
    assert engine.heard is None


def test_a_proxy_that_is_gone_is_passed_over(proxy: FakeProxy, nobody: str) -> None:
    engine = engine_at(nobody, proxy.address)
    for _ in range(4):
        assert engine.generate([REQUEST])
        engine.generate([])
    assert len(proxy.asked) == 4


def test_proxies_take_turns(proxy: FakeProxy) -> None:
    with fake_proxy() as second:
        engine = engine_at(proxy.address, second.address)
        for _ in range(6):
            engine.generate([REQUEST])
        assert (len(proxy.asked), len(second.asked)) == (3, 3)


def test_without_any_proxy_the_engine_is_away(nobody: str) -> None:
    engine = engine_at(nobody)
    for requests in ([], [REQUEST]):
        with pytest.raises(EngineAway, match="cannot be reached: Connection refused"):
            engine.generate(requests)


def test_an_application_that_is_not_deployed_is_away(proxy: FakeProxy) -> None:
    proxy.routes = {"/other": "other"}
    engine = engine_at(proxy.address)
    for requests in ([], [REQUEST]):
        with pytest.raises(EngineAway, match="has no application '/maira'"):
            engine.generate(requests)


def test_a_question_that_is_sent_back_was_begun_by_nobody(proxy: FakeProxy) -> None:
    proxy.next = [503]
    engine = engine_at(proxy.address)
    with pytest.raises(EngineAway, match="every replica has its fill"):
        engine.generate([REQUEST])
    assert engine.generate([REQUEST])


def test_a_full_proxy_leaves_the_question_to_the_next(proxy: FakeProxy) -> None:
    with fake_proxy() as second:
        proxy.next = [503]
        assert engine_at(proxy.address, second.address).generate([REQUEST])
        assert (proxy.asked, len(second.asked)) == ([], 1)


@pytest.mark.parametrize("does", [500, None], ids=["status", "hangs-up"])
def test_a_replica_lost_at_work_died_and_no_other_is_asked_at_once(
    proxy: FakeProxy, does: int | None
) -> None:
    with fake_proxy() as second:
        proxy.next = [does]
        engine = engine_at(proxy.address, second.address)
        with pytest.raises(EngineDied, match="lost at work"):
            engine.generate([REQUEST])
        assert second.asked == []


def test_what_a_replica_was_lost_at_is_asked_alone_until_it_is_answered(
    proxy: FakeProxy,
) -> None:
    engine = engine_at(proxy.address)
    proxy.next = [500]
    with pytest.raises(EngineDied):
        engine.generate([REQUEST])
    engine.generate([OTHER])
    engine.generate([REQUEST])
    engine.generate([REQUEST])
    assert proxy.alone == [False, False, True, False]


@pytest.mark.parametrize(
    "error",
    [
        ConstantImage("all pixels are 0"),
        RefusedRequest("never"),
        EngineUnavailable("out of memory on cuda"),
        EngineAway("another version asks"),
        EngineDied("the model failed: ValueError"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_replica_says_is_raised_here(
    proxy: FakeProxy, error: EngineUnavailable
) -> None:
    proxy.next = [error]
    with pytest.raises(type(error), match=str(error)) as told:
        engine_at(proxy.address).generate([REQUEST])
    assert type(told.value) is type(error)


def test_no_answer_within_twice_the_deadline_is_a_death(proxy: FakeProxy) -> None:
    proxy.go.clear()
    engine = engine_at(proxy.address, grace=0.1)
    with pytest.raises(EngineDied, match=r"no answer within 0\.5 s"):
        engine.generate([replace(REQUEST, deadline_seconds=0.2)])


def test_whoever_only_asks_whether_it_is_there_waits_for_no_replica(
    proxy: FakeProxy,
) -> None:
    proxy.go.clear()
    engine = engine_at(proxy.address)
    with pytest.raises(EngineAway, match="no proxy of Ray Serve now"):
        engine.demand_application(0.2)


def test_several_threads_may_ask(proxy: FakeProxy) -> None:
    engine, found = engine_at(proxy.address), []
    threads = [
        threading.Thread(target=lambda: found.append(engine.generate([REQUEST])))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16


READY = encode(Ready(identity=CannedEngine().identity, device="cpu"))


@pytest.mark.parametrize(
    ("said", "error", "why"),
    [
        (b"<html>", EngineAway, "different versions"),
        (READY, EngineUnavailable, "another question"),
        (READY + READY, EngineUnavailable, "another question"),
        (READY + b"MGEW", EngineAway, "different versions"),
        (encode(Alive()), EngineUnavailable, "did not say who it is"),
        (b"", EngineUnavailable, "did not say who it is"),
    ],
    ids=["page", "cut", "twice", "half", "alive", "nothing"],
)
def test_an_answer_that_is_none_is_no_report(
    proxy: FakeProxy, said: bytes, error: type[Exception], why: str
) -> None:
    proxy.next = [said]
    with pytest.raises(error, match=why):
        engine_at(proxy.address).generate([REQUEST])


def test_a_web_server_that_is_no_proxy_is_away(proxy: FakeProxy) -> None:
    proxy.reply = lambda *_: (200, b"<html>")  # type: ignore[method-assign]
    with pytest.raises(EngineAway, match="no proxy of Ray Serve"):
        engine_at(proxy.address).generate([])


def test_over_tls_the_proxy_must_be_who_it_says(tmp_path: Path) -> None:
    made = authority(tmp_path / "ca")
    node = made.node("localhost", alternative="DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(node.certificate, node.key)
    with fake_proxy(context) as proxy:
        address = proxy.address.replace("127.0.0.1", "localhost")
        place = ServePlace(
            proxies=(address,),
            application=APPLICATION,
            domain=Domain.RADIOGRAPH,
            authorities=made.certificate,
        )
        assert RayEngine(place).generate([REQUEST])
        stranger = replace(place, authorities=None)
        with pytest.raises(EngineAway, match="cannot be reached"):
            RayEngine(stranger).generate([REQUEST])


def test_a_file_without_certificates_is_told_at_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    place = ServePlace(
        proxies=("https://gpu1:8000",),
        application=APPLICATION,
        domain=Domain.RADIOGRAPH,
        authorities=empty,
    )
    with pytest.raises(EngineUnavailable, match=r"ca\.pem holds no certificates"):
        RayEngine(place)
