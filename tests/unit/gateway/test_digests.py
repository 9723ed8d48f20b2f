"""Digests of received data sets: their kinds, and what is not known."""

import pytest

from gateway import digests

# The first test vector of each algorithm: the digest of no bytes.
OF_NOTHING = [
    "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
]


@pytest.mark.parametrize("known", OF_NOTHING)
def test_a_digest_is_made_again_in_the_kind_that_it_is_of(known: str) -> None:
    assert digests.told(digests.begin(known), known) == known


def test_new_digests_are_of_the_present_kind() -> None:
    assert digests.told(digests.begin()) == OF_NOTHING[0]


def test_a_digest_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'md5'"):
        digests.begin("md5:00")
