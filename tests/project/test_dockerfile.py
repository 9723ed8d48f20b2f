from pathlib import Path

import pytest

from gate.dockerfile import Instruction, pairs, parse, substituted, words
from gate.tree import PACKAGES

ROOT = Path(__file__).parents[2]
BUILD, FINAL = parse((ROOT / "Dockerfile").read_text("utf-8"))


def copied(stage_instructions: tuple[Instruction, ...]) -> list[str]:
    copies = [each.rest.split() for each in stage_instructions if each.name == "COPY"]
    own = [each for each in copies if not each[0].startswith("--from=")]
    return [name for each in own for name in each[:-1]]


def test_continued_lines_are_one_instruction_and_comments_are_none() -> None:
    (stage,) = parse("ARG A=x\n# no\nFROM ${A}:1 AS build\nRUN a \\\n    && b\n")
    assert (stage.base, stage.name) == ("x:1", "build")
    assert stage.instructions == (Instruction(name="RUN", rest="a && b"),)


def test_an_unknown_instruction_is_refused() -> None:
    with pytest.raises(ValueError, match="ADD"):
        parse("FROM x\nADD a b\n")


def test_variables_are_put_in() -> None:
    assert substituted("${A}/$B", {"A": "x", "B": "y"}) == "x/y"


def test_it_runs_as_a_number_that_is_not_zero() -> None:
    user = FINAL.last("USER")
    assert user is not None
    assert all(int(number) > 0 for number in user.split(":"))


def test_it_has_a_health_check_that_is_a_verb() -> None:
    check = FINAL.last("HEALTHCHECK")
    assert check is not None
    assert words(check.partition("CMD ")[2]) == ["maira-gateway", "check", "--alive"]


def test_it_serves_by_default() -> None:
    assert words(FINAL.last("ENTRYPOINT") or "[]") == ["maira-gateway"]
    assert words(FINAL.last("CMD") or "[]") == ["serve"]


def test_spool_and_weights_are_volumes() -> None:
    volumes = words(FINAL.last("VOLUME") or "[]")
    assert volumes == ["/var/lib/maira-gateway", "/srv/checkpoint"]


def test_the_torch_build_is_an_argument_and_its_number_is_pinned() -> None:
    texts = [each.rest for each in BUILD.instructions if each.name == "ARG"]
    arguments = {name: value for text in texts for name, value in pairs(text).items()}
    assert set(arguments) == {"TORCH_REQUIREMENT", "PIP_EXTRA_INDEX_URL", "EXTRAS"}
    assert arguments["PIP_EXTRA_INDEX_URL"] == ""
    pinned = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert arguments["TORCH_REQUIREMENT"] in pinned


def test_both_stages_have_one_base_with_a_tag() -> None:
    assert BUILD.base == FINAL.base
    assert BUILD.base.startswith("python:3.11-")


def test_it_copies_the_four_packages_and_what_installs_them() -> None:
    names = copied(BUILD.instructions)
    files = {"constraints.txt", "pyproject.toml", "README.md", "LICENSE"}
    assert set(names) == files | set(PACKAGES)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_build_context_holds_just_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert allowed == set(copied(BUILD.instructions))


def test_nothing_is_installed_without_its_pin() -> None:
    runs = [each.rest for each in BUILD.instructions if each.name == "RUN"]
    installs = [part for run in runs for part in run.split("&&") if " install " in part]
    assert installs
    assert [
        part for part in installs if "--constraint constraints.txt" not in part
    ] == []
