"""A snapshot folder as a whole: what is right and wrong with it, and writing one."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from model.errors import CheckpointError
from model.maira2.configuration import (
    CONFIG_FILE,
    Maira2Config,
    parse_config,
    read_config,
    read_json,
)
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.processing import (
    PREPROCESSOR_FILE,
    PROCESSOR_FILE,
    read_image_settings,
)
from model.maira2.tokenization import (
    TOKENIZER_FILE,
    check_tokenizer,
    read_tokenizer,
)
from model.maira2.weights import (
    INDEX_FILE,
    SHARD_BYTES,
    save_weights,
    shard_files,
    skeleton,
    tensor_problems,
    tensor_shapes,
)
from model.options import Domain

DOCUMENTS = (CONFIG_FILE, PREPROCESSOR_FILE, PROCESSOR_FILE, TOKENIZER_FILE)
"""The JSON files that are read, beside the index of the weights."""

OFFICIAL_SIZES: Mapping[str, int] = {
    "added_tokens.json": 3_723,
    "chat_template.json": 611,
    "config.json": 2_401,
    "generation_config.json": 179,
    "model-00001-of-00006.safetensors": 4_955_289_768,
    "model-00002-of-00006.safetensors": 4_857_207_664,
    "model-00003-of-00006.safetensors": 4_857_207_704,
    "model-00004-of-00006.safetensors": 4_857_207_704,
    "model-00005-of-00006.safetensors": 4_857_207_704,
    "model-00006-of-00006.safetensors": 3_136_688_192,
    "model.safetensors.index.json": 49_835,
    "preprocessor_config.json": 560,
    "processor_config.json": 405,
    "special_tokens_map.json": 552,
    "tokenizer.json": 3_656_334,
    "tokenizer.model": 499_723,
    "tokenizer_config.json": 37_032,
}
"""Bytes of the files of microsoft/maira-2 at revision 795a2b1c; a cheap check of
identity. Its Python files are left out: they are never run and need not be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; `problems` is empty where it is right."""

    subject: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCheck:
    """What is right and wrong with a folder, and whether it is the official snapshot.

    `checks` : in the order of the loader; after a configuration that is wrong there
    are no others. `unofficial` : official files that are absent or of another size;
    empty for the official snapshot.
    """

    checks: tuple[Check, ...]
    unofficial: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """One line each, empty where an engine can load the folder."""
        return tuple(line for check in self.checks for line in check.problems)

    @property
    def usable(self) -> bool:
        """Tell whether an engine can load the folder."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """What a checkpoint is. `parameters` and `stored_bytes` count its tensors."""

    domain: Domain
    parameters: int
    stored_bytes: int
    image_side: int
    image_tokens: int
    vocabulary: int
    text_layers: int
    text_width: int
    official: bool
    weights_digest: str


def verify_snapshot(folder: Path) -> SnapshotCheck:
    """Check a folder as the loader would, but report every problem at once.

    Reads the headers of the shards, not their tensors.
    """
    return SnapshotCheck(
        checks=tuple(_checks(folder)), unofficial=unofficial_files(folder)
    )


def read_domain(folder: Path) -> Domain:
    """Tell what a checkpoint may read, from its config.json alone."""
    return read_config(folder).domain


def snapshot_info(folder: Path) -> SnapshotInfo:
    """Describe a snapshot. Raises `CheckpointError`; digests read all bytes."""
    config = read_config(folder)
    counts = [math.prod(shape) for shape in tensor_shapes(folder).values()]
    return SnapshotInfo(
        domain=config.domain,
        parameters=sum(counts),
        stored_bytes=sum(path.stat().st_size for path in shard_files(folder)),
        image_side=config.image_size,
        image_tokens=config.patches,
        vocabulary=config.text.vocab_size,
        text_layers=config.text.num_hidden_layers,
        text_width=config.text.hidden_size,
        official=not unofficial_files(folder),
        weights_digest=weights_digest(folder),
    )


def unofficial_files(folder: Path) -> tuple[str, ...]:
    """Name the official files that are absent here or have another size."""
    return tuple(
        name for name, size in OFFICIAL_SIZES.items() if _size(folder / name) != size
    )


def weights_digest(folder: Path) -> str:
    """Digest what decides the answers: weights, configuration and tokenizer.

    Returns the lowercase SHA-256 over the sorted lines "name sha256" of the
    safetensors files and of the documents that are read. Raises `CheckpointError`.
    """
    files = [*shard_files(folder), *(folder / name for name in DOCUMENTS)]
    lines = sorted(f"{path.name} {file_digest(path)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the lowercase SHA-256 of a file. Raises `CheckpointError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def write_snapshot(
    folder: Path,
    model: Maira2ForConditionalGeneration,
    documents: Mapping[str, Mapping[str, object]],
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a folder that the loader takes: JSON files by name, and the weights.

    `documents` holds at least each of `DOCUMENTS`. Raises `CheckpointError` where
    one is missing or the folder would not load.
    """
    for name in DOCUMENTS:
        if name not in documents:
            raise CheckpointError(f"{name} is missing among the documents to write")
    parse_config(documents[CONFIG_FILE])
    save_weights(model, folder, shard_bytes=shard_bytes)
    for name, document in documents.items():
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
    problems = verify_snapshot(folder).problems
    if problems:
        raise CheckpointError(f"{folder}: {'; '.join(problems)}")


def _checks(folder: Path) -> Iterator[Check]:
    """Run the loader's checks one by one."""
    try:
        config = read_config(folder)
    except CheckpointError as error:
        yield Check(subject=_CONFIGURATION, problems=(str(error),))
        return
    yield Check(subject=_CONFIGURATION, problems=())
    for subject, check in _CHECKS.items():
        try:
            problems = check(folder, config)
        except CheckpointError as error:
            problems = (str(error),)
        yield Check(subject=subject, problems=problems)


def _tensors(folder: Path, config: Maira2Config) -> tuple[str, ...]:
    return tensor_problems(folder, skeleton(config)).lines()


def _index(folder: Path, _: Maira2Config) -> tuple[str, ...]:
    """Compare the names in the index with the tensors in the shards."""
    if not (folder / INDEX_FILE).is_file():
        return ()
    weight_map = read_json(folder / INDEX_FILE).get("weight_map")
    named = set(weight_map) if isinstance(weight_map, dict) else set()
    unlisted = sorted(tensor_shapes(folder).keys() - named)
    return tuple(f"{INDEX_FILE} does not list tensor {name}" for name in unlisted)


def _tokenizer(folder: Path, config: Maira2Config) -> tuple[str, ...]:
    check_tokenizer(read_tokenizer(folder), config)
    return ()


def _processor(folder: Path, config: Maira2Config) -> tuple[str, ...]:
    read_image_settings(folder, config)
    return ()


_CONFIGURATION = "configuration, with the rotary scaling"
_CHECKS: Mapping[str, Callable[[Path, Maira2Config], tuple[str, ...]]] = {
    "names and shapes of the tensors": _tensors,
    "index of the shards": _index,
    "tokenizer": _tokenizer,
    "settings of images and prompts": _processor,
}


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
