"""Is it a radiograph of a human chest, by its header; pure, with reasons.

Words are matched, values are never quoted beyond the word that matched: a
description may hold a name.
"""

import re
from dataclasses import dataclass

from dicom_io.header import Instance
from dicom_io.product import PRODUCT_NAME

CR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.1"
DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
DX_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
SECONDARY_CAPTURE_ROOT = "1.2.840.10008.5.1.4.1.1.7"

RADIOGRAPH_MODALITIES = frozenset({"CR", "DX"})
"""Modality (0008,0060) of a film."""

_RADIOGRAPHS = frozenset({CR_IMAGE_STORAGE, DX_FOR_PRESENTATION, DX_FOR_PROCESSING})
_HUMAN_CODES = frozenset({"337915000", "L-85B00"})
"""Homo sapiens in SNOMED CT and in the earlier SNOMED (CID 7454)."""
_SCREEN_CONVERSIONS = frozenset({"DV", "DRW", "SD", "SI", "SYN", "WSD"})
"""Conversion Type (0008,0064) of what was not exposed as a film (PS3.3 C.8.6.1)."""

_HUMAN = re.compile(r"\b(homo sapiens|humans?)\b")
_VETERINARY = re.compile(r"veterin|animal hospital|tierarzt|tierärzt|tierklinik")
"""Words that tell in the name of a place; a White Horse Hospital treats people."""
_ANIMAL = re.compile(
    rf"{_VETERINARY.pattern}|\b(canines?|felines?|equines?|bovines?"
    r"|porcines?|avians?|canis|felis|equus|dogs?|horses?|rabbits?|puppy|kitten"
    r"|animals?|hund|katze|pferd)\b"
)
_CAPTURE = re.compile(
    r"\b(reports?|befund|cad|overlays?|screen ?(shot|save|capture)s?|summary"
    r"|dose|result|scanned|document|presentation state)\b"
)
_CHEST = re.compile(r"chest|thora[xk](?!ic)|\b(lungs?|cxr|pulmonary|torax|lunge)\b")
_ELSEWHERE = re.compile(
    r"spine|\b(wirbels.ule|[ctl] ?sp|cervical|lumbar|sacrum|coccyx|abdom\w*|kub|pelvis"
    r"|becken|hips?|h.fte|knees?|knie|hands?|wrists?|fingers?|thumb|foot|feet|ankles?"
    r"|toes?|heel|calcaneus|skull|sch.del|head|neck|sinus\w*|face|facial|orbits?"
    r"|mandible|teeth|dental|tooth|jaw|shoulders?|schulter|scapula|clavicles?|humerus"
    r"|elbows?|forearm|arms?|legs?|femur|tibia|fibula|patella|extrem\w+|breasts?|mammo\w*"
    r"|ribs?|rippen|sternum|bone age|whole ?body)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word that decided, and the attribute it stood in."""

    keyword: str
    word: str

    def __str__(self) -> str:
        """Say it in a sentence's words."""
        return f"{self.keyword} has {self.word!r}"


def find_animal(instance: Instance) -> Word | None:
    """Return what says that the patient is not human, or None."""
    if instance.species is not None and not _is_human(instance.species):
        return Word(keyword="PatientSpecies", word="not human")
    for keyword in ("PatientBreedDescription", "PatientBreedCodeSequence"):
        if instance.text_value(keyword):
            return Word(keyword=keyword, word="a breed")
    if instance.text_value("PatientSexNeutered"):
        return Word(keyword="PatientSexNeutered", word="a value")
    place = (("InstitutionName", _normal(instance.institution)),)
    return _first(_ANIMAL, _described(instance)) or _first(_VETERINARY, place)


def find_capture(instance: Instance) -> Word | None:
    """Return what says that this is a capture of something else, or None."""
    if instance.model_name == PRODUCT_NAME:
        return Word(keyword="ManufacturerModelName", word=PRODUCT_NAME)
    if not is_secondary_capture(instance):
        return None
    conversion = instance.text_value("ConversionType")
    if conversion in _SCREEN_CONVERSIONS:
        return Word(keyword="ConversionType", word=conversion)
    if (
        instance.modality not in RADIOGRAPH_MODALITIES
        and instance.view_position is None
    ):
        return Word(keyword="Modality", word="no CR, no DX, and no View Position")
    return _first(_CAPTURE, _described(instance))


def is_radiograph(instance: Instance) -> bool:
    """Tell CR and DX, by class or by modality: in practice either may be wrong."""
    by_class = instance.sop_class_uid in _RADIOGRAPHS
    return (
        by_class
        or instance.modality in RADIOGRAPH_MODALITIES
        or _is_film_capture(instance)
    )


def is_secondary_capture(instance: Instance) -> bool:
    """Tell the Secondary Capture classes, single and multi-frame."""
    uid = instance.sop_class_uid
    return uid == SECONDARY_CAPTURE_ROOT or uid.startswith(f"{SECONDARY_CAPTURE_ROOT}.")


def find_other_region(instance: Instance) -> Word | None:
    """Return what says that this is not the chest, or None.

    Body Part Examined decides alone where it names another region; where it says
    chest, the image's own description may still name another one (a rib series),
    because devices write a default.
    """
    body_part = _normal(instance.body_part)
    elsewhere = _ELSEWHERE.search(body_part)
    if elsewhere and not _CHEST.search(body_part):
        return Word(keyword="BodyPartExamined", word=elsewhere[0])
    if body_part and not elsewhere and not _CHEST.search(body_part):
        return Word(keyword="BodyPartExamined", word="no chest")
    own = _own_texts(instance)
    if any(_CHEST.search(value) for _, value in own):
        return None
    return _first(_ELSEWHERE, own if body_part else (*own, *_study_texts(instance)))


def find_chest(instance: Instance) -> Word | None:
    """Return what says that this is the chest, or None where nothing does."""
    own = (("BodyPartExamined", _normal(instance.body_part)), *_own_texts(instance))
    return _first(_CHEST, (*own, *_study_texts(instance)))


def _is_film_capture(instance: Instance) -> bool:
    return is_secondary_capture(instance) and instance.view_position is not None


def _is_human(species: str) -> bool:
    return species in _HUMAN_CODES or bool(_HUMAN.search(species.casefold()))


def _first(pattern: re.Pattern[str], texts: tuple[tuple[str, str], ...]) -> Word | None:
    for keyword, value in texts:
        match = pattern.search(value)
        if match:
            return Word(keyword=keyword, word=match[0])
    return None


def _own_texts(instance: Instance) -> tuple[tuple[str, str], ...]:
    """Return what describes this image, not its study."""
    values = {
        "AnatomicRegionSequence": instance.text_value("AnatomicRegionSequence"),
        "SeriesDescription": instance.series_description,
        "ProtocolName": instance.protocol_name,
        "AcquisitionDeviceProcessingDescription": (
            instance.acquisition_device_processing
        ),
        "PerformedProtocolCodeSequence": instance.text_value(
            "PerformedProtocolCodeSequence"
        ),
    }
    return tuple((keyword, _normal(value)) for keyword, value in values.items())


def _study_texts(instance: Instance) -> tuple[tuple[str, str], ...]:
    values = {
        "StudyDescription": instance.study_description,
        "RequestedProcedureDescription": instance.requested_procedure,
        "ProcedureCodeSequence": instance.text_value("ProcedureCodeSequence"),
        "PerformedProcedureStepDescription": instance.text_value(
            "PerformedProcedureStepDescription"
        ),
    }
    return tuple((keyword, _normal(value)) for keyword, value in values.items())


def _described(instance: Instance) -> tuple[tuple[str, str], ...]:
    return (*_own_texts(instance), *_study_texts(instance))


def _normal(value: str | None) -> str:
    """Fold case and write separators as spaces, so that words have edges."""
    return re.sub(r"[\s_\-./,;:()+^&]+", " ", (value or "").casefold())


def says_chest(value: str | None) -> bool:
    """Tell whether a text names the chest."""
    return bool(_CHEST.search(_normal(value)))


def says_elsewhere(value: str | None) -> bool:
    """Tell whether a text names a region that is not the chest."""
    return bool(_ELSEWHERE.search(_normal(value)))
