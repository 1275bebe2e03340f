"""What a NIfTI header says of the size of its voxels and of where they lie."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from core.errors import InputError
from core.imaging.dicom.geometry import LARGEST_POSITION_MM, SPACINGS_MM, SQUARE_TOLERANCE

# A matrix that gives another spacing than the header by more than the first factor has been
# stretched to a standard brain, or was never filled in; beyond the second nothing can be trusted.
_SAME_SCALE = 1.05
_LARGEST_STRETCH = 2.0
_TO_MM = {1: 1000.0, 3: 0.001}  # codes of metres and micrometres; all else means millimetres
_UNITS_OF_SPACE = 7
RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def affine_of(header: Any, as_acquired: bool = True) -> tuple[np.ndarray, bool, str | None]:
    """Voxels to millimetres (RAS), whether the file itself says so, and what contradicts it.

    The sform is preferred; a sheared one (of a registration) gives way to the qform. The header's
    spacing is used without an sform; beside one it may be absent (0), but not tell a quite other
    scale. Where it tells another one it is right: it is that of the voxels as they were acquired,
    while an sform may well lead to a standard brain of another size.

    Args:
        header: of the file; what the standard takes for granted is filled in.
        as_acquired: whether another scale is heeded; else the sform is believed.

    Raises:
        InputError: spacing or orientation are unusable.
    """
    pixdim = header["pixdim"].astype(np.float64)
    dimensions = int(header["dim"][0])
    stated = pixdim[1:4] * [1, 1, dimensions != 2]  # a single slice has none to the next
    if dimensions == 2 and pixdim[3] == 0:
        header["pixdim"][3] = pixdim[3] = 1.0
    if header["pixdim"][0] == 0:  # the standard reads a 0 as a 1
        header["pixdim"][0] = 1.0
    unit = _unit(header)
    spacing = pixdim[1:4] * unit
    has_qform = header["qform_code"] > 0
    if header["sform_code"] > 0:
        sform = header.get_sform() * _scale(unit)
        _check(sform)
        if _is_square(sform):
            lengths = np.linalg.norm(sform[:3, :3], axis=0)
            _check_agreement(stated * unit, lengths)
            true = np.where(stated == 0, lengths, stated * unit)
            if not as_acquired or _is_same_scale(true, lengths):
                return sform, True, None
            # Ones without a qform are what a program leaves that fills in the matrix alone.
            is_stated = has_qform or not (pixdim[1:4] == 1).all()
            contradiction = _contradiction(true, lengths, is_stated)
            return (_acquired(header, sform, true) if is_stated else sform), True, contradiction
        if not has_qform:
            raise InputError(
                "The NIfTI file holds a sheared volume: its axes are not at right angles, so sizes "
                "in mm would be wrong. Please resample it to a regular grid."
            )
    _check_spacing(spacing)
    if not has_qform:
        return np.diag([*spacing, 1.0]), False, None
    return _qform(header), True, None


def _acquired(header: Any, sform: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """The volume as it was acquired; without a usable qform turned as the sform says."""
    if header["qform_code"] > 0 and (header["pixdim"][1:4] > 0).all():
        with suppress(InputError):
            return _qform(header)
    sform = sform.copy()
    sform[:3, :3] *= spacing / np.linalg.norm(sform[:3, :3], axis=0)
    return sform


def _qform(header: Any) -> np.ndarray:
    try:
        qform = header.get_qform() * _scale(_unit(header))
    except Exception as error:
        # Nibabel raises various errors for numbers that are no rotation.
        raise _unusable() from error
    _check(qform)
    return qform


def _unit(header: Any) -> float:
    return _TO_MM.get(int(header["xyzt_units"]) & _UNITS_OF_SPACE, 1.0)


def _scale(unit: float) -> np.ndarray:
    return np.array([unit, unit, unit, 1.0])[:, None]


def _check_spacing(spacing: np.ndarray) -> None:
    low, high = SPACINGS_MM
    if not ((spacing >= low) & (spacing <= high)).all():
        raise InputError(
            "The NIfTI file gives its voxels an impossible spacing "
            f"({_shown(spacing)} mm). Please export it again."
        )


def _check_agreement(spacing: np.ndarray, of_matrix: np.ndarray) -> None:
    """Refuse a header's spacing (0 where it gives none) that is of another scale than the matrix's.

    A registration may well have stretched the matrix a little.
    """
    agrees = (spacing >= of_matrix / _LARGEST_STRETCH) & (spacing <= of_matrix * _LARGEST_STRETCH)
    if not (agrees | (spacing == 0)).all():
        raise InputError(
            "The NIfTI file's header and its orientation matrix contradict each other: voxels are "
            f"{_shown(spacing)} mm by the one and {_shown(of_matrix)} mm by the other. "
            "Please export it again."
        )


def _is_same_scale(spacing: np.ndarray, of_matrix: np.ndarray) -> bool:
    ratio = spacing / of_matrix
    return bool(((ratio <= _SAME_SCALE) & (ratio >= 1 / _SAME_SCALE)).all())


def _contradiction(spacing: np.ndarray, of_matrix: np.ndarray, is_stated: bool) -> str:
    return (
        "The file gives the size of its voxels twice and differently: "
        f"{_shown(spacing)} mm in its header, {_shown(of_matrix)} mm in its orientation matrix. "
        f"Sizes here are measured by the {'header' if is_stated else 'matrix'}; please check them."
    )


def _shown(spacing: np.ndarray) -> str:
    return " × ".join(f"{value:.4g}" for value in spacing)


def _check(affine: np.ndarray) -> None:
    """Refuse what maps voxels to nowhere."""
    if not np.isfinite(affine).all() or np.abs(affine[:3, 3]).max() > LARGEST_POSITION_MM:
        raise _unusable()
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < SQUARE_TOLERANCE:
        raise _unusable()
    _check_spacing(lengths)


def _is_square(affine: np.ndarray) -> bool:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() <= SQUARE_TOLERANCE)


def _unusable() -> InputError:
    return InputError(
        "The NIfTI file does not say usably how its volume lies in space (its affine cannot be "
        "inverted). Please export it again."
    )
