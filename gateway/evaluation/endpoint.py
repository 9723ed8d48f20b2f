"""A judge behind an OpenAI-compatible endpoint of the hospital.

Report text goes to this one address and nowhere else: no proxy of the environment
is used, no redirection followed, and no default address exists.
"""

import json
import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from config.urls import has_secret
from gateway.evaluation.cache import AnswerCache
from gateway.evaluation.errors import BadEndpoint, MissingLibrary
from gateway.evaluation.prompts import (
    Entailment,
    Question,
    Sentences,
    ask_entailment,
    ask_split,
)
from model.radfact.errors import JudgeFailure, JudgeUnavailable
from model.radfact.values import NOT_ENTAILED, Verdict

if TYPE_CHECKING:
    from openai import APIError, OpenAI
    from openai.types.chat import ChatCompletionMessageParam

KEY_VARIABLE = "MAIRA_JUDGE_KEY"
"""Environment variable with the endpoint's key; it is never an option or setting."""
GIVE_UP_AFTER = 20
"""Questions in a row without any answer after which the run ends."""

_THINKING = re.compile(r"\A.*</think>|<think>.*\Z", re.DOTALL)
"""Also where a chat template has written the opening mark, or the closing one was
cut off: an answer that a model only considers is none."""
_DECODER = json.JSONDecoder()

Form = TypeVar("Form", bound=BaseModel)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    """Where the judge is and how long it is waited for.

    `base_url` ends before /chat/completions. `retries` count beyond the first try,
    with growing pauses, or those that the endpoint asks for.
    """

    base_url: str
    model: str
    key: str = ""
    timeout_seconds: float = 60.0
    retries: int = 3
    answer_tokens: int = 1024
    plain_http: bool = False


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    """What is read of an endpoint's reply."""

    choices: list[_Choice] = Field(min_length=1)


