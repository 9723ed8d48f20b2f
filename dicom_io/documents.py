"""The documents among a study's files, as far as they can be read."""

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from dicom_io.elements import Attributes
from dicom_io.errors import UnreadableHeader
from dicom_io.parsing import read_file
from dicom_io.values import text

_log = logging.getLogger(__name__)


def read_documents(
    paths: Sequence[Path], sop_class_uids: Collection[str]
) -> Iterator[tuple[Path, Attributes]]:
    """Yield the files of these SOP classes; one that cannot be parsed is logged."""
    for path in paths:
        try:
            ds = read_file(path).attributes
        except UnreadableHeader as error:
            _log.warning("a file of the study is not read: %s", error)
            continue
        if text(ds, "SOPClassUID") in sop_class_uids:
            yield path, ds
