import pytest

from dicom_io.passcodes import fits, hash_passcode, is_hash


def test_a_passcode_fits_its_hash_alone() -> None:
    hashed = hash_passcode(b"open sesame")
    assert fits(b"open sesame", hashed)
    assert not fits(b"open sesam", hashed)
    assert not fits(b"", hashed)


def test_a_hash_hides_the_passcode_and_whether_two_are_the_same() -> None:
    one, other = hash_passcode(b"sesame"), hash_passcode(b"sesame")
    assert "sesame" not in one
    assert one != other
    assert is_hash(one)


def test_a_known_vector_of_scrypt_fits() -> None:
    # By another implementation (OpenSSL 3.0):
    # openssl kdf -keylen 32 -kdfopt pass:pleaseletmein -kdfopt salt:SodiumChlorideXY
    #   -kdfopt n:16384 -kdfopt r:8 -kdfopt p:1 SCRYPT
    salt = "U29kaXVtQ2hsb3JpZGVYWQ=="
    kept = f"scrypt$14$8$1${salt}$NwLRDxFkxNVA3XShfJD4Wwpr+nJK2CYXfmZ+rEB/pzQ="
    assert fits(b"pleaseletmein", kept)


@pytest.mark.parametrize(
    "text", ["", "sesame", "scrypt$14$8$1$$", "scrypt$30$8$1$" + "A" * 22 + "==$x"]
)
def test_what_is_no_hash_is_refused(text: str) -> None:
    assert not is_hash(text)
    with pytest.raises(ValueError, match="not a hash"):
        fits(b"sesame", text)
