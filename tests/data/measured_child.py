"""The decoding child, and what it used: run as a child in its place."""

import json
import resource
from pathlib import Path

from dicom_io.pictures import decoding


def main(arguments: list[str]) -> None:
    """Decode as `decoding.main`; write CPU seconds and KiB beyond the beginning."""
    where, *rest = arguments
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decoding.main(rest)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = (after.ru_utime + after.ru_stime, after.ru_maxrss - before)
    Path(where).write_text(json.dumps(used), "utf-8")
