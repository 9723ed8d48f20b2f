import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless

from dicom_io.errors import UnreadablePixels, UnsupportedImage
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.pixels import pixel_digest, render_image
from tests.data.films import (
    film_dataset,
    gradient,
    raw_file,
    real_film,
    real_films,
    write_film,
)

LIMITS = DecodeLimits()


def render(path: Path, rendering: Rendering = Rendering.AS_TRAINED) -> np.ndarray:
    return render_image(path, rendering, LIMITS)


def test_each_real_film_is_decoded_to_the_values_that_pydicom_reads() -> None:
    """The judge: pydicom's array, stretched and inverted by three lines here."""
    for path in real_films("dicom"):
        ds = pydicom.dcmread(path)
        stored = ds.pixel_array.astype(np.float64)
        share = (stored - stored.min()) / np.ptp(stored)
        if ds.PhotometricInterpretation == "MONOCHROME1":
            share = 1 - share
        assert np.array_equal(render(path), np.floor(share * 255 + 0.5)), path.name


@pytest.mark.peers
@pytest.mark.parametrize(
    "name", ["dicom/mhh_8d6990f2_2_pa.dcm", "dicom/sim_lidc_pa.dcm"]
)
def test_a_window_gives_the_picture_of_dcmtk(name: str, tmp_path: Path) -> None:
    """The judge: dcm2pnm with the first window, polarity included."""
    path, bitmap = real_film(name), tmp_path / "judge.pgm"
    subprocess.run(["dcm2pnm", "+Wi", "1", "+op", str(path), str(bitmap)], check=True)
    judge = np.asarray(Image.open(bitmap)).astype(int)
    assert np.abs(judge - render(path, Rendering.VOI)).max() <= 1


@pytest.mark.parametrize(
    "name", ["RG1_J2KI", "cc0_pa_2010_mono1_jpegls", "mhh_8d6990f2_2_pa"]
)
def test_lungs_are_dark_in_films_stored_as_monochrome1(name: str) -> None:
    picture = render(real_film(f"dicom/{name}.dcm"), Rendering.VOI)
    rows, columns = picture.shape
    lung = picture[rows * 3 // 10 : rows * 4 // 10, columns // 4 : columns // 3]
    spine = picture[rows * 6 // 10 : rows * 8 // 10, columns * 9 // 20 : columns // 2]
    assert lung.mean() < spine.mean() - 10


def test_the_same_pixels_in_another_syntax_have_the_same_digest() -> None:
    digests = {
        pixel_digest(real_film(f"dicom/mhh_8d6990f2_1_pa{syntax}.dcm"))
        for syntax in ("", "_implicit", "_deflated", "_bigendian", "_rle")
    }
    assert len(digests) == 1
    other = pixel_digest(real_film("dicom/mhh_8d6990f2_1_pa_jpegbaseline.dcm"))
    assert other not in digests


def test_other_pixels_have_another_digest(tmp_path: Path) -> None:
    changed = gradient()
    changed[0, 0] += 1
    one = write_film(tmp_path / "one.dcm", film_dataset())
    other = write_film(tmp_path / "other.dcm", film_dataset(changed))
    assert pixel_digest(one) != pixel_digest(other)


def test_a_codestream_larger_than_its_header_is_refused_unread(tmp_path: Path) -> None:
    size = struct.pack(">H8IH", 0, 32000, 32000, 0, 0, 32000, 32000, 0, 0, 1)
    lying = b"\xff\x4f\xff\x51" + struct.pack(">H", 41) + size + bytes(800)
    ds = film_dataset(np.zeros((10, 10), np.uint8))
    ds.PixelData = encapsulate([lying])
    ds["PixelData"].is_undefined_length = True
    path = write_film(tmp_path / "lying.dcm", ds, JPEG2000Lossless)
    render(write_film(tmp_path / "good.dcm", film_dataset()))  # decoders are loaded now
    begun = time.monotonic()
    with pytest.raises(UnreadablePixels, match="32000 x 32000"):
        render(path)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"Rows": 65535, "Columns": 65535}, "over"),
        ({"Rows": 0}, "no size"),
        ({"NumberOfFrames": 2_000_000_000}, "over"),
        ({"Rows": 65}, "decoder failed"),
        ({"BitsStored": 17}, "decoder failed"),
    ],
)
def test_a_size_that_lies_is_refused(
    changes: dict[str, int], what: str, tmp_path: Path
) -> None:
    path = write_film(tmp_path / "lie.dcm", film_dataset(**changes))
    with pytest.raises(UnreadablePixels, match=what):
        render(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_film_is_unreadable(keep: float, tmp_path: Path) -> None:
    for name in ("RG1_jpegll_sv1", "RG1_J2KI", "mhh_024e7871_1_pa"):
        whole = real_film(f"dicom/{name}.dcm").read_bytes()
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(whole[: int(len(whole) * keep)])
        with pytest.raises(UnreadablePixels):
            render(path)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"NumberOfFrames": 2}, "frames"),
        ({"BitsAllocated": 32}, "32 bits"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
    ],
)
def test_what_is_no_single_grey_picture_is_unsupported(
    changes: dict[str, object], what: str, tmp_path: Path
) -> None:
    path = write_film(tmp_path / "film.dcm", film_dataset(**changes))
    with pytest.raises(UnsupportedImage, match=what):
        render(path)


def test_decoding_that_takes_too_long_is_stopped() -> None:
    path = real_film("dicom/RG1_j2k_lossless.dcm")
    limits = DecodeLimits(seconds=0.05)
    with pytest.raises(UnreadablePixels, match=r"0\.05 s"):
        render_image(path, Rendering.VOI, limits)


def test_decoding_that_takes_too_much_memory_is_stopped() -> None:
    path = real_film("dicom/RG1_j2k_lossless.dcm")
    limits = DecodeLimits(memory_bytes=64 << 20)
    with pytest.raises(UnreadablePixels):
        render_image(path, Rendering.VOI, limits)


def test_nesting_and_missing_pixels_are_errors_of_this_package(tmp_path: Path) -> None:
    header_only = real_film("odd/chrJapMulti.dcm")
    with pytest.raises(UnreadablePixels, match="no pixel data"):
        render(header_only)
    path = raw_file(tmp_path / "junk.dcm", b"\xff" * 100, RLELossless)
    with pytest.raises(UnreadablePixels):
        render(path)


def test_values_beyond_the_stored_bits_are_cut(tmp_path: Path) -> None:
    stored = gradient() | 0xF000
    ds = film_dataset(stored, BitsStored=12, HighBit=11)
    plain = write_film(tmp_path / "plain.dcm", film_dataset(gradient()))
    overlaid = write_film(tmp_path / "overlaid.dcm", ds)
    assert np.array_equal(render(overlaid), render(plain))
