import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from gate.pages import DEFAULTS, DOCS, default_keys, documented_keys, pages, rewritten
from gateway.cli.verbs import app

ROOT = DOCS.parent
README = ROOT / "README.md"
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def verbs() -> list[str]:
    """Return every verb of the command line, with the group that it is in."""
    groups = {f"{each.name} ": each.typer_instance for each in app.registered_groups}
    return [
        prefix + name
        for prefix, group in {"": app, **groups}.items()
        if group is not None
        for name in _names(group)
    ]


def _names(group: typer.Typer) -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield command.name or command.callback.__name__


def test_there_are_verbs_and_pages_to_check() -> None:
    assert len(verbs()) == 56
    assert len(pages()) == 6


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_parts_that_come_from_the_code_are_current(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == rewritten(text), "run `python -m gate.pages`"


def test_every_key_with_a_default_is_documented_with_its_meaning() -> None:
    documented = {key: meaning for key, _, meaning in documented_keys(_defaults())}
    assert set(default_keys()) <= set(documented)
    assert [key for key in default_keys() if not documented[key]] == []


def test_keys_under_one_comment_share_it() -> None:
    text = "[a]\n# Two\n# lines.\nx = 1\ny = 2\n# Other.\nz = 3\n"
    assert list(documented_keys(text)) == [
        ("a.x", "1", "Two lines."),
        ("a.y", "2", "Two lines."),
        ("a.z", "3", "Other."),
    ]


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_is_in_the_readme(verb: str) -> None:
    assert re.search(rf"`{verb}[` ]", README.read_text("utf-8"))


@pytest.mark.parametrize(
    "page",
    [README, *sorted(DOCS.rglob("*.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text("utf-8"))
    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    names = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert [name for name in sorted(names) if f"]({name})" not in index] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in sorted(DOCS.glob("decisions/*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_decision_says_what_was_chosen_why_and_what_was_rejected() -> None:
    for page in DOCS.glob("decisions/*.md"):
        text = page.read_text("utf-8")
        for word in ("**Choice.**", "**Why.**", "**Rejected.**"):
            assert word in text, f"{page.name} lacks {word}"


@pytest.mark.parametrize("target", ["make demo", "make test"])
def test_the_readme_names_both_first_commands(target: str) -> None:
    assert f"    {target}\n" in README.read_text("utf-8")


def _defaults() -> str:
    return DEFAULTS.read_text("utf-8")


def test_no_two_keys_of_a_table_share_a_meaning() -> None:
    meanings = [
        (key.rpartition(".")[0], meaning)
        for key, _, meaning in documented_keys(_defaults())
    ]
    assert all(meaning for _, meaning in meanings)
    assert len(set(meanings)) == len(meanings)


def test_what_stands_above_an_empty_comment_is_about_the_whole_table() -> None:
    text = "[a]\n# All of it.\n#\n# One.\nx = 1\n"
    assert list(documented_keys(text)) == [("a.x", "1", "One.")]
