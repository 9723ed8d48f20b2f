from pathlib import Path

import pytest
import torch

from model.maira2.formats import (
    choose_attention,
    choose_dtype,
    cpu_has_bfloat16,
    flags_of,
)
from model.maira2.modeling import Attention


@pytest.mark.parametrize(
    ("name", "device", "cpu_bfloat16", "wanted"),
    [
        ("auto", "cpu", True, torch.float32),
        ("auto", "cuda", False, torch.bfloat16),
        ("bfloat16", "cpu", True, torch.bfloat16),
        ("bfloat16", "cuda", False, torch.bfloat16),
        ("float16", "cuda", False, torch.float16),
        ("float32", "cuda", False, torch.float32),
    ],
)
def test_the_format_follows_from_name_device_and_processor(
    name: str, device: str, cpu_bfloat16: bool, wanted: torch.dtype
) -> None:
    assert choose_dtype(name, device, cpu_bfloat16=cpu_bfloat16) is wanted


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bfloat16", "no bfloat16 arithmetic"),
        ("float16", "for CUDA"),
        ("int4", "none of auto"),
    ],
)
def test_a_format_that_the_processor_lacks_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        choose_dtype(name, "cpu", cpu_bfloat16=False)


@pytest.mark.parametrize(
    ("name", "device", "dtype", "wanted"),
    [
        ("auto", "cpu", torch.float32, Attention.EAGER),
        ("auto", "cpu", torch.bfloat16, Attention.SDPA),
        ("auto", "cuda", torch.float32, Attention.SDPA),
        ("sdpa", "cpu", torch.float32, Attention.SDPA),
        ("eager", "cuda", torch.bfloat16, Attention.EAGER),
    ],
)
def test_the_attention_is_that_of_the_golden_answers_where_they_can_be_met(
    name: str, device: str, dtype: torch.dtype, wanted: Attention
) -> None:
    assert choose_attention(name, device, dtype) is wanted


def test_an_unknown_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="flash"):
        choose_attention("flash", "cpu", torch.float32)


@pytest.mark.parametrize(
    ("description", "wanted"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n", True),
        ("processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n", False),
        ("", False),
    ],
)
def test_the_arithmetic_is_read_from_the_processors_features(
    tmp_path: Path, description: str, wanted: bool
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(description)
    assert cpu_has_bfloat16(file) is wanted


def test_an_unknown_processor_counts_as_without(tmp_path: Path) -> None:
    assert not cpu_has_bfloat16(tmp_path / "none")
    assert flags_of("flags : a b") == {"a", "b"}
