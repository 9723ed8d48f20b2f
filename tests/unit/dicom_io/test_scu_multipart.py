"""Multipart messages, taken apart while they arrive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.scu.multipart import Malformed, Parts

MESSAGE = (
    b"to be skipped\r\n--b0\r\nContent-Type: application/dicom\r\n\r\none"
    b"\r\n--b0  \r\n\r\ntwo\r\n--b\r\n\r\n--b0\r\nA: b\r\n\r\n\r\n--b0--\r\nskipped"
)


def bodies(parts: Parts, pieces: list[bytes]) -> list[bytes]:
    found, body = [], b""
    for piece in pieces:
        for told in parts.feed(piece):
            if told is None:
                found.append(body)
                body = b""
            else:
                body += told
    return found


@given(st.lists(st.integers(1, len(MESSAGE) - 1)))
def test_the_bodies_are_the_same_wherever_the_message_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(MESSAGE)]
    pieces = [MESSAGE[a:b] for a, b in pairwise(edges)]
    parts = Parts("b0")
    assert bodies(parts, pieces) == [b"one", b"two\r\n--b\r\n", b""]
    assert parts.is_ended


@given(st.lists(st.binary(max_size=64), max_size=4))
def test_what_was_put_together_comes_apart_again(contents: list[bytes]) -> None:
    contents = [each for each in contents if b"\r\n--b0" not in each]
    message = b"".join(b"--b0\r\n\r\n" + each + b"\r\n" for each in contents)
    assert bodies(Parts("b0"), [message + b"--b0--"]) == contents


def test_a_message_that_is_cut_off_is_known_as_such() -> None:
    parts = Parts("b0")
    assert bodies(parts, [MESSAGE[:60]]) == []
    assert not parts.is_ended


def test_a_header_without_end_is_refused() -> None:
    with pytest.raises(Malformed):
        bodies(Parts("b0"), [b"--b0\r\n" + b"A" * (1 << 15)])


@pytest.mark.parametrize("boundary", ["", "b" * 71, "ü"])
def test_a_boundary_that_rfc_2046_forbids_is_refused(boundary: str) -> None:
    with pytest.raises(Malformed):
        Parts(boundary)
