"""The findings that a sentence may name, and their codes.

A table of our own. Every code is one of pydicom's dictionaries; a finding without
one there stands in `uncoded`. A phrase is written in lower case without hyphens;
plurals match by themselves, and " .. " stands for a few words between its two parts
("heart .. enlarged").
"""

from dataclasses import dataclass
from enum import Enum, auto

from pydicom.sr.coding import Code

from dicom_io.results.places import (
    AORTA,
    HEART,
    LUNG,
    MEDIASTINUM,
    PERICARDIUM,
    PLEURA,
)
from dicom_io.results.uncoded import UNCODED


class Place(Enum):
    """Where the site of a finding is read from."""

    NAMED = auto()
    """The place named beside it, else its own (or none)."""
    OWN = auto()
    """Always its own: an effusion at the base is still in the pleura."""
    DEVICE = auto()
    """Only a chest wall named before it: a line lies in many places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding that words name; `code` is None where pydicom has none for it."""

    code: Code | None
    phrases: tuple[str, ...]
    place: Place = Place.NAMED
    site: Code | None = None


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _named(code: Code, *phrases: str) -> Finding:
    return Finding(code=code, phrases=phrases)


def _lung(code: Code, *phrases: str) -> Finding:
    return Finding(code=code, phrases=phrases, site=LUNG)


def _aorta(code: Code, *phrases: str) -> Finding:
    return Finding(code=code, phrases=phrases, site=AORTA)


def _own(site: Code, code: Code, *phrases: str) -> Finding:
    return Finding(code=code, phrases=phrases, site=site, place=Place.OWN)


def _device(code: Code, *phrases: str) -> Finding:
    return Finding(code=code, phrases=phrases, place=Place.DEVICE)


_OPACITY = _dcm("112001", "Opacity")
_INTERSTITIAL = _dcm("112004", "Abnormal interstitial pattern")

