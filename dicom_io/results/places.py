"""The places and sides that a sentence may name, and their codes.

A table of our own; phrases are written as in `vocabulary`. Places follow CID 6124
to 6126 (chest) and CID 4031; a word wider than its code is never used, a word
narrower than any code takes the next wider one ("lung base": lower zone).
"""

from dataclasses import dataclass

from pydicom.sr.coding import Code

from dicom_io import codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place that words name.

    side : said by the word itself (biapical).
    """

    codes: tuple[Code, ...]
    phrases: tuple[str, ...]
    side: Code | None = None


RIGHT = Code("24028007", "SCT", "Right")
LEFT = Code("7771000", "SCT", "Left")
BILATERAL = Code("51440002", "SCT", "Bilateral")
"""Laterality (CID 244): the patient's sides, as radiographs are read."""

LUNG = Code("39607008", "SCT", "Lung")
UPPER_LOBE = Code("45653009", "SCT", "Upper lobe of lung")
MIDDLE_LOBE = Code("72481006", "SCT", "Middle lobe of right lung")
LOWER_LOBE = Code("90572001", "SCT", "Lower lobe of lung")
UPPER_ZONE = Code("281392002", "SCT", "Upper zone of lung")
MIDDLE_ZONE = Code("281393007", "SCT", "Middle zone of lung")
LOWER_ZONE = Code("281394001", "SCT", "Lower zone of lung")
APEX = Code("86598002", "SCT", "Apex of Lung")
HILUM = Code("46750007", "SCT", "Hilum of lung")
PLEURA = Code("3120008", "SCT", "Pleura")
FISSURE = Code("278983006", "SCT", "Fissure of lung")
DIAPHRAGM = Code("5798000", "SCT", "Diaphragm")
CHEST_WALL = Code("78904004", "SCT", "Chest wall")
AXILLA = Code("91470000", "SCT", "Axilla")
RIB = Code("113197003", "SCT", "Rib")
CLAVICLE = Code("51299004", "SCT", "Clavicle")
SCAPULA = Code("79601000", "SCT", "Scapula")
HUMERUS = Code("85050009", "SCT", "Humerus")
HEART = Code("80891009", "SCT", "Heart")
PERICARDIUM = Code("76848001", "SCT", "Pericardium")
MEDIASTINUM = Code("72410000", "SCT", "Mediastinum")
AORTA = Code("15825003", "SCT", "Aorta")
ASCENDING_AORTA = Code("54247002", "SCT", "Ascending aorta")
THORACIC_AORTA = Code("113262008", "SCT", "Thoracic aorta")
AORTIC_ARCH = Code("57034009", "SCT", "Aortic arch")
AORTIC_KNOB = Code("112102", "DCM", "Aortic knob")
TRACHEA = Code("44567001", "SCT", "Trachea")
ESOPHAGUS = Code("32849002", "SCT", "Esophagus")
SPINE = Code("421060004", "SCT", "Spine")
THORACIC_SPINE = Code("122495006", "SCT", "Thoracic spine")
STERNUM = Code("56873002", "SCT", "Sternum")

UNPAIRED = frozenset(
    {HEART, PERICARDIUM, MEDIASTINUM, AORTA, ASCENDING_AORTA, THORACIC_AORTA}
    | {AORTIC_ARCH, AORTIC_KNOB, TRACHEA, ESOPHAGUS, SPINE, THORACIC_SPINE, STERNUM}
)
"""Places that have no laterality."""


def _site(code: Code, *phrases: str) -> Site:
    return Site(codes=(code,), phrases=phrases)


def _both(code: Code, *phrases: str) -> Site:
    return Site(codes=(code,), phrases=phrases, side=BILATERAL)


