"""The verifier that a reviewer takes elsewhere: one file, nothing of the gateway."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import merkle, verifier
from gateway.audit.verifier import Log, Point, Tree, Wrong, continued, included
from gateway.ledger import AuditFilter
from tests.data.audit_logs import AuditLog, append, copied, given_log, sign
from tests.data.export_attacks import FULL, PART, exported, verified
from tests.unit.gateway.test_audit_checkpoints import GO_KEY

SOURCE = Path(verifier.__file__)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> AuditLog:
    return given_log(tmp_path_factory.mktemp("pattern") / "log")


@pytest.fixture
def log(pattern: AuditLog, tmp_path: Path) -> AuditLog:
    return copied(pattern, tmp_path / "log")


def run(*words: str | Path) -> tuple[int, str]:
    """Run the file by itself, where the gateway cannot be imported."""
    ended = subprocess.run(
        [sys.executable, "-I", SOURCE, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


def test_it_imports_nothing_of_the_gateway() -> None:
    tree = ast.parse(SOURCE.read_text("utf-8"))
    names = {
        name
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    outside = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert outside == {"cryptography"}


def test_it_says_what_a_bundle_proves(log: AuditLog) -> None:
    lines = exported(log, FULL)
    bundle = log.folder / "bundle.jsonl"
    code, said = run("--key", str(log.public), "--checkpoints", log.checkpoints, bundle)
    assert code == 0
    assert "as signed" in said
    assert "33 records, all records from 1 on, of 33" in said
    assert len(lines) == 35


def test_it_ends_with_one_where_something_was_changed(log: AuditLog) -> None:
    exported(log, PART)
    bundle = log.folder / "bundle.jsonl"
    text = bundle.read_text("utf-8").replace("record 6", "record 9")
    bundle.write_text(text, "utf-8")
    code, said = run("--key", str(log.public), bundle)
    assert (code, said[:13]) == (1, "NOT AS SIGNED")


@pytest.mark.parametrize("key", [GO_KEY, "no key", ""])
def test_another_key_proves_nothing(log: AuditLog, key: str) -> None:
    exported(log, FULL)
    code, _ = run("--key", key, log.folder / "bundle.jsonl")
    assert code == 1


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"[]\n", b"{}\n", b"\xff\xfe", b"1\n2\n"]
)
def test_what_is_no_bundle_is_refused(
    log: AuditLog, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(content)
    assert run("--key", str(log.public), path)[0] == 1
    assert run("--key", str(log.public), tmp_path / "nothing")[0] == 1


def test_a_part_holds_what_was_asked_for_and_its_proofs(log: AuditLog) -> None:
    lines = exported(log, PART)
    assert sum('"study_instance_uid":"1.2.3.1"' in line for line in lines) == 7
    assert sum(line.startswith('{"proof"') for line in lines) == 7
    assert "7 records, a part of the log, of 33" in verified(log, lines)


def test_a_part_that_holds_nothing_is_proven_too(log: AuditLog) -> None:
    lines = exported(log, AuditFilter(study_instance_uid="9.9"))
    assert "0 records" in verified(log, lines)


def test_checkpoints_of_another_history_are_not_agreed_with(
    log: AuditLog, pattern: AuditLog, tmp_path: Path
) -> None:
    """The gateway signed 40 records, was set back, and signed 40 others."""
    other = copied(pattern, tmp_path / "other")
    for each, start in ((log, 50), (other, 70)):
        with each.opened() as ledger:
            append(ledger, 8, start)
            sign(each, ledger, 9)
    lines = exported(log, FULL)
    for path in other.checkpoints.rglob("000000000040.checkpoint"):
        target = log.checkpoints / "from-elsewhere.checkpoint"
        target.write_text(path.read_text("utf-8"), "utf-8")
    with pytest.raises(Wrong):
        verified(log, lines)


@given(st.integers(1, 60), st.data())
def test_it_agrees_with_the_tree_of_the_gateway(size: int, data: st.DataObject) -> None:
    """Two codes that share nothing; the gateway's is checked against the standard."""
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    entries = [str(n).encode() for n in range(size)]
    leaves = [merkle.hash_leaf(entry) for entry in entries]
    nodes = merkle.Nodes(merkle.Peaks(), leaves)
    root = nodes.root(0, size)
    path = merkle.proof(merkle.inclusion_path(index, size), nodes.root)
    assert included(verifier.leaf(entries[index]), index, size, list(path)) == root
    before = merkle.Peaks().extended(leaves[:old])
    tree = Tree(old, list(before.hashes))
    for leaf in leaves[old:]:
        tree.add(leaf)
    assert tree.root() == root
    steps = merkle.proof(merkle.consistency_path(old, size), nodes.root)
    assert continued(point(old, before.root()), point(size, root, steps))
    assert not continued(point(old, root[::-1]), point(size, root, steps))


def point(size: int, root: bytes, proof: tuple[bytes, ...] = ()) -> Point:
    """Return a checkpoint without a signature."""
    found = Point.__new__(Point)
    found.size, found.root, found.proof = size, root, list(proof)
    return found


def test_a_key_that_follows_is_trusted_by_the_first(log: AuditLog) -> None:
    from gateway.log_keeping.sealing import change_key
    from tests.data.ledgers import at

    with log.opened() as ledger:
        change_key(ledger, log.key_file, "admin", at(999))
        append(ledger, 2, 90)
        sign(log, ledger, 9)
    assert verified(log, exported(log, FULL))
    assert verified(log, exported(log, PART))


def test_a_log_without_checkpoints_of_others_is_verified_by_its_own(
    log: AuditLog,
) -> None:
    exported(log, FULL)
    bundle = log.folder / "bundle.jsonl"
    assert verifier.verify_bundle(bundle, Log(str(log.public), []))
