"""Volumes as they were acquired: the axis that the header names, and files stored before that."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest

from core.imaging import open_image
from core.imaging.deidentify.nifti import without_identity
from core.reports.nifti_mask import nifti_mask
from core.types import Plane
from tests.core.imaging.nifti_volumes import NUMBERED

PLANES = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)


def volume(spacing=(1, 1, 1), slices: int | None = None, values: np.ndarray = NUMBERED) -> bytes:
    image = nibabel.Nifti1Image(values, np.diag([*spacing, 1.0]))
    others = [axis for axis in range(3) if axis != slices]
    if slices is not None:
        image.header.set_dim_info(freq=others[0], phase=others[1], slice=slices)
    return image.to_bytes()


def contradictory() -> bytes:
    """Voxels of 0.6 mm and thicker across, beside an sform that was never filled in."""
    image = nibabel.Nifti1Image(NUMBERED, np.eye(4))
    image.set_sform(np.eye(4), code=2)
    image.header.set_qform(np.diag([-0.6, 1.2, 0.6, 1.0]), code=1)
    return bytes(image.header.binaryblock) + bytes(4) + NUMBERED.tobytes(order="F")


@pytest.mark.parametrize("spacing", [(1, 1, 1), (1.1, 1, 1), (1, 1, 1.15), (0.9, 1, 1)])
@pytest.mark.parametrize("axis", range(3))
def test_where_spacings_do_not_tell_slices_lie_across_the_axis_that_is_named(spacing, axis):
    image = open_image(volume(spacing, axis))
    assert (image.series.plane, image.frame_count) == (PLANES[axis], NUMBERED.shape[axis])
    assert image.place(0).thickness_mm == pytest.approx(spacing[axis])


@pytest.mark.parametrize("axis", range(3))
def test_an_axis_that_contradicts_the_spacings_is_not_believed(axis):
    assert open_image(volume((1, 4, 1), axis)).series.plane is Plane.CORONAL
    flat = open_image(volume((1, 1, 1), axis, NUMBERED[:, :1]))
    assert (flat.frame_count, flat.series.plane) == (1, Plane.CORONAL)


def test_an_axis_is_named_by_that_of_the_array_and_not_of_the_patient():
    turned = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    image = nibabel.Nifti1Image(NUMBERED, turned)
    image.header.set_dim_info(slice=2)  # runs from the left to the right
    opened = open_image(image.to_bytes())
    assert (opened.series.plane, opened.frame_count) == (Plane.SAGITTAL, 7)


@pytest.mark.parametrize("data", [volume(slices=0), contradictory()], ids=["axis", "spacing"])
def test_what_is_stored_is_read_like_what_was_sent(data):
    sent, safe = open_image(data), without_identity(data)
    assert without_identity(safe) == safe
    for kept in (True, False):
        stored = open_image(safe, kept=kept)
        assert (stored.frame_count, stored.facts(0)) == (sent.frame_count, sent.facts(0))
        assert stored.place(1) == sent.place(1)
        assert np.array_equal(stored.scan(1).pixels, sent.scan(1).pixels)


def test_what_was_stored_before_is_cut_as_it_was():
    """Masks in the database belong to those slices."""
    before = volume(slices=0)  # de-identified then without a mark
    stored = open_image(before, kept=True)
    assert (stored.series.plane, stored.frame_count) == (Plane.AXIAL, 7)
    assert np.array_equal(stored.scan(2).pixels, open_image(volume()).scan(2).pixels)
    mask = np.ones((6, 5), np.uint8)
    found = nibabel.Nifti1Image.from_bytes(
        gzip.decompress(nifti_mask(before, [(2, mask)], kept=True))
    )
    assert np.asarray(found.dataobj)[:, :, 2].all() and np.asarray(found.dataobj).sum() == 30
    old = open_image(contradictory(), kept=True)
    assert (old.series.plane, old.scan(0).spacing_mm) == (Plane.AXIAL, (1, 1))
    assert open_image(contradictory()).series.plane is Plane.CORONAL


def test_files_that_say_nothing_new_stay_the_same_bytes_and_the_same_series():
    for slices in (None, 2):
        data = volume((1, 1, 4), slices)
        assert nibabel.Nifti1Image.from_bytes(without_identity(data)).header["dim_info"] < 0x40
        assert open_image(data).facts(0) == open_image(volume((1, 1, 4))).facts(0)
    assert open_image(volume(slices=0)).facts(0).stack != open_image(volume()).facts(0).stack


def test_a_mask_bears_no_mark():
    safe = without_identity(volume(slices=0))
    made = nifti_mask(safe, [(1, np.ones((7, 6), np.uint8))], kept=True)
    found = nibabel.Nifti1Image.from_bytes(gzip.decompress(made))
    assert found.header.get_dim_info() == (1, 2, 0) and found.header["dim_info"] < 0x40
    assert np.asarray(found.dataobj)[1].all() and np.asarray(found.dataobj).sum() == 42
