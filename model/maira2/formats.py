"""Which number format and which attention code run on a device; pure but for one probe.

bfloat16 without arithmetic of its own is emulated: on a processor with AVX2 alone a
trial took 2.4 times as long as float32, and answered differently.
"""

from pathlib import Path

import torch

from model.maira2.modeling import Attention

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Linux' names for bfloat16 arithmetic: x86 AVX512-BF16 and AMX, ARM BF16."""


def choose_dtype(name: str, device: str, *, cpu_bfloat16: bool) -> torch.dtype:
    """Return the number format of the weights.

    name : "auto" (float32 on a CPU, bfloat16 on CUDA) or a format; device : "cpu" or
    "cuda"; cpu_bfloat16 : whether the processor has bfloat16 arithmetic. Raises
    `ValueError` for an unknown name, for float16 on a CPU, and for bfloat16 on a CPU
    without arithmetic for it: each asks for what would only be slower and less exact.
    """
    if name == "auto":
        return torch.bfloat16 if device == "cuda" else torch.float32
    if name not in _DTYPES:
        raise ValueError(f"dtype {name!r} is none of auto, {', '.join(_DTYPES)}")
    if device == "cpu" and name == "float16":
        raise ValueError("dtype float16 is for CUDA; use float32 on a CPU")
    if device == "cpu" and name == "bfloat16" and not cpu_bfloat16:
        raise ValueError(
            "dtype bfloat16: this processor has no bfloat16 arithmetic "
            "(AVX512-BF16, AMX or ARM BF16); use float32"
        )
    return _DTYPES[name]


def choose_attention(name: str, device: str, dtype: torch.dtype) -> Attention:
    """Return the attention code. Raises `ValueError` for an unknown name.

    "auto" : eager for float32 on a CPU, as the golden answers were made, else sdpa.
    """
    if name == "auto":
        exact = device == "cpu" and dtype is torch.float32
        return Attention.EAGER if exact else Attention.SDPA
    if name not in set(Attention):
        raise ValueError(f"attention {name!r} is none of auto, {', '.join(Attention)}")
    return Attention(name)


def cpu_has_bfloat16(description: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the processor has bfloat16 arithmetic; unknown counts as no.

    description : the kernel's description of the processor.
    """
    try:
        text = description.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return not _FLAGS.isdisjoint(flags_of(text))


def flags_of(description: str) -> frozenset[str]:
    """Read the features of the first processor in a kernel's description."""
    for line in description.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            return frozenset(value.split())
    return frozenset()
