from pydicom import uid

from dicom_io.contexts import (
    COMPRESSED_SYNTAXES,
    FILM_CLASSES,
    STORAGE_CLASSES,
    listener_contexts,
    retrieval_contexts,
)


def _syntaxes(class_uid: str) -> list[str]:
    contexts = listener_contexts()
    return [
        str(each)
        for context in contexts
        if context.abstract_syntax == class_uid
        for each in context.transfer_syntax
    ]


def test_images_are_taken_uncompressed_by_preference() -> None:
    syntaxes = _syntaxes(uid.ComputedRadiographyImageStorage)
    assert syntaxes[0] == uid.ExplicitVRLittleEndian
    assert set(COMPRESSED_SYNTAXES) <= set(syntaxes)


def test_lossless_is_preferred_to_lossy() -> None:
    syntaxes = _syntaxes(uid.DigitalXRayImageStorageForPresentation)
    assert syntaxes.index(uid.JPEG2000Lossless) < syntaxes.index(uid.JPEG2000)
    assert syntaxes.index(uid.HTJ2KLossless) < syntaxes.index(uid.HTJ2K)


def test_reports_are_never_compressed_images() -> None:
    assert not set(_syntaxes(uid.ComprehensiveSRStorage)) & set(COMPRESSED_SYNTAXES)


def test_films_for_processing_are_not_taken() -> None:
    assert uid.DigitalXRayImageStorageForProcessing not in STORAGE_CLASSES


def _roles(*, commits: bool) -> dict[str, tuple[bool | None, bool | None]]:
    """Map classes to the roles that a requestor may propose for itself."""
    return {
        str(each.abstract_syntax): (each.scu_role, each.scp_role)
        for each in listener_contexts(commits=commits)
        if each.scp_role is not None
    }


def test_a_requestor_may_be_the_provider_of_commitment_only() -> None:
    assert _roles(commits=False) == {"1.2.840.10008.1.20.1": (False, True)}


def test_a_requestor_may_ask_for_commitment_where_it_is_given() -> None:
    assert _roles(commits=True) == {"1.2.840.10008.1.20.1": (True, True)}


def test_a_retrieval_proposes_each_compressed_syntax_alone() -> None:
    contexts = retrieval_contexts()
    alone = {
        (str(each.abstract_syntax), str(each.transfer_syntax[0]))
        for each in contexts
        if len(each.transfer_syntax) == 1
    }
    assert alone == {
        (film, each) for film in FILM_CLASSES for each in COMPRESSED_SYNTAXES
    }
    assert len(contexts) < 128
