"""Masks as NIfTI files."""

import gzip

import nibabel
import numpy as np
import pytest

from core.errors import InputError
from core.imaging import open_image
from core.reports.nifti_mask import nifti_mask
from tests.dicoms import nifti

SHAPE = (7, 9, 5)


def affine(order=(0, 1, 2), signs=(1, 1, 1), turned=0.2, thick=2) -> np.ndarray:
    """Voxel to world (RAS): axis i runs along the patient's axis `order[i]`, head turned a bit."""
    spacing = np.where(np.arange(3) == thick, 4.0, [1.1, 0.9, 1.0])
    axes = np.zeros((3, 3))
    for i, axis in enumerate(order):
        axes[axis, i] = signs[i]
    c, s = np.cos(turned), np.sin(turned)
    made = np.eye(4)
    made[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ axes @ np.diag(spacing)
    made[:3, 3] = [-33.1, 12.7, 90.4]
    return made


def as_shown(source: bytes, frames: range | None = None) -> list[tuple[int, np.ndarray]]:
    """The mask of each frame of a file whose values are 0 and 1, as the model sees the frame."""
    file = open_image(source)
    return [
        (frame, (file.scan(frame).pixels[..., 0] > 0.5).astype(np.uint8) * 255)
        for frame in frames or range(file.frame_count)
    ]


def read(data: bytes, version: int = 1):
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    return kind.from_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


@pytest.fixture
def truth() -> np.ndarray:
    return (np.random.default_rng(0).random(SHAPE) > 0.5).astype(np.uint8)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("thick", [0, 1, 2])
@pytest.mark.parametrize(
    ("order", "signs"),
    [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 2, 0), (1, -1, -1)),
     ((0, 2, 1), (-1, -1, -1))],
    ids=["RAS", "permuted", "mirrored", "swapped"],
)  # fmt: skip
def test_every_voxel_gets_its_own_mask(version, packed, thick, order, signs, truth):
    source = nifti(truth, affine(order, signs, thick=thick), version=version, packed=packed)
    made = read(nifti_mask(source, as_shown(source)), version)
    original = read(source, version)
    values = np.asanyarray(made.dataobj)
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values, truth)
    np.testing.assert_array_equal(made.affine, original.affine)
    for field in ("sform_code", "qform_code", "xyzt_units", "srow_x", "quatern_b", "pixdim"):
        np.testing.assert_array_equal(made.header[field], original.header[field])


def test_slices_without_a_mask_may_be_left_out(truth):
    source = nifti(truth, affine())
    made = read(nifti_mask(source, as_shown(source)[1:3]))
    kept = np.zeros_like(truth)
    kept[:, :, 1:3] = truth[:, :, 1:3]
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), kept)


def test_of_several_volumes_the_mask_has_the_shape_of_one(truth):
    source = nifti(np.stack([truth * 0, truth, truth * 0], axis=3), affine())
    made = read(nifti_mask(source, as_shown(source, range(5, 10))))
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), truth)


@pytest.mark.parametrize("one", [np.s_[:, :, :1], np.s_[:, :, 0]], ids=["3-D", "2-D"])
def test_one_slice_has_a_mask_too(one, truth):
    source = nifti(truth[one], affine())
    made = read(nifti_mask(source, as_shown(source)))
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), truth[one])


def test_a_file_that_does_not_say_how_the_head_lies_has_a_mask_too(truth):
    data = bytearray(nifti(truth, np.diag([1.0, 1.0, 4.0, 1.0]), packed=False))
    data[252:256] = bytes(4)  # qform_code and sform_code
    source = bytes(data)
    assert open_image(source).place(0) is None
    made = read(nifti_mask(source, as_shown(source)))
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), truth)


def test_scaling_of_the_source_does_not_scale_the_mask(truth):
    source = nifti(truth.astype(np.int16), affine(), scl_slope=3.5, scl_inter=0)
    made = read(nifti_mask(source, as_shown(source)))
    np.testing.assert_array_equal(np.asarray(made.dataobj), truth)


def test_texts_of_the_source_stay_behind(truth):
    source = nifti(truth, affine(), descrip=b"SENTINEL", aux_file=b"SENTINEL",
                   intent_name=b"SENTINEL")  # fmt: skip
    assert b"SENTINEL" not in gzip.decompress(nifti_mask(source, as_shown(source)))


def test_it_cannot_be_taken_for_a_scan(truth):
    source = nifti(truth, affine())
    with pytest.raises(InputError, match="labels"):
        open_image(nifti_mask(source, as_shown(source)))


def test_the_same_masks_are_the_same_file(truth):
    source = nifti(truth, affine())
    assert nifti_mask(source, as_shown(source)) == nifti_mask(source, as_shown(source))


def test_a_mask_of_another_size_is_an_error_of_the_caller(truth):
    with pytest.raises(ValueError, match="its slice"):
        nifti_mask(nifti(truth, affine()), [(0, np.ones((3, 3), np.uint8))])
