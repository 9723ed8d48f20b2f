"""The arithmetic under which parity is judged. Light: importing this loads no torch."""

import os

REFERENCE = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
"""256-bit vectors in torch and oneDNN. Measured: with them the golden answers are
repeated to the last bit; the official code ran under the same torch."""


def use_reference_arithmetic() -> None:
    """Choose the vectors of `REFERENCE` where the environment does not say.

    Works only before torch is imported: it reads these variables once.
    """
    for name, value in REFERENCE.items():
        os.environ.setdefault(name, value)
