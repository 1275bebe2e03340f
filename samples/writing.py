"""Simulated slices as files, each of which says that it is simulated."""

from __future__ import annotations

import gzip
import hashlib
import io

import nibabel
import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, RLELossless

from samples.anatomy import FloatArray
from samples.plan import Case
from samples.scanner import DIRECTIONS

MARK = "SIMULATED"  # stands in every file's name and metadata, and in every PNG's corner
NOTICE = (
    "Simulated: the tumour, if any, was computed and is no patient's. Made from the Colin 27 "
    "template, Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre, Montreal "
    "Neurological Institute, McGill University; see samples/NOTICE."
)
_WHITE_VALUE = 400  # of white matter, in what DICOM and NIfTI store
_MOST_VALUE = 4095  # 12 bits
_MARK_GRAY = 100
_UID_NAMESPACE = b"neurotriage simulated sample scans"


def png_files(case: Case, slices: FloatArray) -> dict[str, bytes]:
    """A picture a slice: 8 bits, shown as one window for the whole case, marked in a corner."""
    white = float(np.percentile(slices[slices > 0.2], 99.8))
    described = PngImagePlugin.PngInfo()
    described.add_text("Title", f"{case.reference} ({MARK})")
    described.add_text("Description", NOTICE)
    files = {}
    for number, one in enumerate(slices, start=1):
        picture = Image.fromarray(np.rint(np.clip(one / white, 0, 1) * 255).astype(np.uint8))
        # Outside of the head, and dark: it is read by people and disturbs no measurement.
        ImageDraw.Draw(picture).text((4, 2), MARK, fill=_MARK_GRAY)
        out = io.BytesIO()
        picture.save(out, "PNG", optimize=True, pnginfo=described)
        files[f"{case.stem}-{number}.png"] = out.getvalue()
    return files


def nifti_file(case: Case, slices: FloatArray) -> dict[str, bytes]:
    """One compressed NIfTI-1 volume, int16, axes right, front, up where the slices are axial."""
    columns, rows, across = (np.asarray(d, float) for d in DIRECTIONS[case.protocol.plane])
    protocol, positions = case.protocol, case.protocol.positions
    affine = np.eye(4)
    affine[:3, 0] = columns * protocol.pixel
    affine[:3, 1] = rows * protocol.pixel
    affine[:3, 2] = across * (positions[1] - positions[0])
    affine[:3, 3] = _first_pixel(case, positions[0])
    values = _stored(slices).astype(np.int16).transpose(2, 1, 0)
    # In the order that most programs write: voxel indices rise to the right and to the front.
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(values, affine))
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = f"{MARK} from Colin 27 (C) L. Collins, MNI, McGill"
    image.set_sform(image.affine, code="scanner")
    image.set_qform(image.affine, code="scanner")
    return {f"{case.stem}.nii.gz": gzip.compress(image.to_bytes(), mtime=0)}


def dicom_files(case: Case, slices: FloatArray) -> dict[str, bytes]:
    """One MR object a slice, all of one series; lossless RLE."""
    files = {}
    for number, one in enumerate(_stored(slices), start=1):
        dataset = _mr_object(case, number, one)
        out = io.BytesIO()
        dataset.save_as(out, enforce_file_format=True)
        files[f"{case.stem}/simulated-{number:03d}.dcm"] = out.getvalue()
    return files


def _mr_object(case: Case, number: int, values: np.ndarray) -> Dataset:
    columns, rows, across = (_lps(d) for d in DIRECTIONS[case.protocol.plane])
    protocol = case.protocol
    position = protocol.positions[number - 1]
    first = _lps(_first_pixel(case, position))
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 100"
    # "Derived": no scanner measured these pixels.
    ds.ImageType = ["DERIVED", "PRIMARY", "OTHER", MARK]
    ds.SOPClassUID = MRImageStorage
    ds.SOPInstanceUID = _uid(f"{case.reference} image {number}")
    ds.SyntheticData = "YES"
    for name in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID",
                 "PatientBirthDate", "PatientSex", "PositionReferenceIndicator"):  # fmt: skip
        setattr(ds, name, "")
    ds.Modality = "MR"
    ds.Manufacturer = "NeuroTriage samples (simulated)"
    ds.StudyDescription = f"{MARK} head"
    ds.SeriesDescription = f"{MARK} T1 with contrast"
    ds.PatientName = f"{MARK}^{case.number:02d}"
    ds.PatientID = case.reference
    ds.ContrastBolusAgent = f"{MARK} gadolinium"
    ds.BodyPartExamined = "HEAD"
    ds.ScanningSequence = "SE"
    ds.SequenceVariant = "NONE"
    ds.ScanOptions = ""
    ds.MRAcquisitionType = "2D"
    ds.SliceThickness = f"{protocol.thickness:g}"
    ds.RepetitionTime = "500"
    ds.EchoTime = "12"
    ds.EchoTrainLength = "1"
    ds.MagneticFieldStrength = "1.5"
    ds.SpacingBetweenSlices = f"{protocol.positions[1] - protocol.positions[0]:g}"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = _uid(f"{case.reference} study")
    ds.SeriesInstanceUID = _uid(f"{case.reference} series")
    ds.FrameOfReferenceUID = _uid(f"{case.reference} frame of reference")
    ds.SeriesNumber = "1"
    ds.InstanceNumber = str(number)
    ds.ImagePositionPatient = [f"{v:.4f}" for v in first]
    ds.ImageOrientationPatient = [f"{v:g}" for v in (*columns, *rows)]
    ds.SliceLocation = f"{float(np.dot(first, across)):.4f}"
    ds.ImageComments = NOTICE
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = values.shape
    ds.PixelSpacing = [f"{protocol.pixel:.6f}"] * 2
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.WindowCenter, ds.WindowWidth = str(_WHITE_VALUE), str(2 * _WHITE_VALUE)
    ds.PixelData = values.astype("<u2").tobytes()
    ds.compress(RLELossless, generate_instance_uid=False)
    return ds


def _stored(slices: FloatArray) -> np.ndarray:
    return np.clip(np.rint(slices * _WHITE_VALUE), 0, _MOST_VALUE).astype(np.uint16)


def _first_pixel(case: Case, position: float) -> np.ndarray:
    """Centre of a slice's first pixel, mm; x right, y front, z up."""
    columns, rows, across = (np.asarray(d, float) for d in DIRECTIONS[case.protocol.plane])
    height, width = case.protocol.size
    centre = np.asarray(case.protocol.centre, float)
    centre = centre + across * (position - centre @ across)
    half = case.protocol.pixel / 2
    return centre - columns * (width - 1) * half - rows * (height - 1) * half


def _lps(place: object) -> tuple[float, float, float]:
    """DICOM's axes point to the left, the back and the head."""
    x, y, z = (float(v) + 0.0 for v in np.asarray(place, float))
    return -x + 0.0, -y + 0.0, z


def _uid(name: str) -> str:
    number = int.from_bytes(hashlib.sha256(_UID_NAMESPACE + name.encode()).digest()[:16])
    return f"2.25.{number}"
