import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions, packages_distributions, version
from pathlib import Path
from sysconfig import get_path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gate.tree import PACKAGES, files_of
from model.version import VERSION

ROOT = Path(__file__).parents[2]
OURS = "maira-gateway"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    named = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): exact for name, exact in named}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the names of the files in a wheel built from a copy of this tree."""
    copy = tmp_path_factory.mktemp("tree")
    for path in files_of(ROOT):
        place = copy / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "-w", copy / "out", copy],
        check=True,
    )
    (built,) = (copy / "out").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


@pytest.mark.parametrize("name", PACKAGES)
def test_each_top_level_name_belongs_to_this_distribution_alone(name: str) -> None:
    owners = packages_distributions().get(name, [])
    assert set(owners) == {OURS}, f"{name} is owned by {owners}; install us alone"


def test_a_wheel_holds_the_four_packages_and_nothing_else(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {*PACKAGES, f"maira_gateway-{VERSION}.dist-info"}


@pytest.mark.parametrize(
    "name",
    [
        "config/default.toml",
        "gateway/ledger/migrations/env.py",
        "gateway/web/static/style.css",
        "gateway/web/templates/base.html",
        "model/phantom/checkpoint/config.json",
        "model/phantom/checkpoint/tokenizer.json",
    ],
)
def test_a_wheel_holds_the_data_that_the_code_reads(
    wheel: list[str], name: str
) -> None:
    assert name in wheel


def test_the_phantom_checkpoint_is_at_most_eight_megabytes() -> None:
    files = (ROOT / "model" / "phantom" / "checkpoint").iterdir()
    assert 0 < sum(path.stat().st_size for path in files) <= 8_000_000


def test_the_version_has_one_home() -> None:
    assert version(OURS) == VERSION


def test_the_distribution_cannot_be_uploaded() -> None:
    assert "Private :: Do Not Upload" in PROJECT["classifiers"]


def test_every_requirement_is_pinned() -> None:
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    assert {canonicalize_name(Requirement(text).name) for text in wanted} <= set(pins())


def test_every_pin_satisfies_its_requirement() -> None:
    exact = pins()
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(exact[canonicalize_name(wanted.name)])


def test_what_is_installed_is_what_is_pinned() -> None:
    """A build label (2.13.0+cpu) is not part of a pin; CUDA runtimes pin themselves.

    Looked for where pip installs: ray, once imported, adds a folder with copies.
    """
    own_pins = ("nvidia-", "triton", "cuda-")
    installed = {
        canonicalize_name(one.name): one.version.partition("+")[0]
        for one in distributions(path=[*{get_path("purelib"), get_path("platlib")}])
        if one.name != OURS and not one.name.startswith(own_pins)
    }
    exact = pins()
    assert {n: v for n, v in installed.items() if exact.get(n) != v} == {}


def test_no_requirement_replaces_torch() -> None:
    assert "torch" + "vision" not in pins()
