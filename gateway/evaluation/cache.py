"""Answers of a judge on disk: a run that was stopped goes on where it was.

Answers about entailment are numbers; the sentences of a split report are its text,
so the folder and its files are for their owner alone.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from gateway.evaluation.errors import EvaluationError


class AnswerCache:
    """One file an answer, named by the digest of model and question."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EvaluationError(
                f"the cache {folder} cannot be made: {error.strerror}"
            ) from error
        self._folder = folder

    def get(self, model: str, question_digest: str) -> str | None:
        """Return a kept answer; None: there is none that can be read."""
        try:
            return self._path(model, question_digest).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def put(self, model: str, question_digest: str, answer: str) -> None:
        """Keep an answer; a full disk costs a second question, not the run."""
        path = self._path(model, question_digest)
        part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(answer)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _path(self, model: str, question_digest: str) -> Path:
        key = hashlib.sha256(f"{model}\n{question_digest}".encode()).hexdigest()
        return self._folder / f"{key}.json"
