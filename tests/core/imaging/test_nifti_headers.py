"""NIfTI files whose header says too little, says it twice, or cannot be."""

from __future__ import annotations

import gzip
import struct
import time
import tracemalloc

import nibabel
import numpy as np
import pytest

from core.errors import InputError
from core.imaging import open_image
from tests import dicoms
from tests.core.imaging.nifti_volumes import NUMBERED, oblique


def changed(offset: int, form: str, *values: float, data: bytes | None = None) -> bytes:
    """A plain NIfTI-1 file with some bytes of its header replaced."""
    found = bytearray(dicoms.nifti(NUMBERED, packed=False) if data is None else data)
    struct.pack_into(form, found, offset, *values)
    return bytes(found)


DIM, INTENT, TYPE, PIXDIM, OFFSET = 40, 68, 70, 76, 108
QFORM, SFORM, QUATERNION, SROW = 252, 254, 256, 280


def without_orientation() -> bytes:
    return changed(QFORM, "<2h", 0, 0)


def test_without_an_orientation_there_is_no_place_but_a_notice():
    image = open_image(without_orientation())
    assert (image.place(0), image.series.plane) == (None, None)
    assert image.scan(0).spacing_mm == (1, 1)
    assert any("left and right" in notice for notice in image.series.notices)


@pytest.mark.parametrize("qform_code", [0, 1])
@pytest.mark.parametrize("spacing", [(0, 0, 0), (1, 0.9, 0), (1.04, 0.88, 4.1)])
def test_beside_a_whole_matrix_the_spacing_may_be_absent_or_a_little_off(spacing, qform_code):
    data = dicoms.nifti(NUMBERED, affine=oblique(), packed=False)
    place = open_image(data).place(1)
    other = changed(PIXDIM + 4, "<3f", *spacing, data=changed(QFORM, "<h", qform_code, data=data))
    image = open_image(other)
    assert image.place(1) == place
    assert image.scan(0).spacing_mm == place.spacing_mm
    assert image.series.notices == ()


@pytest.mark.parametrize("qform_code", [0, 1])
@pytest.mark.parametrize("sform_code", [1, 2, 4])
def test_sizes_are_those_of_the_acquired_voxels_and_not_of_a_standard_brain(sform_code, qform_code):
    # 0.6 mm voxels, turned to the back by the qform, beside an sform that was never filled in.
    image = nibabel.Nifti1Image(NUMBERED, np.eye(4))
    image.set_sform(np.eye(4), code=sform_code)
    image.header.set_qform(np.diag([-0.6, -0.6, 0.6, 1.0]), code=qform_code)
    assert image.header.get_zooms() == pytest.approx((0.6, 0.6, 0.6))
    opened = open_image(bytes(image.header.binaryblock) + bytes(4) + NUMBERED.tobytes(order="F"))
    assert opened.scan(0).spacing_mm == pytest.approx((0.6, 0.6))
    assert opened.place(1).thickness_mm == pytest.approx(0.6)
    step = opened.place(1).position_mm - opened.place(0).position_mm
    assert step == pytest.approx(0.6)
    (notice,) = opened.series.notices
    assert "0.6 × 0.6 × 0.6 mm in its header" in notice
    assert "1 × 1 × 1 mm in its orientation matrix" in notice
    assert "measured by the header" in notice
    # Turned as acquired where that is told, else as the matrix says.
    first = NUMBERED[:, :, 0].T if qform_code else NUMBERED[::-1, ::-1, 0].T
    assert np.array_equal(opened.scan(0).pixels[..., 0], first)


def test_a_spacing_that_was_never_filled_in_gives_way_to_the_matrix_with_a_notice():
    data = dicoms.nifti(NUMBERED, affine=oblique((0.6, 0.6, 1.5)), packed=False)
    place = open_image(data).place(1)
    image = open_image(changed(PIXDIM + 4, "<3f", 1, 1, 1, data=data))
    assert image.place(1) == place
    assert any("measured by the matrix" in notice for notice in image.series.notices)
    # With a qform somebody has filled it in.
    stated = changed(QFORM, "<h", 1, data=changed(PIXDIM + 4, "<3f", 1, 1, 1, data=data))
    assert open_image(stated).scan(0).spacing_mm == pytest.approx((1, 1))


def test_an_unusable_qform_leaves_the_directions_of_the_matrix():
    data = dicoms.nifti(NUMBERED, affine=oblique(), packed=False)
    place = open_image(data).place(1)
    data = changed(QFORM, "<h", 1, data=changed(PIXDIM + 4, "<3f", 1.2, 1.08, 4.8, data=data))
    image = open_image(changed(QUATERNION, "<f", 7, data=data))
    assert image.place(1).along_row == pytest.approx(place.along_row)
    assert image.scan(0).spacing_mm == pytest.approx((1.08, 1.2))


def test_a_single_picture_needs_no_spacing_to_the_next():
    data = dicoms.nifti(NUMBERED[..., 0], np.diag([1.0, 1.0, 5.0, 1.0]), packed=False)
    for spacing in (0, 1, 5):
        image = open_image(changed(PIXDIM + 12, "<f", spacing, data=data))
        assert image.scan(0).spacing_mm == (1, 1)


