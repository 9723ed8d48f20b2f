"""The name by which a server says what it serves."""

from dataclasses import replace

import pytest

from model.engines.vllmserve.plan import TEMPLATE, ServedName, only_of_ours
from model.errors import EngineAway
from model.options import Domain

NAME = ServedName(domain=Domain.PHANTOM, dtype="float32", side=112, digest="0f" * 32)


def test_a_name_is_read_as_it_is_written() -> None:
    assert str(NAME) == f"maira2:phantom:float32:112:{'0f' * 32}"
    assert ServedName.parse(str(NAME)) == NAME


@pytest.mark.parametrize(
    "name",
    ["", "maira", str(NAME)[:-1], str(NAME).upper(), f" {NAME}", f"{NAME}\n"],
    ids=["empty", "other", "short", "capitals", "blank", "line"],
)
def test_another_name_is_none_of_ours(name: str) -> None:
    assert ServedName.parse(name) is None


def test_the_one_name_of_ours_is_found_among_others() -> None:
    assert only_of_ours(("llama", str(NAME)), "http://gpu1") == NAME
    two = (str(NAME), str(replace(NAME, digest="1e" * 32)))
    with pytest.raises(EngineAway, match="http://gpu1 serves 2 models"):
        only_of_ours(two, "http://gpu1")


def test_the_template_puts_nothing_between_the_parts() -> None:
    jinja = pytest.importorskip("jinja2.sandbox", reason="vLLM renders with jinja2")
    rules = jinja.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    parts = [
        {"type": "text", "text": "USER:  a\n"},
        {"type": "image"},
        {"type": "text", "text": " {{b}} <c> &  ASSISTANT: "},
    ]
    said = rules.from_string(TEMPLATE).render(
        messages=[{"role": "user", "content": parts}]
    )
    assert said == "USER:  a\n<image> {{b}} <c> &  ASSISTANT: "
