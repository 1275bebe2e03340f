"""Series in an installation, analysed by `FakeEngine`, without upload and worker."""

from collections.abc import Sequence

import numpy as np

from core.imaging import open_image
from core.imaging.deidentify.pseudonyms import Pseudonyms
from core.imaging.identity import Privacy, without_identity
from core.inference.measure import measure_lesion
from core.services.installation import Installation
from core.services.pictures import mask_png
from core.store import images, scoring
from core.store.images import NewScan, StoredScan
from core.store.series import Origin, find_or_create_series
from core.types import Scan, ScanFinding
from tests.core.store.made_up import NOW, add_case
from tests.fakes import FakeEngine

THRESHOLD = 0.4


def masks_of(scans: Sequence[Scan]) -> np.ndarray:
    """bool (scans, height, width): what `FakeEngine` outlines."""
    return np.stack([one.mask > 0 for one in FakeEngine().analyse(scans)])


def add_series(
    installation: Installation,
    files: Sequence[bytes],
    *,
    keep_uids: bool = False,
    waiting: Sequence[int] = (),
    failed: Sequence[int] = (),
    at: float = NOW,
) -> list[int]:
    """Store files as one case and have their slices analysed; gives the series, by number.

    Args:
        installation: where to.
        files: DICOM or NIfTI.
        keep_uids: as the node does.
        waiting: files, counted from 0, that the model has not looked at yet.
        failed: files that it could not look at.
        at: when all this happened.
    """
    privacy = Privacy(Pseudonyms(b"k" * 32), keep_uids=keep_uids)
    origin: Origin = "node" if keep_uids else "upload"
    found: dict[int, None] = {}
    with installation.database.transaction() as session:
        study_id = add_case(session)
        for number, data in enumerate(files):
            stored = without_identity(data, privacy)
            file = open_image(stored)
            key = installation.files.put(stored)
            first = file.scan(0)
            rows = images.find_or_create_images(
                session, content_key=key, frames=file.frame_count, source_format=file.source_format,
                height=first.size[0], width=first.size[1],
                spacing=[file.spacing_mm(frame) for frame in range(file.frame_count)],
                queue_rank=0, now=at,
            )  # fmt: skip
            for frame, (image_id, _) in enumerate(rows):
                facts = file.facts(frame)
                assert facts is not None
                series_id, _ = find_or_create_series(
                    session, study_id, facts, source_format=file.source_format, origin=origin
                )
                found[series_id] = None
                uid = facts.instance_uid if file.source_format == "DICOM" else None
                scan = NewScan(
                    image_id, series_id, file.place(frame), uid, facts.taken,
                    file.position_mm(frame),
                )  # fmt: skip
                images.link_scans(session, study_id, [scan], at)
                scoring.claim(
                    session, owner="w", limit=10**6, attempts_allowed=3, until=at + 60, now=at
                )
                if number in failed:
                    scoring.fail(session, image_id, "w", "It failed.")
                elif number in waiting:
                    scoring.give_back(session, [image_id], "w")
                else:
                    analysis = _analysis(installation, file.scan(frame))
                    scoring.finish(session, image_id, "w", analysis, at)
    return list(found)


def slices(installation: Installation, series_id: int) -> list[StoredScan]:
    """The slices of a series, in the order of their receipt."""
    with installation.database.reading() as session:
        return images.scans_of_series(session, series_id)


def _analysis(installation: Installation, scan: Scan) -> scoring.NewAnalysis:
    (found,) = FakeEngine().analyse([scan])
    finding = ScanFinding(
        probabilities=found.probabilities,
        predicted=found.predicted,
        tumour_probability=found.tumour_probability,
        suspected=found.suspected,
        lesion=measure_lesion(found.mask, found.mask_area_fraction, scan.spacing_mm),
        in_distribution=found.in_distribution,
        kind=found.kind,
        model_version=found.model_version,
    )
    return scoring.NewAnalysis(
        finding=finding,
        decision_threshold=THRESHOLD,
        ood_score=found.ood_score,
        mask_key=installation.files.put(mask_png(found.mask)),
        heat_map_keys={},
        thumbnail_key="c" * 64,
        elapsed_ms=1.0,
    )
