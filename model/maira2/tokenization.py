"""`tokenizer.json` of a snapshot, by the `tokenizers` library alone.

Ids differ between checkpoints, so every token is looked up by its text.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.errors import CheckpointError
from model.grounding import ALL_TAGS
from model.maira2.configuration import Maira2Config, read_json
from model.maira2.prompts import BEGIN, END, IMAGE

TOKENIZER_FILE = "tokenizer.json"

TokenIds = npt.NDArray[np.int64]


class PromptTokenizer:
    """Text to ids and back.

    `image_id`, `begin_id` and `end_id` are the ids of `<image>`, `<s>` and `</s>`;
    `control_tokens` holds the text of every token that must not come from a user.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        for tag in (*ALL_TAGS, BEGIN, END, IMAGE):
            self.token_id(tag)
        self.image_id = self.token_id(IMAGE)
        self.begin_id = self.token_id(BEGIN)
        self.end_id = self.token_id(END)
        added = tokenizer.get_added_tokens_decoder().values()
        self.control_tokens = frozenset(token.content for token in added)

    @property
    def size(self) -> int:
        """Count the tokens, added ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def token_id(self, text: str) -> int:
        """Find a token by its text. Raises `CheckpointError` that names it."""
        found: int | None = self._tokenizer.token_to_id(text)
        if found is None:
            raise CheckpointError(f"{TOKENIZER_FILE} has no token {text}")
        return found

    def encode(self, text: str, *, image_tokens: int) -> TokenIds:
        """Tokenise a prompt and widen each `<image>` to that many tokens.

        Returns (length,) int64 that begins with `<s>`.
        """
        ids = np.asarray(self._tokenizer.encode(text).ids, dtype=np.int64)
        return np.repeat(ids, np.where(ids == self.image_id, image_tokens, 1))

    def encode_answer(self, text: str) -> list[int]:
        """Tokenise text that stands alone: no `<s>` before it, no `</s>` after it."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int], *, keep_special: bool = False) -> str:
        """Write ids as text; tags stay, `<s>`, `</s>` and `<unk>` go unless kept."""
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=not keep_special
        )
        return text


def read_tokenizer(folder: Path) -> PromptTokenizer:
    """Read `tokenizer.json` of a snapshot folder. Raises `CheckpointError`.

    The parts are checked here because the library raises bare `Exception`, which
    cannot be told from other failures.
    """
    path = folder / TOKENIZER_FILE
    document = read_json(path)
    model, added = document.get("model"), document.get("added_tokens")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict):
        raise CheckpointError(f"{path} holds no vocabulary")
    if not isinstance(added, list):
        raise CheckpointError(f"{path} holds no added tokens")
    return PromptTokenizer(Tokenizer.from_str(json.dumps(document)))


def check_tokenizer(tokenizer: PromptTokenizer, config: Maira2Config) -> None:
    """Refuse a tokenizer that belongs to another model. Raises `CheckpointError`."""
    if tokenizer.size != config.text.vocab_size:
        raise CheckpointError(
            f"{TOKENIZER_FILE} has {tokenizer.size} tokens, config.json's "
            f"text_config.vocab_size is {config.text.vocab_size}"
        )
    if tokenizer.image_id != config.image_token_id:
        raise CheckpointError(
            f"{TOKENIZER_FILE} has {IMAGE} at {tokenizer.image_id}, config.json's "
            f"image_token_index is {config.image_token_id}"
        )
    if tokenizer.encode("", image_tokens=1).tolist() != [tokenizer.begin_id]:
        raise CheckpointError(f"{TOKENIZER_FILE} does not put {BEGIN} before a text")
