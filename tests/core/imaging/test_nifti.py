"""NIfTI files: orientation, slices, places and values."""

from __future__ import annotations

import itertools

import nibabel
import numpy as np
import pytest

from core.errors import InputError
from core.imaging import check_head_mr, open_image
from core.types import Plane
from tests import dicoms
from tests.core.imaging.nifti_volumes import NUMBERED, oblique


def all_orientations() -> list[np.ndarray]:
    """The 48 ways in which the array's axes can lie along the patient's."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((-1, 1), repeat=3):
            affine = np.zeros((4, 4))
            affine[3, 3] = 1
            for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
                affine[world, axis] = sign * (1.0, 1.5, 4.0)[axis]
            affine[:3, 3] = [3, -4, 5]
            found.append(affine)
    return found


def check_places(data: bytes, volume: np.ndarray, affine: np.ndarray) -> None:
    """Every pixel's place leads back to the voxel that holds its value."""
    image = open_image(data)
    seen = []
    for frame in range(image.frame_count):
        place, pixels = image.place(frame), image.scan(frame).pixels[..., 0]
        rows, columns = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]]
        lps = (
            np.asarray(place.origin)
            + rows[..., None] * place.spacing_mm[0] * np.asarray(place.along_column)
            + columns[..., None] * place.spacing_mm[1] * np.asarray(place.along_row)
        )
        ras = lps * [-1, -1, 1]
        voxel = (ras - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
        nearest = np.rint(voxel).astype(int)
        assert np.abs(voxel - nearest).max() < 1e-3
        assert np.array_equal(volume[tuple(nearest.reshape(-1, 3).T)].reshape(rows.shape), pixels)
        seen.append(pixels)
    assert sorted(np.concatenate([p.ravel() for p in seen])) == sorted(volume.ravel())
    positions = [image.place(frame).position_mm for frame in range(image.frame_count)]
    assert np.all(np.diff(positions) > 0)


@pytest.mark.parametrize(
    "affine", all_orientations(), ids=lambda a: "".join(nibabel.aff2axcodes(a))
)
def test_places_lead_back_to_the_voxels_in_every_orientation(affine):
    check_places(dicoms.nifti(NUMBERED, affine), NUMBERED, affine)


def test_places_lead_back_to_the_voxels_of_an_oblique_volume():
    check_places(dicoms.nifti(NUMBERED, oblique()), NUMBERED, oblique())


@pytest.mark.parametrize(
    "affine", all_orientations(), ids=lambda a: "".join(nibabel.aff2axcodes(a))
)
def test_slices_are_shown_as_radiologists_expect(affine):
    image = open_image(dicoms.nifti(NUMBERED, affine))
    place = image.place(0)
    expected = {
        Plane.AXIAL: ((1, 0, 0), (0, 1, 0)),  # to the left, to the back
        Plane.CORONAL: ((1, 0, 0), (0, 0, -1)),  # to the left, to the feet
        Plane.SAGITTAL: ((0, 1, 0), (0, 0, -1)),  # to the back, to the feet
    }[image.series.plane]
    assert (place.along_row, place.along_column) == expected


@pytest.mark.parametrize(
    ("spacing", "plane", "count"),
    [
        ((1, 1, 4), Plane.AXIAL, 7),
        ((1, 4, 1), Plane.CORONAL, 6),
        ((4, 1, 1), Plane.SAGITTAL, 5),
        ((1, 1, 1), Plane.AXIAL, 7),
        ((1.1, 1, 1), Plane.AXIAL, 7),
        ((3, 3, 1), Plane.CORONAL, 6),
    ],
)
def test_slices_lie_across_the_largest_spacing(spacing, plane, count):
    image = open_image(dicoms.nifti(NUMBERED, spacing=spacing))
    assert (image.series.plane, image.frame_count) == (plane, count)
    in_plane = {Plane.AXIAL: (1, 0), Plane.CORONAL: (2, 0), Plane.SAGITTAL: (2, 1)}[plane]
    assert image.scan(0).spacing_mm == pytest.approx([spacing[axis] for axis in in_plane])


def test_a_single_slice_is_shown_flat():
    image = open_image(dicoms.nifti(NUMBERED[:, :1], spacing=(1, 1, 4)))
    assert (image.frame_count, image.scan(0).size) == (1, (7, 5))
    flat = open_image(dicoms.nifti(NUMBERED[:, :, 0]))
    assert (flat.frame_count, flat.scan(0).size) == (1, (6, 5))


def test_facts_tell_that_it_is_mr_and_follow_from_the_content():
    facts = open_image(dicoms.nifti()).series
    check_head_mr(facts)
    assert (facts.modality, facts.patient_reference, facts.notices) == ("MR", None, ())
    assert facts.study_uid.startswith("2.25.")
    assert len({facts.study_uid, facts.series_uid, facts.instance_uid}) == 3
    # What stands in the header beside the volume does not matter, the volume does.
    assert open_image(dicoms.nifti(descrip=b"Mueller", packed=False)).series == facts
    assert open_image(dicoms.nifti(dicoms.head_volume()[:, ::-1].T)).series != facts


def test_each_volume_of_several_is_a_stack_of_its_own():
    volumes = np.stack([NUMBERED, NUMBERED + 1000], axis=3)
    image = open_image(dicoms.nifti(volumes))
    assert image.frame_count == 14
    assert image.facts(0).stack == image.facts(6).stack != image.facts(7).stack
    assert image.facts(0).series_uid == image.facts(7).series_uid
    assert image.place(2) == image.place(9)
    assert np.array_equal(image.scan(9).pixels, image.scan(2).pixels + 1000)


def test_values_are_scaled():
    image = open_image(dicoms.nifti(NUMBERED, scl_slope=0.5, scl_inter=-3))
    plain = open_image(dicoms.nifti(NUMBERED))
    assert np.array_equal(image.scan(1).pixels, plain.scan(1).pixels * 0.5 - 3)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "u4", "f4", "f8", "i8", "u8"])
