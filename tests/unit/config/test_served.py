"""The table about vLLM."""

from pathlib import Path

import pytest

from config.errors import InvalidSettings
from config.load import Table, load_settings
from model.options import Domain, TokenLimits


def test_the_defaults_are_one_server_on_this_machine() -> None:
    place = load_settings().vllm.place(TokenLimits())
    assert place.servers == ("http://127.0.0.1:8000",)
    assert (place.domain, place.authorities, place.key) == (Domain.PHANTOM, None, "")


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_KEY", "secret")
    vllm: Table = {
        "servers": ["https://gpu1:8000", "https://gpu2:8000"],
        "authorities": "/etc/ca.pem",
        "key_variable": "VLLM_KEY",
        "reads": "radiograph",
    }
    place = load_settings(None, {"vllm": vllm}).vllm.place(TokenLimits())
    assert (len(place.servers), place.key) == (2, "secret")
    assert (place.domain, place.authorities) == (Domain.RADIOGRAPH, Path("/etc/ca.pem"))


@pytest.mark.parametrize(
    ("vllm", "why"),
    [
        ({"servers": []}, r"vllm\.servers"),
        ({"servers": ["http://gpu1:8000/v1"]}, r"vllm\.servers"),
        ({"servers": ["http://a", "http://a"]}, "named more than once"),
        ({"reads": "everything"}, r"vllm\.reads"),
        ({"key_variable": "NOT_THERE_AT_ALL"}, "no such variable"),
        ({"connect_seconds": 0.0}, r"vllm\.connect_seconds"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_told_with_its_key(vllm: Table, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why):
        load_settings(None, {"vllm": vllm})
