"""``python -m benchmarks.node``: objects a second that the DICOM node takes, and what one costs."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import AE

from core.config import NodeSettings, Settings
from core.node.archive import keep_answers
from core.node.storage import StorageNode
from core.services.installation import Installation, open_installation
from core.services.readers import sign_in
from core.services.submit import receive

_SIDE = 256


def main(
    slices: Annotated[int, typer.Option(min=1, help="Slices of each study.")] = 300,
    senders: Annotated[int, typer.Option(min=1, help="Studies sent at the same time.")] = 1,
) -> None:
    """Send studies of 256 × 256 px to a node on this machine; nothing is asserted."""
    studies = [_study(slices, seed) for seed in range(senders)]
    with tempfile.TemporaryDirectory() as folder:
        installation = open_installation(Settings(_env_file=None, storage=Path(folder)))
        for what, take in (("nothing is stored", _forget), ("stored", _keep(installation))):
            seconds = _seconds(take, studies)
            count = slices * senders
            typer.echo(
                f"{what:<18} {count} objects in {seconds:6.1f} s: {count / seconds:6.1f} a second, "
                f"{1000 * seconds / count:6.1f} ms each"
            )
        installation.database.close()


def _forget(_data: bytes) -> None:
    """The network alone."""


def _keep(installation: Installation):  # noqa: ANN202
    account = sign_in(installation, "node:BENCHMARK", "DICOM node", True)
    return lambda data: receive(installation, account, data, keep_uids=True)


def _seconds(take, studies: list[list[Dataset]]) -> float:  # noqa: ANN001
    settings = NodeSettings(
        senders=("BENCHMARK",), bind="127.0.0.1", port=0, objects_per_minute=1_000_000,
        associations=len(studies),
    )  # fmt: skip
    node = StorageNode(settings, take, None)
    node.start()
    try:
        with ThreadPoolExecutor(len(studies)) as threads:
            began = time.perf_counter()
            for done in [threads.submit(_send, node.port, study) for study in studies]:
                done.result()
            return time.perf_counter() - began
    finally:
        node.stop(10)


def _send(port: int, study: list[Dataset]) -> None:
    entity = AE(ae_title="BENCHMARK")
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="NEUROTRIAGE")
    keep_answers(association)
    for dataset in study:
        status = association.send_c_store(dataset).get("Status")
        if status != 0x0000:
            raise RuntimeError(f"refused with status {status}")
    association.release()


def _study(slices: int, seed: int) -> list[Dataset]:
    rng = np.random.default_rng(seed)
    study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
    return [_slice(rng, number, study, series, frame_of_reference) for number in range(slices)]


def _slice(
    rng: np.random.Generator, number: int, study: str, series: str, frame_of_reference: str
) -> Dataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.FrameOfReferenceUID = frame_of_reference
    dataset.PatientName, dataset.PatientID = "Bench^Mark", "1"
    dataset.Modality, dataset.BodyPartExamined = "MR", "BRAIN"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number + 1
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [-128, -128, number]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 1
    dataset.Rows = dataset.Columns = _SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] - _SIDE / 2
    head = np.hypot(y, x) < 100
    pixels = np.where(head, rng.integers(200, 1200, (_SIDE, _SIDE)), rng.integers(0, 20))
    dataset.PixelData = pixels.astype(np.uint16).tobytes()
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return dcmread(BytesIO(out.getvalue()))


if __name__ == "__main__":
    typer.run(main)