@pytest.mark.parametrize("order", "<>")
def test_every_number_is_read_in_either_byte_order(dtype, order):
    volume = (NUMBERED % 100).astype(np.dtype(dtype))
    image = nibabel.Nifti1Image(volume, np.eye(4), dtype=volume.dtype)
    data = image.to_bytes()
    if order == ">":
        header = image.header.as_byteswapped(">")
        body = volume.astype(volume.dtype.newbyteorder(">")).tobytes(order="F")
        header["vox_offset"] = 352
        data = header.binaryblock + bytes(4) + body
    scan = open_image(data).scan(3)
    assert np.array_equal(scan.pixels[..., 0], volume[::-1, ::-1, 3].T)
    assert scan.bits == volume.dtype.itemsize * 8


def test_the_window_is_that_of_the_header():
    assert open_image(dicoms.nifti(cal_min=5, cal_max=90)).scan(0).window == (5, 90)
    assert open_image(dicoms.nifti(cal_min=5, cal_max=5)).scan(0).window is None


def test_spacing_in_other_units_becomes_millimetres():
    image = nibabel.Nifti1Image(NUMBERED, np.diag([0.001, 0.001, 0.004, 1]))
    image.header.set_xyzt_units("meter")
    opened = open_image(image.to_bytes())
    assert opened.scan(0).spacing_mm == pytest.approx((1, 1))
    assert opened.place(0).thickness_mm == pytest.approx(4)


def with_nan(volume: np.ndarray, where: object = np.s_[:2]) -> np.ndarray:
    gaps = volume.astype(np.float32)
    gaps[where] = np.nan
    return gaps


def test_gaps_are_shown_as_background_and_noticed():
    image = open_image(dicoms.nifti(with_nan(NUMBERED + 50)))
    pixels = image.scan(0).pixels
    assert np.isfinite(pixels).all() and (pixels == 0).sum() == 2 * 6
    assert any("no values" in notice for notice in image.series.notices)
    below = with_nan(NUMBERED - 150)
    below[3, 3, 3] = np.inf
    lowest = below[np.isfinite(below)].min()
    assert lowest < 0
    assert (open_image(dicoms.nifti(below)).scan(3).pixels == lowest).sum() == 2 * 6 + 1


def test_a_volume_of_gaps_alone_is_refused():
    with pytest.raises(InputError, match="holds no values"):
        open_image(dicoms.nifti(with_nan(NUMBERED, np.s_[:])))