def demand_safe_address(options: EndpointOptions) -> None:
    """Raise BadEndpoint for an address that report text must not go to."""
    try:
        parts = urlsplit(options.base_url)
        host = parts.hostname
    except ValueError as error:
        raise BadEndpoint(f"the endpoint is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise BadEndpoint("the endpoint is no http:// or https:// URL")
    if parts.username or parts.password or has_secret(options.base_url):
        raise BadEndpoint(f"no secret belongs in the URL: set {KEY_VARIABLE}")
    if parts.scheme == "http" and not options.plain_http and not _is_loopback(host):
        raise BadEndpoint(
            f"reports would cross the network to {host} unencrypted: use https://, "
            "or say --plain-http"
        )


class EndpointJudge:
    """Asks for structured answers at temperature 0 and believes none unchecked."""

    def __init__(self, options: EndpointOptions, cache: AnswerCache) -> None:
        demand_safe_address(options)
        self._options = options
        self._cache = cache
        self._client = _client(options)
        self._lock = threading.Lock()
        self._style = 0
        self._silent = 0
        self.asked = 0
        """Questions that went to the endpoint, not to the cache."""

    @property
    def name(self) -> str:
        """The model and where it is."""
        return f"{self._options.model} at {self._options.base_url}"

    def entails(self, sentence: str, report: Sequence[str]) -> Verdict:
        """Ask whether `sentence` follows; evidence has to be of `report`."""
        answer = self._answer(ask_entailment(sentence, report), Entailment)
        if not answer.entailed:
            return NOT_ENTAILED
        places = tuple(dict.fromkeys(number - 1 for number in answer.evidence))
        return Verdict(entailed=True, evidence=places)

    def split(self, text: str) -> tuple[str, ...]:
        """Ask for the sentences; those without a word are left out."""
        answer = self._answer(ask_split(text), Sentences)
        return tuple(
            " ".join(sentence.split())
            for sentence in answer.sentences
            if any(character.isalnum() for character in sentence)
        )

    def _answer(self, question: Question, form: type[Form]) -> Form:
        """Return the answer in its form, from the cache where it is there."""
        model, digest = self._options.model, question.digest
        kept = self._cache.get(model, digest)
        if kept is not None:
            try:
                return read_answer(kept, question, form)
            except JudgeFailure:
                _log.warning("a kept answer cannot be read and is asked for again")
        answer = read_answer(self._ask(question), question, form)
        self._cache.put(model, digest, answer.model_dump_json())
        return answer

    def _ask(self, question: Question) -> str:
        """Return what the endpoint writes, in the strictest form that it knows."""
        from openai import APIConnectionError, APIError  # noqa: PLC0415 - optional

        try:
            said = self._ask_in_form(question)
        except APIError as error:
            self._note_silence(nothing_came=isinstance(error, APIConnectionError))
            raise JudgeFailure(f"the endpoint failed: {_cause(error)}") from error
        self._note_silence(nothing_came=False)
        return said

    def _ask_in_form(self, question: Question) -> str:
        """Go down to a laxer form where the stricter is refused, and stay there."""
        from openai import BadRequestError, UnprocessableEntityError  # noqa: PLC0415

        for style in range(self._style, len(_STYLES) - 1):
            try:
                said = self._request(question, style)
            except (BadRequestError, UnprocessableEntityError):
                continue
            self._style = max(self._style, style)
            return said
        said = self._request(question, len(_STYLES) - 1)
        self._style = len(_STYLES) - 1
        return said

    def _request(self, question: Question, style: int) -> str:
        with self._lock:
            self.asked += 1
        reply = self._client.chat.completions.with_raw_response.create(
            model=self._options.model,
            messages=[_message(each) for each in question.messages],
            temperature=0,
            max_tokens=self._options.answer_tokens,
            extra_body=_STYLES[style](question),
        )
        return _content(reply.text)

    def _note_silence(self, *, nothing_came: bool) -> None:
        with self._lock:
            self._silent = self._silent + 1 if nothing_came else 0
            silent = self._silent
        if silent >= GIVE_UP_AFTER:
            raise JudgeUnavailable(
                f"the endpoint did not answer {silent} questions in a row; what it "
                "answered before is in the cache: run again when it is back"
            )


def read_answer(text: str, question: Question, form: type[Form]) -> Form:
    """Return the first JSON object in `text` that has the form.

    Words around it (code fences, a model's thinking) are passed over. Raises
    JudgeFailure where there is none, or where it names evidence never given.
    """
    said = _THINKING.sub("", text)
    for start in (place for place, mark in enumerate(said) if mark == "{"):
        try:
            _, end = _DECODER.raw_decode(said, start)
            answer = form.model_validate_json(said[start:end])
        except (ValueError, RecursionError):
            continue
        _demand_evidence(answer, question)
        return answer
    raise JudgeFailure("the answer does not have the form that was asked for")


def _demand_evidence(answer: BaseModel, question: Question) -> None:
    if not isinstance(answer, Entailment):
        return
    if any(not 1 <= number <= question.numbered for number in answer.evidence):
        raise JudgeFailure("the answer cites a sentence that was not given")
    if answer.entailed and not answer.evidence:
        raise JudgeFailure("the answer says entailed and cites nothing")


def _schema(question: Question) -> dict[str, object]:
    form = question.form
    named = {"name": form.__name__, "strict": True, "schema": form.model_json_schema()}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _json(_question: Question) -> dict[str, object]:
    return {"response_format": {"type": "json_object"}}


def _plain(_question: Question) -> dict[str, object]:
    return {}


_STYLES = (_schema, _json, _plain)
"""Ways to ask for structure, the strictest first; an endpoint may refuse some."""


def _client(options: EndpointOptions) -> "OpenAI":
    try:
        from openai import DefaultHttpxClient, OpenAI  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingLibrary("openai") from error
    for name in ("openai", "httpx", "httpx2"):  # their debug lines quote requests
        logging.getLogger(name).setLevel(logging.WARNING)
    return OpenAI(
        base_url=options.base_url,
        api_key=options.key or "none",
        timeout=options.timeout_seconds,
        max_retries=options.retries,
        http_client=DefaultHttpxClient(trust_env=False, follow_redirects=False),
    )


def _message(message: dict[str, str]) -> "ChatCompletionMessageParam":
    return cast("ChatCompletionMessageParam", message)


def _content(reply: str) -> str:
    try:
        return _Completion.model_validate_json(reply).choices[0].message.content
    except ValidationError as error:
        raise JudgeFailure("the endpoint's reply is no chat completion") from error


def _cause(error: "APIError") -> str:
    """Name the cause without the reply's words: they may quote the report."""
    status = getattr(error, "status_code", None)
    return f"status {status}" if status is not None else type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