SITES = (
    _site(
        LUNG, "lung", "pulmonary", "airspace", "air space", "parenchymal", "perihilar"
    ),
    _site(LUNG, "suprahilar", "infrahilar", "pleural parenchymal", "pleuroparenchymal"),
    _site(UPPER_LOBE, "upper lobe"),
    _site(MIDDLE_LOBE, "middle lobe"),
    _site(LOWER_LOBE, "lower lobe"),
    Site(codes=(UPPER_LOBE, LOWER_LOBE), phrases=("upper and lower lobe",)),
    Site(codes=(UPPER_LOBE, MIDDLE_LOBE), phrases=("upper and middle lobe",)),
    Site(codes=(MIDDLE_LOBE, LOWER_LOBE), phrases=("middle and lower lobe",)),
    _site(
        UPPER_ZONE, "upper zone", "upper lung", "upper lung zone", "upper lung field"
    ),
    _site(
        MIDDLE_ZONE, "middle zone", "mid zone", "mid lung", "mid lung zone", "midlung"
    ),
    _site(MIDDLE_ZONE, "middle lung zone", "mid lung field", "middle lung field"),
    _site(
        LOWER_ZONE, "lower zone", "lower lung", "lower lung zone", "lower lung field"
    ),
    _site(LOWER_ZONE, "base", "lung base", "basal", "basilar"),
    Site(codes=(UPPER_ZONE, MIDDLE_ZONE), phrases=("upper and middle zone",)),
    Site(codes=(MIDDLE_ZONE, LOWER_ZONE), phrases=("middle and lower zone",)),
    _both(LOWER_ZONE, "bibasilar", "bibasal"),
    _site(APEX, "apex", "apices", "apical", "lung apex"),
    _both(APEX, "biapical"),
    _site(HILUM, "hilum", "hila", "hilar"),
    _site(PLEURA, "pleura", "pleural"),
    _site(FISSURE, "fissure"),
    _site(DIAPHRAGM, "diaphragm", "hemidiaphragm"),
    _site(codes.CHEST, "hemithorax", "hemithoraces"),
    _site(CHEST_WALL, "chest wall"),
    _site(AXILLA, "axilla", "axillary", "axillae"),
    _site(RIB, "rib"),
    _site(CLAVICLE, "clavicle"),
    _site(SCAPULA, "scapula"),
    _site(HUMERUS, "humerus", "humeral head"),
    _site(MEDIASTINUM, "mediastinum", "mediastinal"),
    _site(AORTA, "aorta", "aortic"),
    _site(ASCENDING_AORTA, "ascending aorta"),
    _site(THORACIC_AORTA, "thoracic aorta"),
    _site(AORTIC_ARCH, "aortic arch"),
    _site(AORTIC_KNOB, "aortic knob"),
    _site(TRACHEA, "trachea", "tracheal"),
    _site(ESOPHAGUS, "esophagus", "esophageal"),
    _site(SPINE, "spine", "spinal"),
    _site(THORACIC_SPINE, "thoracic spine"),
    _site(STERNUM, "sternum", "sternal"),
    Site(codes=(), phrases=("pulmonary artery", "pulmonary vasculature", "free lung")),
)
"""The last row holds names of a place that are none of the places above."""

SIDES = (
    (RIGHT, ("right",)),
    (LEFT, ("left",)),
    (BILATERAL, ("bilateral", "bilaterally", "right and left", "left and right")),
    (BILATERAL, ("both side", "both lung", "both upper", "both lower", "both mid")),
    (
        BILATERAL,
        ("both base", "both apices", "both hila", "both middle", "either side"),
    ),
    (BILATERAL, ("both hemithoraces", "both pleural", "both apex", "each side")),
    (None, ("left in place", "right atrium", "right ventricle", "left atrium")),
    (None, ("left ventricle", "right heart", "left heart", "right atrial")),
)
"""Words of side; the rows with None are words that only look so."""

RELATIONS = (
    *(
        "above",
        "below",
        "beneath",
        "behind",
        "near the",
        "over",
        "overlying",
        "overlies",
    ),
    *("adjacent to", "abutting", "obscuring", "silhouetting", "sparing", "toward"),
    *("towards", "terminates", "terminating", "between", "level of", "than"),
    *("with tip", "crossing", "relative to", "displacing", "extending"),
)
"""What is named after these is beside the finding, not where it is."""
