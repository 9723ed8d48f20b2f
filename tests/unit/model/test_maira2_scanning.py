import shutil
from pathlib import Path

from model.maira2.scanning import DIGEST_FILE, scan_weights
from model.maira2.snapshot import verify_snapshot, weights_digest
from model.options import PHANTOM_CHECKPOINT
from tests.data.tiny_maira2 import write_tiny


def overwrite_end(path: Path, value: bytes) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: -len(value)] + value)


def test_whole_weights_are_read_tensor_by_tensor(tmp_path: Path) -> None:
    seen: list[str] = []
    folder = write_tiny(tmp_path, shard_bytes=20_000)
    assert list(scan_weights(folder, seen.append)) == []
    assert len({line.split()[0] for line in seen}) > 1


def test_weights_overwritten_with_ones_are_found_though_their_headers_are_right(
    tmp_path: Path,
) -> None:
    folder = write_tiny(tmp_path)
    overwrite_end(folder / "model.safetensors", b"\xff" * 64)
    assert verify_snapshot(folder).usable
    lines = list(scan_weights(folder))
    assert lines
    wanted = "in model.safetensors holds what is no number"
    assert all(line.endswith(wanted) for line in lines)


def test_the_phantom_checkpoint_is_the_one_that_its_digest_names() -> None:
    pinned = (PHANTOM_CHECKPOINT / DIGEST_FILE).read_text("ascii").strip()
    assert pinned == weights_digest(PHANTOM_CHECKPOINT)


def test_other_numbers_than_those_that_were_shipped_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(PHANTOM_CHECKPOINT, folder)
    overwrite_end(folder / "model.safetensors", b"\0" * 64)
    (line,) = scan_weights(folder)
    assert line.startswith("the digest is ")
