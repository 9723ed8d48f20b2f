"""A Dockerfile as values: stages with their instructions, in order."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_KNOWN = frozenset({"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM"})
_KNOWN |= {"HEALTHCHECK", "RUN", "USER", "VOLUME", "WORKDIR"}
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_PAIR = re.compile(r'(\w+)=("[^"]*"|\S*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: its name in capitals, and the rest of its line."""

    name: str
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One build stage; `name` is empty for one that nobody copies from."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def last(self, name: str) -> str | None:
        """Return the rest of the last instruction of this name."""
        found = [each.rest for each in self.instructions if each.name == name]
        return found[-1] if found else None


def parse(text: str) -> list[Stage]:
    """Return the stages; raise ValueError for an instruction that is not known.

    Arguments before the first FROM are put into the names of the base images.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for each in _instructions(text):
        if each.name == "FROM":
            base, _, name = each.rest.partition(" AS ")
            stages.append(
                Stage(base=substituted(base, arguments), name=name, instructions=())
            )
        elif stages:
            stages[-1] = _with(stages[-1], each)
        else:
            arguments |= pairs(each.rest)
    return stages


def pairs(text: str) -> dict[str, str]:
    """Return the NAME=value pairs of an ARG or ENV, without quotes."""
    return {name: value.strip('"') for name, value in _PAIR.findall(text)}


def substituted(text: str, values: dict[str, str]) -> str:
    """Return `text` with ${NAME} and $NAME replaced; unknown ones are empty."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


def words(text: str) -> list[str]:
    """Return the words of an instruction in its JSON form."""
    return [str(word) for word in json.loads(text)]


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, rest = line.strip().partition(" ")
        if not name:
            continue
        if name not in _KNOWN:
            raise ValueError(f"{name} is not known here")
        yield Instruction(name=name, rest=rest.strip())


def _with(stage: Stage, instruction: Instruction) -> Stage:
    return Stage(
        base=stage.base,
        name=stage.name,
        instructions=(*stage.instructions, instruction),
    )
