"""An encapsulated PDF or CDA (PS3.3 A.45) -> its text, in a limited child."""

import json
import os
import subprocess
from pathlib import Path

from dicom_io.child import run_child
from dicom_io.errors import UnreadableHeader

_CHILD = "dicom_io.reports.extracting"
_SECONDS = 20


def extract_text(path: Path) -> str:
    """Return the text of the document in `path`, lines kept.

    Raises UnreadableHeader, with the reason, where there is none to be had.
    """
    try:
        done = run_child(_CHILD, [os.fspath(path)], _SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UnreadableHeader(f"reading it took over {_SECONDS} s") from error
    if done.returncode != 0 or not done.stdout:
        raise UnreadableHeader("the process that reads it came to its limits")
    answer: dict[str, str] = json.loads(done.stdout)
    if "error" in answer:
        raise UnreadableHeader(answer["error"])
    return answer["text"]
