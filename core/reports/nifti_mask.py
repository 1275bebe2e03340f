"""Masks as a NIfTI file: in the voxels of the file that they were made from."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import nibabel
import numpy as np
from nibabel import Nifti1Header

from core.imaging.nifti_read import read_header
from core.imaging.nifti_space import Space
from core.types import UInt8Array

_DIRECTIONS = 0x3F  # of dim_info, all bits that the standard uses


def nifti_mask(
    source: bytes, masks: Iterable[tuple[int, UInt8Array]], *, kept: bool = False
) -> bytes:
    """The masks of a volume as ``.nii.gz``, uint8: 1 where masked, else 0.

    Shape, affine, orientation and units are those of the source; of a source with several volumes,
    those of one.

    Args:
        source: the NIfTI file, plain or packed.
        masks: frame number and mask of each masked slice; the mask as the slice is shown, uint8
            (rows, columns), not 0 where masked. All of one volume.
        kept: whether the file comes from the file store, as in ``core.imaging.open_image``.

    Raises:
        ValueError: a mask has another size than its slice.
    """
    header = read_header(source)
    mask = np.zeros((*header.get_data_shape(), 1)[:3], np.uint8)
    space = Space.of(header.copy(), mask.shape, kept=kept)
    for frame, shown in masks:
        # The slice as it is shown is a view into the volume: what is written there is turned back.
        voxels = space.cut(mask, frame % space.across.length)
        if voxels.shape != shown.shape:
            raise ValueError(f"a mask has the shape {shown.shape}, its slice {voxels.shape}")
        voxels[...] = shown != 0
    return _packed(mask.reshape(header.get_data_shape()[:3]), header)


def _packed(mask: UInt8Array, source: Nifti1Header) -> bytes:
    header = source.copy()
    header.set_data_shape(mask.shape)
    header.set_data_dtype(np.uint8)
    header["cal_min"], header["cal_max"] = 0, 1
    header["descrip"] = b"Outlined by a model, not verified; research use"
    header["aux_file"] = b""
    header.set_intent("label")
    header["dim_info"] = int(header["dim_info"]) & _DIRECTIONS
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    # Without an affine of its own the image keeps what is written in the header, to the last bit.
    image = kind(mask, None, header)
    image.header.set_slope_inter(1, 0)
    # Without the time in it, the same mask gives the same bytes.
    return gzip.compress(image.to_bytes(), mtime=0)
