"""Synthetic DICOM and NIfTI files: a head with a bright spot, in any number of slices.

`mr_dataset` and `multi_frame_dataset` give a dataset to be changed before `to_bytes` writes it;
`mr_series` gives the files of a whole series; `nifti` gives a volume. UIDs follow from the names
given, so that the same call gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.fileset import FileSet
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from tests.dicom_elements import (
    code_of,
    dataset_in,
    identify,
    item_of,
    new_dataset,
    set_pixels,
    transcode,
    uid,
    with_attributes,
)

# ImageOrientationPatient of slices that are shown as radiologists expect.
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)

_CT = "CT"


def head_slice(
    height: int = 96, width: int = 80, level: float = 0.0, lesion: bool = False, peak: int = 220
) -> np.ndarray:
    """uint16 (height, width), 0 to `peak`: an oval head that shrinks as `level` nears -1 or 1.

    The bright spot of `lesion` lies in the upper right and holds the peak alone; with the default
    peak it is what `FakeEngine` calls a glioma.
    """
    y, x = np.mgrid[0:height, 0:width]
    size = max(0.2, float(np.sqrt(max(0.0, 1 - level * level))))
    radius = np.hypot((y / height - 0.5) / 0.44, (x / width - 0.5) / 0.38) / size
    picture = np.where(radius < 1, 90 + 25 * np.sin(x / width * 25) * np.cos(y / height * 21), 0)
    picture = np.where((radius > 0.9) & (radius < 1), 170, picture)
    if lesion:
        spot = np.hypot(y / height - 0.4, x / width - 0.62) < 0.09 * size
        picture = np.where(spot, 220, picture)
    return np.rint(picture * (peak / 220)).astype(np.uint16)


def head_volume(
    depth: int = 12, height: int = 96, width: int = 80, lesion: range = range(5, 8), peak: int = 220
) -> np.ndarray:
    """uint16 (depth, height, width); the slices in `lesion` hold the bright spot."""
    levels = np.linspace(-0.8, 0.8, depth) if depth > 1 else [0.0]
    return np.stack(
        [head_slice(height, width, level, i in lesion, peak) for i, level in enumerate(levels)]
    )


def mr_dataset(
    pixels: np.ndarray | None = None,
    *,
    study: str = "study",
    series: str = "series",
    instance: str = "1",
    orientation: Sequence[float] = AXIAL,
    position: Sequence[float] = (-40.0, -48.0, 0.0),
    spacing: Sequence[float] = (1.0, 1.0),
    thickness: float = 5.0,
    **attributes: Any,
) -> FileDataset:
    """One slice of an MR series (single-frame MR Image Storage), T1 with contrast.

    Args:
        pixels: (height, width) or (height, width, 3), uint8, int16 or uint16; a head by default.
        study: name from which the study's UID and the frame of reference's follow.
        series: name from which, with the study's, the series's UID follows.
        instance: name from which, with the others, the object's UID follows; its number where it
            is one.
        orientation: ImageOrientationPatient.
        position: ImagePositionPatient, in mm.
        spacing: mm between rows and between columns.
        thickness: SliceThickness and SpacingBetweenSlices, in mm.
        attributes: by keyword, such as ``PatientID="7"``; None removes one.
    """
    pixels = head_slice() if pixels is None else pixels
    dataset = new_dataset(MRImageStorage, uid(f"{study}/{series}/{instance}"))
    identify(dataset, study, series, instance)
    dataset.ScanningSequence, dataset.SequenceVariant = "SE", "SK"
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.FlipAngle = 550, 12, 90
    dataset.MagneticFieldStrength = 1.5
    dataset.ContrastBolusAgent = "Gadobutrol"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.ImageOrientationPatient = list(map(float, orientation))
    dataset.ImagePositionPatient = list(map(float, position))
    dataset.PixelSpacing = list(map(float, spacing))
    dataset.SliceThickness = dataset.SpacingBetweenSlices = thickness
    set_pixels(dataset, pixels)
    return with_attributes(dataset, attributes)


def mr_series(
    volume: np.ndarray | None = None,
    *,
    orientation: Sequence[float] = AXIAL,
    origin: Sequence[float] = (-40.0, -48.0, -30.0),
    spacing: Sequence[float] = (1.0, 1.0),
    step: float = 5.0,
    **options: Any,
) -> list[bytes]:
    """The files of a series, one a slice, ordered along the normal of its slices.

    Args:
        volume: (depth, height, width); `head_volume()` by default.
        orientation: ImageOrientationPatient of all slices.
        origin: ImagePositionPatient of the first slice.
        spacing: mm between rows and between columns.
        step: mm from slice to slice.
        options: what `mr_dataset` takes beside these.
    """
    volume = head_volume() if volume is None else volume
    normal = np.cross(orientation[:3], orientation[3:])
    return [
        to_bytes(
            mr_dataset(
                pixels,
                instance=str(i + 1),
                orientation=orientation,
                position=np.asarray(origin) + i * step * normal,
                spacing=spacing,
                thickness=step,
                **options,
            )
        )
        for i, pixels in enumerate(volume)
    ]


def multi_frame_dataset(
    volume: np.ndarray | None = None,
    *,
    study: str = "study",
    series: str = "series",
    instance: str = "1",
    orientation: Sequence[float] = AXIAL,
    origin: Sequence[float] = (-40.0, -48.0, -30.0),
    spacing: Sequence[float] = (1.0, 1.0),
    step: float = 5.0,
    **attributes: Any,
) -> FileDataset:
    """An Enhanced MR object: one file, one frame a slice, T1 with contrast.

    Orientation, spacing and timing stand in the shared functional groups, positions in those of
    each frame; the arguments are those of `mr_series` and `mr_dataset`.
    """
    volume = head_volume() if volume is None else volume
    normal = np.cross(orientation[:3], orientation[3:])
    dataset = new_dataset(EnhancedMRImageStorage, uid(f"{study}/{series}/{instance}"))
    identify(dataset, study, series, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.MagneticFieldStrength = 1.5
    dataset.EchoPulseSequence = "SPIN"
    dataset.ContrastBolusAgentSequence = [code_of("7140000", "Gadobutrol")]
    set_pixels(dataset, volume[0])
    dataset.NumberOfFrames = len(volume)
    dataset.PixelData = np.ascontiguousarray(volume).tobytes()
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        item_of(PixelSpacing=list(spacing), SliceThickness=step, SpacingBetweenSlices=step)
    ]
    shared.PlaneOrientationSequence = [
        item_of(ImageOrientationPatient=list(map(float, orientation)))
    ]
    shared.MRTimingAndRelatedParametersSequence = [item_of(RepetitionTime=550.0, FlipAngle=90.0)]
    shared.MREchoSequence = [item_of(EffectiveEchoTime=12.0)]
    shared.PixelValueTransformationSequence = [
        item_of(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")
    ]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for i in range(len(volume)):
        frame = Dataset()
        place = (np.asarray(origin) + i * step * normal).tolist()
        frame.PlanePositionSequence = [item_of(ImagePositionPatient=place)]
        frame.FrameContentSequence = [item_of(StackID="1", InStackPositionNumber=i + 1)]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    return with_attributes(dataset, attributes)


def secondary_capture_dataset(pixels: np.ndarray | None = None, **attributes: Any) -> FileDataset:
    """A picture that some workstation saved as DICOM; RGB for pixels (height, width, 3)."""
    pixels = head_slice().astype(np.uint8) if pixels is None else pixels
    dataset = new_dataset(SecondaryCaptureImageStorage, uid("study/capture/1"))
    identify(dataset, "study", "capture", "1")
    dataset.Modality, dataset.ConversionType = "OT", "WSD"
    del dataset.FrameOfReferenceUID
    set_pixels(dataset, pixels)
    return with_attributes(dataset, attributes)


def ct_dataset(**attributes: Any) -> FileDataset:
    """A CT slice of a head: what the program refuses."""
    dataset = mr_dataset(series="ct", **attributes)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.Modality = _CT
    return dataset


def to_bytes(dataset: Dataset, transfer_syntax: str | None = None, preamble: bool = True) -> bytes:
    """A dataset as a file. A compressed transfer syntax compresses the pixels.

    Args:
        dataset: what the makers here return; not changed.
        transfer_syntax: UID; by default the dataset's own (Explicit VR Little Endian).
        preamble: whether the 128 bytes, ``DICM`` and the file meta information come first.
    """
    plain = io.BytesIO()
    dataset.save_as(plain, enforce_file_format=True)
    if transfer_syntax is None and preamble:
        return plain.getvalue()
    copy = dataset_in(plain)
    if transfer_syntax is not None and transfer_syntax != copy.file_meta.TransferSyntaxUID:
        transcode(copy, transfer_syntax)
    out = io.BytesIO()
    if preamble:
        copy.save_as(out, enforce_file_format=True)
    else:
        syntax = copy.file_meta.TransferSyntaxUID
        del copy.file_meta
        copy.preamble = None
        copy.save_as(out, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    return out.getvalue()


def dicomdir(files: Sequence[bytes]) -> bytes:
    """A DICOMDIR that lists some files."""
    listing = FileSet()
    for data in files:
        listing.add(dataset_in(io.BytesIO(data)))
    with tempfile.TemporaryDirectory() as folder:
        listing.write(folder)
        return (Path(folder) / "DICOMDIR").read_bytes()


def nifti(
    volume: np.ndarray | None = None,
    affine: np.ndarray | None = None,
    *,
    spacing: Sequence[float] = (1.0, 1.0, 5.0),
    packed: bool = True,
    version: int = 1,
    **header: Any,
) -> bytes:
    """A NIfTI file.

    Args:
        volume: values by (x, y, z) or (x, y, z, time); by default the head of `head_volume` with
            x to the patient's right to left, y from back to front, z from foot to head (RAS).
        affine: voxel to world (RAS, mm); by default `spacing` along the axes, the middle at 0.
        spacing: mm along x, y and z.
        packed: whether the file is compressed with gzip (.nii.gz).
        version: of NIfTI, 1 or 2.
        header: fields to set before writing, such as ``descrip=b"..."``.
    """
    if volume is None:
        # Display has the patient's right on the left and the front at the top.
        volume = head_volume()[:, ::-1, ::-1].transpose(2, 1, 0)
    if affine is None:
        affine = np.diag([*spacing, 1.0])
        sizes = [*volume.shape, 1, 1][:3]
        affine[:3, 3] = [-(n - 1) * s / 2 for n, s in zip(sizes, spacing, strict=True)]
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    image = kind(volume, affine)
    image.header.set_xyzt_units("mm", "sec")
    for field, value in header.items():
        image.header[field] = value
    data = image.to_bytes()
    return gzip.compress(data, mtime=0) if packed else data