# CID 6101 to 6106 (chest findings and features) where they have the concept
OBSERVATIONS = (
    _own(
        PLEURA,
        _sct("60046008", "Pleural effusion"),
        *("pleural effusion", "effusion", "pleural fluid", "hydrothorax"),
    ),
    _own(
        PLEURA,
        _sct("36118008", "Pneumothorax"),
        *("pneumothorax", "pneumothoraces"),
    ),
    _own(
        HEART,
        _sct("287272002", "Cardiomegaly"),
        *("cardiomegaly", "heart .. enlarged", "cardiac silhouette .. enlarged"),
        *("cardiac size .. enlarged", "enlarged .. heart", "cardiac enlargement"),
        *("enlarged .. cardiac silhouette", "enlargement .. cardiac silhouette"),
        *("enlargement .. heart", "cardiac silhouette enlargement"),
    ),
    _own(
        PERICARDIUM, _sct("373945007", "Pericardial effusion"), "pericardial effusion"
    ),
    _own(
        MEDIASTINUM,
        _sct("16838000", "Pneumomediastinum"),
        *("pneumomediastinum", "mediastinal emphysema"),
    ),
    _own(HEART, _sct("27637000", "Dextrocardia"), "dextrocardia"),
    _lung(_sct("19242006", "Pulmonary edema"), "edema", "oedema"),
    _lung(
        _sct("40779009", "Plate-like atelectasis"),
        *("plate like atelectasis", "platelike atelectasis", "linear atelectasis"),
        *("band atelectasis", "band like atelectasis", "bandlike atelectasis"),
        *("discoid atelectasis", "linear band of atelectasis", "plate atelectasis"),
    ),
    # every consolidation is an opacity; the dictionaries have no narrower code
    _lung(
        _OPACITY,
        *("consolidation", "consolidative opacity", "airspace opacity"),
        *("air space opacity", "airspace disease", "air space disease"),
    ),
    _named(_OPACITY, "opacity", "opacification"),
    _named(_dcm("112118", "Density"), "density"),
    _lung(
        _dcm("112120", "Ground glass opacity"),
        *("ground glass opacity", "ground glass opacification", "groundglass opacity"),
    ),
    _lung(_dcm("112121", "Infiltrate"), "infiltrate", "infiltration"),
    _named(_sct("27925004", "Nodule"), "nodule"),
    _named(_dcm("112122", "Micronodule"), "micronodule"),
    _named(_sct("4147007", "Mass"), "mass"),
    _named(_sct("308689002", "Coin lesion"), "coin lesion"),
    _named(_sct("52988006", "Lesion"), "lesion"),
    _named(_sct("367643001", "Cyst"), "cyst"),
    _named(_sct("44132006", "Abscess"), "abscess"),
    _lung(
        _INTERSTITIAL,
        *("interstitial opacity", "interstitial pattern", "interstitial abnormality"),
        *("interstitial marking .. increased", "interstitial marking .. prominent"),
        *("increased .. interstitial marking", "prominent .. interstitial marking"),
    ),
    _lung(
        _dcm("112113", "Reticular pattern"),
        *("reticular pattern", "reticular opacity", "reticulation"),
        "reticular marking",
    ),
    _lung(
        _dcm("112065", "Reticulonodular pattern"),
        *("reticulonodular pattern", "reticulonodular opacity"),
    ),
    _lung(_dcm("112106", "Honeycomb pattern"), "honeycomb pattern", "honeycombing"),
    _lung(_dcm("112129", "Miliary pattern"), "miliary pattern"),
    _lung(_dcm("112110", "Kerley B line"), "kerley b line"),
    _lung(_dcm("112109", "Kerley A line"), "kerley a line"),
    _lung(_dcm("112114", "Septal line(s)"), "septal line"),
    _lung(_dcm("112071", "Air bronchogram"), "air bronchogram"),
    _lung(_sct("76171001", "Air-trapping"), "air trapping"),
    _named(_dcm("112104", "Air-fluid level"), "air fluid level"),
    _named(_dcm("112062", "Abnormal lucency"), "lucency"),
    _named(_sct("12402003", "Scar tissue"), "scar", "scarring"),
    _named(_sct("112674009", "Fibrosis"), "fibrosis"),
    _aorta(
        _sct("237897009", "Vascular Calcification"),
        *("calcification .. aorta", "calcification .. aortic", "aorta .. calcified"),
        *("aortic .. calcified", "aortic .. calcification", "calcified .. aorta"),
        *("calcified .. aortic", "aorta .. calcification"),
    ),
    _named(_dcm("112063", "Abnormal calcifications"), "calcification"),
    _aorta(
        _sct("15690004", "tortuosity"),
        *("tortuous .. aorta", "aorta .. tortuous", "aortic tortuosity"),
        "tortuosity .. aorta",
    ),
    _aorta(_sct("67362008", "Aortic aneurysm"), "aortic aneurysm"),
    _aorta(_sct("308546005", "Aortic dissection"), "aortic dissection"),
    _named(
        _sct("30746006", "Lymphadenopathy"),
        *("lymphadenopathy", "adenopathy", "enlarged lymph node"),
    ),
    _named(_sct("128462008", "Metastasis"), "metastasis", "metastases"),
    _lung(
        _sct("94391008", "Pulmonary metastasis"),
        *("pulmonary metastasis", "pulmonary metastases", "lung metastases"),
    ),
    _own(
        HEART,
        _sct("42343007", "Congestive heart failure"),
        *("congestive heart failure", "chf"),
    ),
    _own(HEART, _sct("84114007", "Heart failure"), "heart failure"),
)

