"""The attributes of synthetic DICOM datasets: identity, pixels, items, transfer syntax."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian


def uid(name: str) -> str:
    """A UID that follows from a name."""
    return f"2.25.{int.from_bytes(sha256(name.encode()).digest()[:12], 'big')}"


def new_dataset(sop_class: str, instance_uid: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance_uid
    return dataset


def identify(dataset: Dataset, study: str, series: str, instance: str) -> None:
    dataset.StudyInstanceUID = uid(study)
    dataset.SeriesInstanceUID = uid(f"{study}/{series}")
    dataset.FrameOfReferenceUID = uid(f"{study}/frame")
    dataset.PatientName, dataset.PatientID = "Synthetic^Patient", "SYN-1"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.StudyDate, dataset.StudyTime = "20260304", "101500"
    dataset.StudyID, dataset.AccessionNumber = "1", "A1"
    dataset.ReferringPhysicianName = ""
    dataset.Modality, dataset.BodyPartExamined = "MR", "BRAIN"
    dataset.Manufacturer = "Synthetic"
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = int(instance) if instance.isdigit() else 1


def set_pixels(dataset: Dataset, pixels: np.ndarray) -> None:
    if pixels.dtype not in (np.uint8, np.int16, np.uint16):
        raise ValueError(f"pixels are {pixels.dtype}, expected uint8, int16 or uint16")
    pixels = np.ascontiguousarray(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    dataset["PixelData"] = pixel_element(data + bytes(len(data) % 2), pixels.dtype.itemsize)


def pixel_element(data: bytes, size: int) -> Any:
    return DataElement(0x7FE00010, "OB" if size == 1 else "OW", data)


def with_attributes(dataset: FileDataset, attributes: dict[str, Any]) -> FileDataset:
    for name, value in attributes.items():
        if value is None:
            if name in dataset:
                delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def item_of(**attributes: Any) -> Dataset:
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return item


def code_of(value: str, meaning: str) -> Dataset:
    return item_of(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)


def dataset_in(stream: io.BytesIO) -> FileDataset:
    stream.seek(0)
    return dcmread(stream)


def transcode(dataset: FileDataset, syntax: str) -> None:
    if UID(syntax).is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
        return
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if not UID(syntax).is_little_endian and dataset.BitsAllocated == 16:
        words = np.frombuffer(dataset.PixelData, "<u2")
        dataset.PixelData = words.astype(">u2").tobytes()
        list(dataset.iterall())  # values that were not read yet would be written as they are
    dataset.set_original_encoding(UID(syntax).is_implicit_VR, UID(syntax).is_little_endian)
