import json
from pathlib import Path

import numpy as np
import pytest

from model.errors import CheckpointError
from model.maira2.golden import CaseResult, count_mismatches, distance, mismatch
from model.maira2.parity import ParityResult, run_parity
from tests.data.tiny_maira2 import tiny_tokenizer, write_tiny


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    write_tiny(tmp_path / "checkpoint")
    return tmp_path


def write(folder: Path, name: str, value: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps(value))


def exact(result: ParityResult) -> dict[str, bool]:
    return {case.name: case.exact for case in result.cases}


def test_a_folder_without_cases_proves_nothing(golden: Path) -> None:
    assert not run_parity(golden).exact


def test_a_wrong_parser_result_is_found(golden: Path) -> None:
    right = {"input": "<obj>a</obj>", "kind": "grounded", "result": [["a", None]]}
    wrong = right | {"result": [["b", None]]}
    unflagged = {"input": "<obj>a</obj>", "kind": "error"}
    write(golden, "decode_cases", [right, wrong, unflagged])
    result = run_parity(golden)
    assert exact(result) == {"parser 0": True, "parser 1": False, "parser 2": False}
    assert not result.exact


def test_a_wrong_box_is_found(golden: Path) -> None:
    right = {
        "box": [0, 0, 1, 1],
        "width": 10,
        "height": 20,
        "result": [0, 0.25, 1, 0.75],
    }
    write(golden, "adjust_box_cases", [right, right | {"width": 11}])
    assert exact(run_parity(golden)) == {"box 0": True, "box 1": False}


def test_a_wrong_id_is_found(golden: Path) -> None:
    tokenizer = tiny_tokenizer()
    right = {
        "text": "a",
        "ids": [tokenizer.token_to_id("▁"), tokenizer.token_to_id("a")],
        "decode_skip_special": "a",
        "decode_keep_special": "a</s>",
    }
    strings = [right, right | {"ids": [0]}]
    write(golden, "tokenizer_cases", {"strings": strings, "added_vocab": {}})
    assert exact(run_parity(golden)) == {"tokenizer 0": True, "tokenizer 1": False}


def test_a_missing_picture_is_named(golden: Path) -> None:
    folder = golden / "cases" / "one"
    folder.mkdir(parents=True)
    inputs = {"kind": "report", "current_frontal": "film"}
    write(folder, "case", {"inputs": inputs})
    np.savez(folder / "arrays.npz", input_ids=np.zeros(1))
    with pytest.raises(CheckpointError, match=r"film\.png"):
        run_parity(golden)


def test_sequences_of_other_lengths_differ() -> None:
    assert count_mismatches("ids", [1, 2, 3], [1, 5]).found == 2


def test_another_shape_or_a_nan_is_never_exact() -> None:
    zeros = np.zeros(3, dtype=np.float32)
    assert not distance("logits", zeros, zeros[:2]).exact
    assert not distance("logits", zeros * np.float32("nan"), zeros).exact
    assert distance("logits", zeros, zeros).exact


def test_a_case_is_exact_where_all_its_quantities_are() -> None:
    same, other = mismatch("a", 1, 1), mismatch("b", 1, 2)
    assert CaseResult(name="x", differences=(same,)).exact
    assert not CaseResult(name="x", differences=(same, other)).exact
