"""A judge behind an endpoint: what is believed, retried, kept and refused."""

import json
import sys
from pathlib import Path

import pytest

from gateway.evaluation.cache import AnswerCache
from gateway.evaluation.endpoint import (
    GIVE_UP_AFTER,
    EndpointJudge,
    EndpointOptions,
    demand_safe_address,
)
from gateway.evaluation.errors import BadEndpoint, MissingLibrary
from model.radfact.errors import JudgeFailure, JudgeUnavailable
from tests.data.judges import (
    Answer,
    Reply,
    completion,
    question,
    serving,
    words_judge,
)
from tests.data.ports import NOBODYS_PORT

REPORT = ("No effusion.", "The heart is enlarged.")
SOON = {"retry-after-ms": "1"}


def judge_at(
    url: str, folder: Path, *, retries: int = 0, timeout_seconds: float = 10.0
) -> EndpointJudge:
    options = EndpointOptions(
        base_url=url,
        model="m",
        key="k",
        retries=retries,
        timeout_seconds=timeout_seconds,
    )
    return EndpointJudge(options, AnswerCache(folder))


def failure(answer: Answer, folder: Path, **options: float) -> str:
    with serving(answer) as endpoint:
        judge = judge_at(endpoint.url, folder, **options)  # type: ignore[arg-type]
        with pytest.raises(JudgeFailure) as raised:
            judge.entails("The heart is enlarged.", REPORT)
    return str(raised.value)


def test_a_good_answer_becomes_a_verdict(tmp_path: Path) -> None:
    with serving(words_judge) as endpoint:
        judge = judge_at(endpoint.url, tmp_path)
        assert judge.entails("The heart is enlarged.", REPORT).evidence == (1,)
        assert not judge.entails("The heart is normal.", REPORT).entailed
        assert judge.name == f"m at {endpoint.url}"


def test_a_report_is_split_as_the_model_says(tmp_path: Path) -> None:
    with serving(words_judge) as endpoint:
        judge = judge_at(endpoint.url, tmp_path)
        assert judge.split("No effusion. Heart large.") == (
            "No effusion.",
            "Heart large.",
        )


def test_the_question_is_structured_cold_and_carries_the_key(tmp_path: Path) -> None:
    with serving(words_judge) as endpoint:
        judge_at(endpoint.url, tmp_path).entails(REPORT[0], REPORT)
    (request,) = endpoint.requests
    assert request["temperature"] == 0
    assert request["model"] == "m"
    assert "json_schema" in str(request["response_format"])
    assert question(request)["report"] == {"1": REPORT[0], "2": REPORT[1]}
    assert endpoint.headers[0]["authorization"] == "Bearer k"


@pytest.mark.parametrize("refused", [1, 2])
def test_an_endpoint_without_schemas_is_asked_more_simply(
    tmp_path: Path, refused: int
) -> None:
    def picky(request: dict[str, object], before: int) -> Reply:
        kind = str(request.get("response_format"))
        if "json_schema" in kind or (refused == 2 and "json_object" in kind):
            return Reply("{}", status=400)
        return words_judge(request, before)

    with serving(picky) as endpoint:
        judge = judge_at(endpoint.url, tmp_path)
        assert judge.entails(REPORT[0], REPORT).entailed
        assert len(endpoint.requests) == refused + 1
        assert judge.entails(REPORT[1], REPORT).entailed
        assert len(endpoint.requests) == refused + 2


@pytest.mark.parametrize(
    "content",
    [
        'Sure!\n```json\n{"entailed": true, "evidence": [2]}\n```',
        '<think>{"evidence": [1]}</think>\n{"entailed": true, "evidence": [2, 2]}',
        'The set {1} says so: {"entailed": true, "evidence": [2]}.',
        '{"entailed": false, "evidence": []}</think>{"entailed":true,"evidence":[2]}',
    ],
)
def test_words_around_the_answer_are_passed_over(tmp_path: Path, content: str) -> None:
    with serving(lambda *_: completion(content)) as endpoint:
        verdict = judge_at(endpoint.url, tmp_path).entails("a", REPORT)
    assert verdict.evidence == (1,)


@pytest.mark.parametrize(
    "content",
    [
        "yes",
        "{",
        "{" * 5000,
        '{"entailed": "true", "evidence": [1]}',
        '{"entailed": true, "evidence": ["No effusion."]}',
        '{"entailed": true}',
        '{"entailed": true, "evidence": [1], "sure": 1}',
        "[true, [1]]",
        '<think>Is it {"entailed": true, "evidence": [1]}? No, since',
    ],
)
def test_another_form_is_a_failed_call(tmp_path: Path, content: str) -> None:
    assert "form" in failure(lambda *_: completion(content), tmp_path)


@pytest.mark.parametrize(
    "body",
    ["", "<html>hello</html>", "null", '{"choices": []}', '{"choices": [{}]}'],
)
def test_a_reply_that_is_no_completion_is_a_failed_call(
    tmp_path: Path, body: str
) -> None:
    assert "no chat completion" in failure(lambda *_: Reply(body), tmp_path)


@pytest.mark.parametrize(
    ("evidence", "entailed"), [([3], True), ([0], True), ([-1], True), ([1, 9], False)]
)
def test_evidence_that_was_not_given_is_a_failed_call(
    tmp_path: Path, evidence: list[int], entailed: bool
) -> None:
    lie = {"entailed": entailed, "evidence": evidence}
    assert "not given" in failure(lambda *_: completion(lie), tmp_path)


