"""What an engine says of an image, as it is recorded: its pictures go into the file store."""

from __future__ import annotations

from core.inference import Engine
from core.services.analyse import Success, scan_finding
from core.services.pictures import heat_map_png, mask_png, shrunk, thumbnail_png
from core.store.files import FileStore
from core.store.scoring import ClaimedImage, NewAnalysis
from core.types import Analysis, TumourClass

# A heat map has a few cells only: nothing is lost in a small picture.
_HEAT_MAP_SIDE = 512
# A volume has too many slices to keep a large heat map of every class for each: of a slice, those
# of the classes that are at least so probable, and small.
_SLICE_HEAT_MAP_SIDE = 128
_EXPLAINED_FROM = 0.1


def store_analysis(
    files: FileStore, engine: Engine, image: ClaimedImage, success: Success
) -> NewAnalysis:
    """Keep the pictures of a result, and say what is to be recorded with them.

    Args:
        files: where the pictures go.
        engine: what gave the result.
        image: what it looked at.
        success: the result.

    Raises:
        StoreError: the disk is full or may not be written to.
    """
    found = success.analysis
    side = _SLICE_HEAT_MAP_SIDE if image.is_slice else _HEAT_MAP_SIDE
    explained = _explained(found) if image.is_slice else list(found.heat_maps)
    return NewAnalysis(
        finding=scan_finding(found, image.spacing_mm),
        decision_threshold=engine.manifest.calibration.decision_threshold,
        ood_score=found.ood_score,
        mask_key=files.put(mask_png(found.mask)),
        heat_map_keys={
            name: files.put(heat_map_png(shrunk(found.heat_maps[name], side))) for name in explained
        },
        thumbnail_key=files.put(thumbnail_png(success.scan, found.mask)),
        elapsed_ms=found.elapsed_ms,
    )


def _explained(found: Analysis) -> list[TumourClass]:
    """The classes whose heat maps are kept of a slice; the most probable one always."""
    probable = {name for name, p in found.probabilities.items() if p >= _EXPLAINED_FROM}
    return [name for name in found.heat_maps if name in probable | {found.predicted}]
