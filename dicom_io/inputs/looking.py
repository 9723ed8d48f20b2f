"""What is known of a study's images beside their headers, before any is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicom_io.inputs.rejections import rejected_instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a study's images beside their headers; keys: SOP Instance UIDs.

    `rejected`: why a rejection note of the study says that an image is not to be
    used.
    """

    rejected: Mapping[str, str] = field(default_factory=dict)


HEADERS_ALONE = Seen()
"""Nothing was looked at: the headers decide."""


def look(documents: Sequence[Path]) -> Seen:
    """Read the rejection notes among the documents of a study."""
    return Seen(rejected=rejected_instances(documents))
