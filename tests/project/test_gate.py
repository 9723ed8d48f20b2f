from pathlib import Path

import pytest

from gate.checks import CHECKS
from gate.findings import NothingToCheck
from gate.foreign import FOREIGN
from gate.homes import HOMES, check_homes
from gate.licences import Licensed, check_licensed, is_allowed
from gate.selftest import BROKEN_IMPORTS, PLANTS, failures
from gate.texts import check_machine_paths, check_registry_hosts
from gate.tree import files_of

ROOT = Path(__file__).parents[2]


def test_each_check_goes_red_on_its_planted_violation() -> None:
    assert failures(ROOT) == []


def test_no_check_is_without_a_planted_violation() -> None:
    planted = {*PLANTS, "imports"}
    assert {check.name for check in CHECKS} <= planted
    assert BROKEN_IMPORTS


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-2-Clause", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("(MIT AND Zlib) OR GPL-2.0-only", True),
        ("MIT AND GPL-2.0-only", False),
        ("AGPL-3.0-only", False),
        ("LGPL-3.0-only", False),
        ("", False),
    ],
)
def test_a_licence_expression_needs_one_allowed_alternative(
    expression: str, allowed: bool
) -> None:
    assert is_allowed(expression) is allowed


def test_a_package_of_the_exception_table_may_stay() -> None:
    runtime = Licensed(name="nvidia-cublas-cu12", expression="Other/Proprietary")
    assert check_licensed([runtime]) == []


def test_no_installed_package_at_all_is_not_a_pass() -> None:
    with pytest.raises(NothingToCheck):
        check_licensed([])


def test_the_golden_tokenizer_and_weights_are_known_by_hash() -> None:
    assert len(FOREIGN) == 5
    assert all(len(sha256) == 64 for sha256 in FOREIGN)


def test_files_that_tools_leave_behind_are_not_the_tree(tmp_path: Path) -> None:
    for name in (".venv/x.py", "demo/x.png", "model/__pycache__/x.pyc", "model/x.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert files_of(tmp_path) == [tmp_path / "model" / "x.py"]


@pytest.mark.parametrize("package", ["flask", "typer"])
def test_a_package_outside_its_home_is_named_with_its_line(
    tmp_path: Path, package: str
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "x.py").write_text(f"\nfrom {package} import x\n", "utf-8")
    (found,) = check_homes(tmp_path)
    assert found.place == "model/x.py:2"
    assert HOMES[package][0] in found.message


def test_a_package_in_its_home_is_right(tmp_path: Path) -> None:
    (tmp_path / "gateway" / "cli").mkdir(parents=True)
    (tmp_path / "gateway" / "cli" / "study.py").write_text("import typer\n", "utf-8")
    assert check_homes(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "is_of_one_machine"),
    [
        ("cd /ro" + "ot/notes", True),
        ("path = '/ho" + "me/anna/x'", True),
        ("../shared/wo" + "rk/notes", False),
        ("net" + "wo" + "rk/x", False),
    ],
)
def test_a_path_of_one_machine_is_found_and_a_relative_one_is_not(
    tmp_path: Path, text: str, is_of_one_machine: bool
) -> None:
    (tmp_path / "page.md").write_text(text, "utf-8")
    assert bool(check_machine_paths(tmp_path)) is is_of_one_machine


def test_a_registry_host_is_found_in_any_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM quay" + ".io/x\n", "utf-8")
    (found,) = check_registry_hosts(tmp_path)
    assert found.place == "Dockerfile:1"