def test_entailed_without_evidence_is_a_failed_call(tmp_path: Path) -> None:
    lie = {"entailed": True, "evidence": []}
    assert "cites nothing" in failure(lambda *_: completion(lie), tmp_path)


def test_an_endpoint_that_stalls_is_a_failed_call(tmp_path: Path) -> None:
    said = failure(lambda *_: Reply("", held=True), tmp_path, timeout_seconds=0.2)
    assert "APITimeoutError" in said


def failing_first(times: int, status: int) -> Answer:
    def answer(request: dict[str, object], before: int) -> Reply:
        if before < times:
            return Reply("{}", status=status, headers=SOON)
        return words_judge(request, before)

    return answer


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_that_passes_is_tried_again(tmp_path: Path, status: int) -> None:
    with serving(failing_first(2, status)) as endpoint:
        judge = judge_at(endpoint.url, tmp_path, retries=2)
        assert judge.entails(REPORT[0], REPORT).entailed
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_failure_that_stays_is_a_failed_call_without_its_words(
    tmp_path: Path, status: int
) -> None:
    def answer(*_: object) -> Reply:
        return Reply('{"error": "heart"}', status=status, headers=SOON)

    said = failure(answer, tmp_path, retries=1)
    assert said == f"the endpoint failed: status {status}"


def test_a_kept_answer_is_not_asked_for_again(tmp_path: Path) -> None:
    with serving(words_judge) as endpoint:
        for _ in range(2):
            judge = judge_at(endpoint.url, tmp_path)
            assert judge.entails(REPORT[1], REPORT).evidence == (1,)
            assert judge.split("Clear.") == ("Clear.",)
        assert len(endpoint.requests) == 2
        judge_at(endpoint.url, tmp_path).entails(REPORT[1], REPORT[:1])
        assert len(endpoint.requests) == 3


def test_a_failed_answer_is_not_kept(tmp_path: Path) -> None:
    def lies_once(request: dict[str, object], before: int) -> Reply:
        return completion("maybe") if before == 0 else words_judge(request, before)

    with serving(lies_once) as endpoint:
        judge = judge_at(endpoint.url, tmp_path)
        with pytest.raises(JudgeFailure):
            judge.entails(REPORT[0], REPORT)
        assert judge.entails(REPORT[0], REPORT).entailed


def test_a_spoilt_cache_file_is_asked_for_again(tmp_path: Path) -> None:
    with serving(words_judge) as endpoint:
        judge = judge_at(endpoint.url, tmp_path)
        judge.entails(REPORT[0], REPORT)
        (kept,) = tmp_path.iterdir()
        assert kept.stat().st_mode & 0o077 == 0
        kept.write_bytes(b"\xff{")
        assert judge.entails(REPORT[0], REPORT).entailed
        assert len(endpoint.requests) == 2
        assert json.loads(kept.read_text())["entailed"] is True


def test_a_dead_endpoint_ends_the_run(tmp_path: Path) -> None:
    judge = judge_at(f"http://127.0.0.1:{NOBODYS_PORT}/v1", tmp_path)
    for number in range(GIVE_UP_AFTER - 1):
        with pytest.raises(JudgeFailure):
            judge.entails(str(number), REPORT)
    with pytest.raises(JudgeUnavailable, match="cache"):
        judge.entails("the last", REPORT)


def test_a_redirection_is_not_followed(tmp_path: Path) -> None:
    with serving(words_judge) as elsewhere:
        away = {"Location": f"{elsewhere.url}/chat/completions"}
        said = failure(lambda *_: Reply("", status=307, headers=away), tmp_path)
        assert elsewhere.requests == []
    assert "307" in said


def test_a_proxy_of_the_environment_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{NOBODYS_PORT}")
    monkeypatch.setenv("NO_PROXY", "")
    with serving(words_judge) as endpoint:
        judge = judge_at(endpoint.url, tmp_path)
        assert judge.entails(REPORT[0], REPORT).entailed


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("judge.example/v1", "no http"),
        ("ftp://judge.example", "no http"),
        ("http://", "no http"),
        ("http://[::1", "no URL"),
        ("http://judge.example/v1", "unencrypted"),
        ("https://me:secret@judge.example/v1", "MAIRA_JUDGE_KEY"),
        ("https://judge.example/v1?api_token=secret", "MAIRA_JUDGE_KEY"),
    ],
)
def test_an_unsafe_address_is_refused(url: str, said: str) -> None:
    with pytest.raises(BadEndpoint, match=said) as raised:
        demand_safe_address(EndpointOptions(base_url=url, model="m"))
    assert "secret@" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:1/v1", "http://[::1]:1", "https://judge.example/v1"],
)
def test_loopback_and_encrypted_addresses_are_accepted(url: str) -> None:
    demand_safe_address(EndpointOptions(base_url=url, model="m"))


def test_plain_http_may_be_allowed() -> None:
    url = "http://judge.example/v1"
    demand_safe_address(EndpointOptions(base_url=url, model="m", plain_http=True))


def test_a_missing_library_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingLibrary, match=r"pip install 'maira-gateway\[evaluate"):
        judge_at("http://127.0.0.1:1", tmp_path)
