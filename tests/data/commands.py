"""The command line, run within the test."""

import sys
from pathlib import Path

import pytest

from gateway.cli.verbs import main


def call(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *words: str | Path,
) -> tuple[int, str, str]:
    """Run the whole command as the console script does."""
    monkeypatch.setattr(sys, "argv", ["maira-gateway", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 0, said.out, said.err
