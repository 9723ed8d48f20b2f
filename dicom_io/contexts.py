"""Presentation contexts by role: few, because each association copies them."""

from collections.abc import Iterable

from pydicom import uid
from pynetdicom import build_context, build_role, sop_class
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

FILM_CLASSES: tuple[str, ...] = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.SecondaryCaptureImageStorage,
)

FRAMES_CLASSES: tuple[str, ...] = (
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

REPORT_CLASSES: tuple[str, ...] = (
    uid.BasicTextSRStorage,
    uid.EnhancedSRStorage,
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
)

ENCAPSULATED_CLASSES: tuple[str, ...] = (
    uid.EncapsulatedPDFStorage,
    uid.EncapsulatedCDAStorage,
)
"""Reports of other systems as documents (PS3.3 A.45)."""

STATE_CLASSES: tuple[str, ...] = (uid.GrayscaleSoftcopyPresentationStateStorage,)

KEY_OBJECT_CLASSES: tuple[str, ...] = (uid.KeyObjectSelectionDocumentStorage,)

STORAGE_CLASSES = (
    *(FILM_CLASSES + FRAMES_CLASSES),
    *(REPORT_CLASSES + ENCAPSULATED_CLASSES + STATE_CLASSES + KEY_OBJECT_CLASSES),
)
"""Every storage class that this node takes. DX for processing is not among them:
it is not a picture for a reader (PS3.3 A.26)."""

PLAIN_SYNTAXES: tuple[str, ...] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)

COMPRESSED_SYNTAXES: tuple[str, ...] = (
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEG2000,
    uid.HTJ2K,
    uid.JPEGLSNearLossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
)
"""Lossless before lossy; where a sender leaves the choice, the first is taken."""

IMAGE_SYNTAXES = PLAIN_SYNTAXES + COMPRESSED_SYNTAXES

_MESSAGE_SYNTAXES = PLAIN_SYNTAXES[:2]


def _storage_context(class_uid: str) -> PresentationContext:
    images = FILM_CLASSES + FRAMES_CLASSES
    syntaxes = IMAGE_SYNTAXES if class_uid in images else PLAIN_SYNTAXES
    return build_context(class_uid, list(syntaxes))


def storage_contexts() -> list[PresentationContext]:
    """List what a storage SCP of this package accepts."""
    return [_storage_context(class_uid) for class_uid in STORAGE_CLASSES]


def listener_contexts(*, commits: bool = False) -> list[PresentationContext]:
    """List what our listener accepts: storage, C-ECHO, commitment reports.

    A peer that opens an association to report a commitment is its SCP, so it may
    propose that role for itself (PS3.4 J.3.3). That of the SCU, who asks for a
    commitment, is its to propose where we give any: `commits`.
    """
    commitment = message_context(sop_class.StorageCommitmentPushModel)  # type: ignore[attr-defined]
    commitment.scu_role = commits
    commitment.scp_role = True
    return [*storage_contexts(), message_context(sop_class.Verification), commitment]  # type: ignore[attr-defined]


def message_context(class_uid: str) -> PresentationContext:
    """Propose a class whose data sets are messages, not instances."""
    return build_context(class_uid, list(_MESSAGE_SYNTAXES))


def retrieval_contexts() -> list[PresentationContext]:
    """List the storage contexts that a C-GET of ours proposes.

    A compressed syntax has a context of its own: one context ends in one syntax,
    and the archive is to send what it holds.
    """
    contexts = [build_context(each, list(PLAIN_SYNTAXES)) for each in STORAGE_CLASSES]
    for class_uid in FILM_CLASSES:
        contexts += [build_context(class_uid, each) for each in COMPRESSED_SYNTAXES]
    return contexts


def scp_roles(class_uids: Iterable[str]) -> list[SCP_SCU_RoleSelectionNegotiation]:
    """Propose to be the SCP of `class_uids` as requestor (PS3.7 D.3.3.4)."""
    return [build_role(each, scp_role=True) for each in class_uids]
