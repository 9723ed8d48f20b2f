"""What tells a reader that earlier results are withdrawn.

A narrative (Enhanced SR, TID 2000) that names the withdrawn documents as its
predecessors (PS3.3 C.17.2), so a viewer that shows the newest shows this one. A
rejection note besides it, where one is wanted.
"""

from dataclasses import dataclass

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage

from dicom_io import codes
from dicom_io.evidence import ReferencedInstance
from dicom_io.results.encode import encoded
from dicom_io.results.identity import identify
from dicom_io.results.key_objects import rejection_note
from dicom_io.results.kinds import ResultKind
from dicom_io.results.material import Material
from dicom_io.results.sr import container, document, document_context, text
from dicom_io.results.text import clean
from dicom_io.results.values import EncodedInstance
from dicom_io.results.wording import notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Why results are withdrawn, in what capacity, and which objects they were.

    No person is named: the name stands in the audit.
    """

    why: str
    role: str
    results: tuple[ReferencedInstance, ...]


def encode_withdrawal(
    material: Material,
    withdrawal: Withdrawal,
    own: frozenset[str],
    wanted: frozenset[ResultKind],
) -> tuple[EncodedInstance, ...]:
    """Return the objects that withdraw what was said about a study.

    material : of the reading that is withdrawn, see `encode.material_of`.
    own : SOP Instance UIDs of all results that were ever made of the study.
    wanted : the kinds that some destination gets; the narrative is always made.

    The same arguments give the same bytes. Raises NotEncodable.
    """
    told = encoded(
        ResultKind.WITHDRAWAL_SR, material, withdrawal_sr(material, withdrawal)
    )
    if ResultKind.REJECTION_NOTE not in wanted or not withdrawal.results:
        return (told,)
    note = rejection_note(material, withdrawal.results, own)
    return (told, encoded(ResultKind.REJECTION_NOTE, material, note))


def withdrawal_sr(material: Material, withdrawal: Withdrawal) -> Dataset:
    """Return the narrative that takes the place of the withdrawn documents."""
    root = container(
        codes.DIAGNOSTIC_IMAGING_REPORT,
        [
            *document_context(material),
            container(
                codes.CURRENT_PROCEDURE_DESCRIPTIONS,
                [text(codes.PROCEDURE_DESCRIPTION, notice(material.report))],
            ),
            container(codes.FINDINGS, _sentences(withdrawal)),
        ],
        template_id="2000",
    )
    identity = identify(ResultKind.WITHDRAWAL_SR, material.report, material.context)
    return document(material, EnhancedSRStorage, identity, root)


def _sentences(withdrawal: Withdrawal) -> list[sr.ContentItem]:
    why = clean(withdrawal.why).strip() or "no reason was given"
    return [
        text(
            codes.FINDING,
            f"WITHDRAWN. The {len(withdrawal.results)} result objects that this "
            "gateway made for this study before are withdrawn and must not be used.",
        ),
        text(codes.FINDING, f"Reason, given by a {withdrawal.role}: {why}"),
    ]
