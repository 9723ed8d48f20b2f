"""An encapsulated PDF or CDA (PS3.3 A.45) -> its text, in a limited child."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dicom_io.errors import UnreadableHeader

_ROOT = Path(__file__).resolve().parents[2]
_CHILD = "dicom_io.reports.extracting"
_SECONDS = 20


def extract_text(path: Path) -> str:
    """Return the text of the document in `path`, lines kept.

    Raises UnreadableHeader, with the reason, where there is none to be had.
    """
    command = [sys.executable, "-P", "-m", _CHILD, os.fspath(path)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # warnings quote values of the patient
            timeout=_SECONDS,
            env={"PYTHONPATH": os.fspath(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableHeader(f"reading it took over {_SECONDS} s") from error
    if done.returncode != 0 or not done.stdout:
        raise UnreadableHeader("the process that reads it came to its limits")
    answer: dict[str, str] = json.loads(done.stdout)
    if "error" in answer:
        raise UnreadableHeader(answer["error"])
    return answer["text"]
