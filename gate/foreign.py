"""Files that belong to others and must not be copied into the tree."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from gate.findings import Finding
from gate.tree import files_of

FOREIGN = {
    sha256: f"{name} of the golden checkpoint"
    for name, sha256 in {
        "tokenizer.json": (
            "3ecf4a877bb11bb1ff5318f0bc2d32c8eb072fa06e73b648de0c2e088aec3253"
        ),
        "tokenizer.model": (
            "9e556afd44213b6bd1be2b850ebbbd98f5481437a8021afaf58ee7fb1818d347"
        ),
        "model-00001-of-00003.safetensors": (
            "28145a0a4d18b5c82708300d98abb812c72a35f05be9fb1abb85fd293638c900"
        ),
        "model-00002-of-00003.safetensors": (
            "097630723bafb588a4425c5f98f890ef3dcf2cb0250470c21c91632dd177611d"
        ),
        "model-00003-of-00003.safetensors": (
            "cd5c1abe9b4ff321ed86cf5a765ff71bcc22769122306c16ddd221d39a672977"
        ),
    }.items()
}
"""SHA-256 -> which file it is. The tokenizer is the official one."""


def check_foreign_files(
    root: Path, foreign: Mapping[str, str] = FOREIGN
) -> list[Finding]:
    """No tokenizer or weights file of the golden folder lies in the tree."""
    return [
        Finding(
            place=str(path.relative_to(root)),
            message=f"is {name}; it may not be distributed",
        )
        for path in files_of(root)
        if (name := foreign.get(_sha256(path)))
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
