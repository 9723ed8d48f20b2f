"""How a server is started: what it is called, and what vLLM is told."""

import itertools
from pathlib import Path

import pytest

from model.engines.vllmserve.plan import TEMPLATE
from model.engines.vllmserve.serving import ENVIRONMENT, serve, served_name
from model.errors import CheckpointError
from model.maira2.snapshot import weights_digest
from model.options import PHANTOM_CHECKPOINT, Domain


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Keep what would be started."""
    kept: list[tuple[list[str], dict[str, str]]] = []

    def execve(_: str, command: list[str], environment: dict[str, str]) -> None:
        kept.append((command, environment))

    monkeypatch.setattr("os.execve", execve)
    return kept


def test_a_checkpoint_is_served_under_its_digest() -> None:
    name = served_name(PHANTOM_CHECKPOINT, "float32")
    assert (name.domain, name.side, name.dtype) == (Domain.PHANTOM, 112, "float32")
    assert name.digest == weights_digest(PHANTOM_CHECKPOINT)


def test_vllm_is_told_what_its_answers_depend_on(
    started: list[tuple[list[str], dict[str, str]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = ["--host", "127.0.0.1", "--api-key", "secret"]
    serve([str(PHANTOM_CHECKPOINT), "--dtype", "float32", "--", *more])
    ((command, environment),) = started
    name = str(served_name(PHANTOM_CHECKPOINT, "float32"))
    assert capsys.readouterr().out == f"serving {name}\n"
    told = dict(itertools.pairwise(command))
    assert told["--served-model-name"] == name
    assert told["--dtype"] == "float32"
    assert told["--tokenizer-mode"] == "maira2"
    assert told["--generation-config"] == "vllm"
    assert told["--chat-template"] == TEMPLATE
    assert str(PHANTOM_CHECKPOINT) in command
    assert command[-4:] == more
    assert ENVIRONMENT.items() <= environment.items()


@pytest.mark.parametrize(
    "option",
    ["--dtype=auto", "--quantization", "--chat-template", "--served_model_name"],
)
def test_options_that_change_answers_are_refused(
    started: list[tuple[list[str], dict[str, str]]], option: str
) -> None:
    with pytest.raises(CheckpointError, match="no option here"):
        serve([str(PHANTOM_CHECKPOINT), "--", option, "x"])
    assert started == []


def test_a_folder_that_is_not_whole_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        serve([str(tmp_path)])