# CID 6138 (non-lesion objects) where it has the concept
OBJECTS = (
    _device(
        _sct("26412008", "Endotracheal tube"),
        *("endotracheal tube", "endotracheal", "et tube", "ett"),
    ),
    _device(
        _sct("48387007", "Tracheotomy"),
        *("tracheostomy tube", "tracheostomy", "tracheotomy"),
    ),
    _device(
        _sct("25062003", "Feeding tube"),
        *("feeding tube", "dobhoff tube", "dobbhoff tube", "dobhoff", "dobbhoff"),
        *("dobhoff feeding tube", "dobbhoff feeding tube"),
    ),
    # a tube to the stomach may drain it: not every one is a feeding tube
    _device(
        _sct("83059008", "Tube"),
        *("nasogastric tube", "orogastric tube", "enteric tube", "ng tube", "og tube"),
        *("nasogastric", "orogastric", "nasoenteric tube", "gastric tube"),
    ),
    _device(
        _dcm("112173", "Chest tube"),
        *("chest tube", "thoracostomy tube", "chest drain", "intercostal drain"),
        "pleural drain",
    ),
    _device(
        _dcm("112174", "Central line"),
        *("central line", "central venous catheter", "central venous line"),
        *("central catheter", "picc", "picc line", "jugular catheter"),
        *("jugular line", "jugular venous catheter", "subclavian catheter"),
        *("subclavian line", "dialysis catheter", "hemodialysis catheter"),
        "central venous access",
    ),
    _device(
        _dcm("112172", "Portacath"),
        *("portacath", "port a cath", "mediport", "port catheter", "chest port"),
        "infusion port",
    ),
    _device(
        _sct("397755005", "Swann-Ganz catheter"),
        *("swan ganz catheter", "swan ganz", "pulmonary artery catheter"),
    ),
    _device(_sct("19923001", "Catheter"), "catheter"),
    _device(
        _sct("14106009", "Cardiac pacemaker"),
        *("pacemaker", "cardiac pacemaker", "pacer"),
    ),
    _device(
        _sct("360129009", "Cardiac pacemaker lead"),
        *("pacemaker lead", "pacer lead", "pacing lead", "pacer wire", "pacing wire"),
        *("pacemaker wire",),
    ),
    _device(
        _sct("72506001", "Implantable defibrillator"),
        *("implantable defibrillator", "defibrillator", "icd", "aicd"),
        *("implantable cardioverter defibrillator", "cardioverter defibrillator"),
    ),
    _device(
        _sct("25510005", "Heart valve prosthesis"),
        *("prosthetic valve", "valve prosthesis", "valve replacement"),
        *("mechanical valve", "prosthetic aortic valve", "prosthetic mitral valve"),
        *("bioprosthetic valve", "prosthetic heart valve", "prosthetic cardiac valve"),
    ),
    _device(
        _sct("129113006", "Intra-Aortic Balloon Pump"),
        *("intra aortic balloon pump", "intraaortic balloon pump", "iabp"),
    ),
    _device(
        _sct("360066001", "Left Ventricular Assist Device"),
        *("left ventricular assist device", "lvad"),
    ),
    _device(
        _sct("257409000", "Vena cava filter"),
        *("vena cava filter", "ivc filter", "caval filter"),
    ),
    _device(_sct("65818007", "Stent"), "stent"),
    _named(_sct("77720000", "Clip"), "clip"),
    _named(_sct("56353002", "Staple"), "staple"),
    _named(_sct("27065002", "Suture"), "suture"),
    _named(_sct("19227008", "Foreign body"), "foreign body"),
    _named(_sct("86122002", "Bullet"), "bullet", "bullet fragment"),
)

BETWEEN = (
    *("is", "are", "was", "were", "be", "remain", "appear", "appeared", "has", "have"),
    *("become", "the", "of", "a", "to", "in", "and", "size", "again", "now", "still"),
    *("mild", "moderate", "severe", "marked", "mildly", "moderately", "severely"),
    *("markedly", "minimally", "slightly", "somewhat", "diffusely", "more", "very"),
    *("stable", "unchanged", "persistently", "wall", "thoracic", "descending"),
    *("ascending", "arch", "knob", "aortic", "atherosclerotic", "lung", "pulmonary"),
)
"""The only words that " .. " stands for; none denies, none doubts."""

FINDINGS = (*OBSERVATIONS, *OBJECTS, Finding(code=None, phrases=UNCODED))
