"""The judge is the array that was encoded, or pydicom's default decoders."""

import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2K, UID, HTJ2KLossless, HTJ2KLosslessRPCL

from dicom_io.pictures.decoding import decode, decode_by_gdcm, read_whole
from dicom_io.pictures.fast_decoding import decode_fast
from dicom_io.pictures.pixels import pixel_digest
from tests.data.films import film_dataset, gradient, real_film, write_film
from tests.data.peers import run_peer


def htj2k_film(folder: Path, syntax: UID) -> tuple[Path, Path]:
    """Write the same film uncompressed and in HTJ2K."""
    values = gradient()
    packed = film_dataset(values)
    frame = imagecodecs.htj2k_encode(values, reversible=True)
    packed.PixelData = encapsulate([bytes(frame)])
    packed["PixelData"].is_undefined_length = True
    return (
        write_film(folder / "plain.dcm", film_dataset(values)),
        write_film(folder / "packed.dcm", packed, syntax),
    )


@pytest.mark.parametrize("syntax", [HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL])
def test_htj2k_is_decoded_to_the_values_that_were_encoded(
    syntax: UID, tmp_path: Path
) -> None:
    plain, packed = htj2k_film(tmp_path, syntax)
    assert pixel_digest(packed) == pixel_digest(plain)
    by_default = pydicom.dcmread(packed).pixel_array
    fast = decode_fast(pydicom.dcmread(packed))
    assert fast is not None
    assert np.array_equal(fast, by_default)


def test_lossless_jpeg_is_decoded_to_the_values_of_the_default_decoder() -> None:
    ds = pydicom.dcmread(real_film("dicom/RG1_jpegll_sv1.dcm"))
    fast = decode_fast(ds)
    assert fast is not None
    assert np.array_equal(fast, ds.pixel_array)


def test_an_uncompressed_image_is_left_to_the_default_decoders() -> None:
    ds = pydicom.dcmread(real_film("dicom/mhh_8d6990f2_1_pa.dcm"))
    assert decode_fast(ds) is None


def test_a_broken_frame_is_left_to_the_default_decoders(tmp_path: Path) -> None:
    _, packed = htj2k_film(tmp_path, HTJ2KLossless)
    ds = pydicom.dcmread(packed)
    ds.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(100)])
    assert decode_fast(ds) is None


@pytest.mark.peers
@pytest.mark.parametrize(
    ("program", "options", "allowed"),
    [("dcmcjpeg", ["+ee"], 20), ("dcmcjpls", ["+en"], 2)],
    ids=["extended JPEG of 12 bits", "near-lossless JPEG-LS"],
)
def test_a_lossy_film_by_dcmtk_is_decoded_close_to_the_original(
    program: str, options: list[str], allowed: int, tmp_path: Path
) -> None:
    source = real_film("dicom/sim_lidc_pa.dcm")
    packed = tmp_path / "packed.dcm"
    done = run_peer(program, *options, source, packed)
    assert done.returncode == 0, done.stderr
    original = pydicom.dcmread(source).pixel_array.astype(int)
    ds = read_whole(packed)
    decoded = decode(ds).astype(int)
    assert 0 < np.abs(original - decoded).max() <= allowed


@pytest.mark.peers
def test_gdcm_and_the_extra_agree_on_an_extended_jpeg_of_12_bits(
    tmp_path: Path,
) -> None:
    packed = tmp_path / "packed.dcm"
    run_peer("dcmcjpeg", "+ee", real_film("dicom/sim_lidc_pa.dcm"), packed)
    ds = read_whole(packed)
    fast = decode_fast(ds)
    assert fast is not None
    assert np.array_equal(decode_by_gdcm(ds), fast)


@pytest.mark.peers
def test_gdcm_reads_signed_values_and_no_file_of_the_patient_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "packed.dcm"
    run_peer("dcmcjpeg", "+ee", real_film("dicom/sim_lidc_pa.dcm"), packed)
    ds = read_whole(packed)
    ds.PixelRepresentation = 1
    empty = tmp_path / "temporary"
    empty.mkdir(mode=0o500)
    monkeypatch.setattr(tempfile, "tempdir", str(empty))
    assert decode_by_gdcm(ds).dtype == np.int16
    assert not list(empty.iterdir())