def test_a_sheared_volume_takes_the_other_statement_or_is_refused():
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    sheared = affine.copy()
    sheared[0, 1] = 0.3
    image = nibabel.Nifti1Image(NUMBERED, affine)
    image.set_sform(sheared, code=2)
    image.set_qform(affine, code=1)
    assert open_image(image.to_bytes()).place(0).along_row == (1, 0, 0)
    with pytest.raises(InputError, match="sheared"):
        open_image(changed(QFORM, "<h", 0, data=image.to_bytes()))


QFORM_ALONE = changed(QFORM, "<2h", 1, 0)
PAIR = changed(344, "<4s", b"ni1\0")
REFUSED = {
    "zero spacing": (changed(PIXDIM + 4, "<f", 0, data=QFORM_ALONE), "impossible spacing"),
    "zero spacing alone": (changed(PIXDIM + 4, "<f", 0, data=without_orientation()), "impossible"),
    "negative spacing": (changed(PIXDIM + 8, "<f", -1, data=QFORM_ALONE), "impossible spacing"),
    "NaN spacing": (changed(PIXDIM + 12, "<f", np.nan, data=QFORM_ALONE), "impossible spacing"),
    "huge spacing": (changed(PIXDIM + 12, "<f", 1e9, data=QFORM_ALONE), "impossible spacing"),
    "negative beside a matrix": (changed(PIXDIM + 8, "<f", -1), "contradict each other"),
    "NaN beside a matrix": (changed(PIXDIM + 12, "<f", np.nan), "contradict each other"),
    "huge beside a matrix": (changed(PIXDIM + 12, "<f", 1e9), "contradict each other"),
    "another scale than the matrix": (changed(PIXDIM + 12, "<f", 1), "contradict each other"),
    "zero affine": (changed(SROW, "<12f", *[0] * 12), "cannot be inverted"),
    "flat affine": (changed(SROW, "<12f", *[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0]), "inverted"),
    "NaN affine": (changed(SROW, "<f", np.nan), "cannot be inverted"),
    "infinite place": (changed(SROW + 12, "<f", np.inf), "cannot be inverted"),
    "NaN rotation": (changed(QUATERNION, "<f", np.nan, data=QFORM_ALONE), "inverted"),
    "no rotation": (changed(QUATERNION, "<f", 7, data=QFORM_ALONE), "inverted"),
    "no dimensions": (changed(DIM, "<h", 0), "damaged"),
    "eight dimensions": (changed(DIM, "<h", 8), "damaged"),
    "negative size": (changed(DIM + 2, "<h", -3), "damaged"),
    "zero size": (changed(DIM + 4, "<h", 0), "damaged"),
    "more than it holds": (changed(DIM + 6, "<h", 700), "breaks off"),
    "huge": (changed(DIM + 2, "<3h", 4000, 4000, 4000), "more than 512 MB"),
    "long side": (changed(DIM + 2, "<h", 30000), "voxels along one side"),
    "five dimensions": (changed(DIM, "<8h", 5, 5, 6, 7, 1, 1, 1, 1) , None),
    "vectors": (changed(DIM, "<8h", 5, 5, 6, 1, 1, 7, 1, 1), "more than four dimensions"),
    "unknown values": (changed(TYPE, "<h", 9999), "damaged"),
    "colours": (changed(TYPE, "<2h", 128, 24), "colours, complex"),
    "complex values": (changed(TYPE, "<2h", 32, 64), "colours, complex"),
    "labels": (changed(INTENT, "<h", 1002), "labels or statistics"),
    "statistics": (changed(INTENT, "<h", 5), "labels or statistics"),
    "values in the header": (changed(OFFSET, "<f", 3), "damaged"),
    "values nowhere": (changed(OFFSET, "<f", np.nan), "damaged"),
    "values far away": (changed(OFFSET, "<f", 1e30), "damaged"),
    "a pair": (PAIR, "one of a pair"),
    "too many slices": (
        dicoms.nifti(np.zeros((1, 2, 2, 20_000), np.uint8)), "at most 10,000"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, (_, said) in REFUSED.items() if said])
def test_what_cannot_be_is_refused_with_the_reason(name):
    data, said = REFUSED[name]
    with pytest.raises(InputError, match=said) as caught:
        open_image(data)
    assert str(caught.value).endswith(".") and "Error" not in str(caught.value)


def test_dimensions_of_one_are_no_dimensions():
    assert open_image(REFUSED["five dimensions"][0]).frame_count == 7


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_breaks_off_is_refused(packed):
    data = dicoms.nifti(NUMBERED, packed=packed)
    for length in range(1, len(data) - 12, 41):
        with pytest.raises(InputError):
            open_image(data[:length])


def test_a_damaged_packed_file_is_refused():
    data = bytearray(dicoms.nifti())
    data[-6] ^= 0xFF  # of the checksum
    with pytest.raises(InputError, match="damaged"):
        open_image(bytes(data))


def test_a_file_packed_in_several_parts_is_read():
    plain = dicoms.nifti(packed=False)
    parts = b"".join(gzip.compress(plain[i : i + 10_000]) for i in range(0, len(plain), 10_000))
    assert np.array_equal(open_image(parts).scan(5).pixels, open_image(plain).scan(5).pixels)


def test_a_file_that_unpacks_without_end_is_read_no_further_than_its_header_says():
    plain = dicoms.nifti(NUMBERED, packed=False)
    bomb = gzip.compress(plain + bytes(300 << 20), 1)
    tracemalloc.start()
    started = time.perf_counter()
    image = open_image(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert image.frame_count == 7
    assert peak < 5 << 20 and time.perf_counter() - started < 5
