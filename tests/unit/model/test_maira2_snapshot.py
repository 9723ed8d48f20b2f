import hashlib
from pathlib import Path

import pytest

from model.errors import CheckpointError
from model.maira2.snapshot import (
    OFFICIAL_SIZES,
    file_digest,
    read_domain,
    snapshot_info,
    unofficial_files,
    verify_snapshot,
    weights_digest,
    write_snapshot,
)
from model.options import Domain
from tests.data.tiny_maira2 import (
    IMAGE_TOKENS,
    SIDE,
    edited,
    tiny_documents,
    tiny_model,
    write_tiny,
)

INDEX = "model.safetensors.index.json"


def test_a_whole_folder_has_no_problems(tmp_path: Path) -> None:
    check = verify_snapshot(write_tiny(tmp_path, shard_bytes=20_000))
    assert check.problems == ()
    assert check.usable


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    (folder / "tokenizer.json").unlink()
    with edited(folder / "config.json") as config:
        config["projector_n_layers"] = 3
    problems = verify_snapshot(folder).problems
    assert any("tokenizer.json is missing" in line for line in problems)
    assert any("layers.4.weight is missing" in line for line in problems)


def test_a_missing_configuration_is_one_problem(tmp_path: Path) -> None:
    problems = verify_snapshot(tmp_path).problems
    assert len(problems) == 1
    assert "config.json is missing" in problems[0]


def test_a_tensor_that_the_index_does_not_list_is_a_problem(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path, shard_bytes=20_000)
    with edited(folder / INDEX) as index:
        weight_map = index["weight_map"]
        assert isinstance(weight_map, dict)
        del weight_map["vision_tower.layernorm.bias"]
    problems = verify_snapshot(folder).problems
    assert problems == (f"{INDEX} does not list tensor vision_tower.layernorm.bias",)


def test_the_official_snapshot_is_known_by_its_file_sizes(tmp_path: Path) -> None:
    for name, size in OFFICIAL_SIZES.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    assert unofficial_files(tmp_path) == ()
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    assert unofficial_files(tmp_path) == ("tokenizer.json",)


def test_the_description_counts_what_is_stored(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path, domain=None)
    info = snapshot_info(folder)
    model = tiny_model(tiny_documents())
    assert info.parameters == sum(p.numel() for p in model.parameters())
    assert info.stored_bytes == (folder / "model.safetensors").stat().st_size
    assert (info.image_side, info.image_tokens) == (SIDE, IMAGE_TOKENS)
    assert info.domain is Domain.RADIOGRAPH
    assert not info.official


def test_the_domain_is_read_from_the_configuration(tmp_path: Path) -> None:
    assert read_domain(write_tiny(tmp_path)) is Domain.PHANTOM


def test_a_file_digest_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "tokenizer.json",
        "preprocessor_config.json",
        "processor_config.json",
        "model.safetensors",
    ],
)
def test_each_file_that_is_read_enters_the_weights_digest(
    tmp_path: Path, name: str
) -> None:
    folder = write_tiny(tmp_path)
    before = weights_digest(folder)
    (folder / "README.md").write_text("not read")
    assert weights_digest(folder) == before
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert weights_digest(folder) != before


def test_a_digest_without_the_tokenizer_names_it(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        weights_digest(folder)


def test_a_snapshot_without_a_document_is_not_written(tmp_path: Path) -> None:
    documents = tiny_documents()
    model = tiny_model(documents)
    del documents["processor_config.json"]
    with pytest.raises(CheckpointError, match=r"processor_config\.json is missing"):
        write_snapshot(tmp_path, model, documents)


def test_what_is_right_is_told_too(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    (folder / "tokenizer.json").unlink()
    found = {c.subject: not c.problems for c in verify_snapshot(folder).checks}
    assert [*found.values()] == [True, True, True, False, True]
    assert not found["tokenizer"]
