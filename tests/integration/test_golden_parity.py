"""Golden answers of the official code, through the product's own code."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model.maira2.configuration import parse_config, read_json
from model.maira2.golden import case_folders
from model.maira2.modeling import Attention
from model.maira2.names import official_name
from model.maira2.parity import run_parity
from model.maira2.weights import skeleton

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT.parent / "shared" / "golden" / "maira2"
RUN = """
import sys
from pathlib import Path
from model.maira2.arithmetic import use_reference_arithmetic
use_reference_arithmetic()
from model.maira2.modeling import Attention
from model.maira2.parity import run_parity
result = run_parity(Path(sys.argv[1]), Attention(sys.argv[2]))
print(max(d.found for case in result.cases for d in case.differences))
sys.exit(not result.exact)
"""

FAST = """
import sys
from pathlib import Path
from model.maira2.arithmetic import use_reference_arithmetic
use_reference_arithmetic()
from tests.data.fast_paths import differing_cases
found = differing_cases(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
print(found)
sys.exit(bool(found))
"""

EVERY = int(os.environ.get("GOLDEN_EVERY", "6"))
"""Every which case each way of running takes; one of them takes all."""

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def golden() -> Path:
    folder = Path(os.environ.get("MAIRA_GOLDEN", DEFAULT))
    if not (folder / "checkpoint").is_dir():
        reason = f"no golden folder at {folder}; set MAIRA_GOLDEN"
        if os.environ.get("REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def some(golden: Path, tmp_path: Path) -> Callable[[int], Path]:
    """Return a golden folder of every sixth case, from the case of a given number."""

    def folder(first: int) -> Path:
        for path in golden.iterdir():
            if path.name != "cases":
                (tmp_path / path.name).symlink_to(path.resolve())
        (tmp_path / "cases").mkdir()
        for case in case_folders(golden)[first % EVERY :: EVERY]:
            (tmp_path / "cases" / case.name).symlink_to(case.resolve())
        return tmp_path

    return folder


def test_the_folder_holds_cases_of_every_kind(golden: Path) -> None:
    assert len(list(golden.glob("cases/*/case.json"))) >= 1
    for name in ("decode_cases", "adjust_box_cases", "tokenizer_cases"):
        assert json.loads((golden / f"{name}.json").read_text())


@pytest.mark.slow
def test_the_command_reproduces_every_golden_case(golden: Path) -> None:
    command = [sys.executable, "-m", "gateway", "model", "parity", "--json"]
    done = subprocess.run(
        [*command, "--golden", str(golden)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    answer = json.loads(done.stdout)
    assert answer["exact"] is True
    kinds = {case["name"].partition(" ")[0] for case in answer["cases"]}
    assert len(kinds) == 4
    found = [d["found"] for case in answer["cases"] for d in case["differences"]]
    assert max(found) <= 1e-4


@pytest.mark.slow
def test_the_other_attention_stays_within_the_tolerance(
    some: Callable[[int], Path],
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(some(5)), Attention.SDPA.value],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "path", "attention", "rows"),
    [
        (0, "prefix", Attention.EAGER, 1),
        (1, "prefix", Attention.SDPA, 4),
        (2, "lookup", Attention.EAGER, 1),
        (3, "fixed", Attention.EAGER, 4),
        (4, "all", Attention.SDPA, 1),
    ],
)
def test_every_fast_path_has_the_golden_ids(
    some: Callable[[int], Path], first: int, path: str, attention: Attention, rows: int
) -> None:
    arguments = [str(some(first)), path, str(rows), attention.value]
    done = subprocess.run(
        [sys.executable, "-c", FAST, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_with_the_vectors_of_this_processor_the_words_stay_the_same(
    some: Callable[[int], Path],
) -> None:
    result = run_parity(some(1))
    discrete = [
        f"{case.name}: {difference.quantity} {difference.found}"
        for case in result.cases
        for difference in case.differences
        if difference.allowed == 0 and not difference.exact
    ]
    assert result.cases
    assert discrete == []


def test_a_full_size_model_has_the_official_tensors(golden: Path) -> None:
    published = read_json(golden / "full_size_state_dict_keys.json")
    config = read_json(golden / "checkpoint" / "config.json")
    text, vision = config["text_config"], config["vision_config"]
    assert isinstance(text, dict)
    assert isinstance(vision, dict)
    text |= {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "head_dim": 128,
    }
    vision |= {"hidden_size": 768, "num_attention_heads": 12}
    model = skeleton(parse_config(config))
    found = {official_name(k): list(v.shape) for k, v in model.state_dict().items()}
    assert found == published
    assert len(found) == 522
