"""Derived UIDs: the same again, valid, and different where an input differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from dicom_io.product import IMPLEMENTATION_CLASS_UID
from dicom_io.uid import derive_uid, is_uid

parts = st.lists(st.text(max_size=30), max_size=4)


@given(parts)
def test_every_uid_is_valid_and_the_same_again(given_parts: list[str]) -> None:
    uid = derive_uid(*given_parts)

    assert UID(uid).is_valid
    assert uid.startswith("2.25.")
    assert uid == derive_uid(*given_parts)


@given(parts, parts)
def test_different_parts_give_different_uids(one: list[str], other: list[str]) -> None:
    assert (derive_uid(*one) == derive_uid(*other)) == (one == other)


def test_the_bound_between_parts_matters() -> None:
    assert derive_uid("ab", "c") != derive_uid("a", "bc")


def test_a_uid_is_a_version_8_uuid() -> None:
    number = int(derive_uid("case").removeprefix("2.25."))

    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0b11 == 0b10


def test_the_value_is_pinned_because_archives_remember_it() -> None:
    # printf '\0\0\0\0\0\0\0\1a' | sha256sum | cut -c1-32
    #     3b196fd4907bedf51c3090e9835f2f7c
    # and by hand the version digit (13th) to 8, the variant digit (17th) to 10xx
    expected = 0x3B196FD4907B8DF59C3090E9835F2F7C

    assert derive_uid("a") == f"2.25.{expected}"


def test_the_implementation_class_uid_is_valid() -> None:
    assert UID(IMPLEMENTATION_CLASS_UID).is_valid


@pytest.mark.parametrize("text", ["1.2.840.10008.1.1", "1.02.003", "2.25.0"])
def test_digits_and_dots_are_taken_even_with_a_leading_zero(text: str) -> None:
    assert is_uid(text)


@pytest.mark.parametrize(
    "text", ["", ".", "1.", ".1", "1..2", "1.a", "1.2\n", "1.2 ", "\u0661.2", "1" * 65]
)
def test_anything_else_is_no_uid(text: str) -> None:
    assert not is_uid(text)
