"""Every code is one that pydicom's dictionaries know, with that meaning."""

import re
from functools import cache

import pytest
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code

from dicom_io import codes

# UCUM units and language tags are code systems of their own, not in the
# dictionaries; UMLS C0034375 and the TID 1500 row that names it are in PS3.16
ELSEWHERE = {"UCUM", "RFC5646", "UMLS"}

CODES = {name: code for name, code in vars(codes).items() if isinstance(code, Code)} | {
    f"MODALITIES {key}": code for key, code in codes.MODALITIES.items()
}
KNOWN = sorted(
    name for name, code in CODES.items() if code.scheme_designator not in ELSEWHERE
)


@cache
def known(scheme: str) -> frozenset[tuple[str, str]]:
    collection = getattr(dictionary, scheme)
    found = (getattr(collection, name) for name in collection.dir())
    # SNOMED's fully specified names end in their kind: "Source (attribute)"
    return frozenset(
        (code.value, re.sub(r" \([a-z ]+\)$", "", code.meaning)) for code in found
    )


@pytest.mark.parametrize("name", KNOWN)
def test_a_code_has_its_meaning_in_the_dictionary(name: str) -> None:
    code = CODES[name]

    assert (code.value, code.meaning) in known(code.scheme_designator)


def test_no_meaning_is_longer_than_its_attribute() -> None:
    assert all(len(code.meaning) <= 64 for code in CODES.values())
