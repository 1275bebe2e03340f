"""Pictures of what went wrong, for whoever wants to see it. They show scans: keep them private."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from core.types import CLASSES, BoolArray, FloatArray, UInt8Array
from train.evaluation.scans import ScanSet
from train.metrics import dice

# Tiles on a sheet; of more failures the worst are shown.
COLUMNS, ROWS = 8, 5
_CAPTION = 18
_TRUE, _DRAWN = (0, 200, 0), (60, 60, 255)  # blue, green, red


def write_wrong_answers(scans: ScanSet, probabilities: FloatArray, folder: Path) -> list[Path]:
    """A sheet for each pair of a class and what it was taken for, the surest mistakes first.

    Args:
        scans: n scans.
        probabilities: (n, 4), calibrated.
        folder: of the sheets, ``CLASS-as-OTHER.png``; made if absent.
    """
    truth = np.array([CLASSES.index(label) for label in scans.labels])
    said, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    written = []
    for true, other in sorted({(t, s) for t, s in zip(truth, said, strict=True) if t != s}):
        wrong = np.flatnonzero((truth == true) & (said == other))
        wrong = wrong[np.argsort(-sure[wrong])]
        tiles = [
            _captioned(scans.images[i], f"{sure[i]:.2f} {_place(scans, i)}")
            for i in wrong[: COLUMNS * ROWS]
        ]
        written.append(_sheet(tiles, folder / f"{CLASSES[true]}-as-{CLASSES[other]}.png"))
    return written


def write_worst_masks(scans: ScanSet, drawn: BoolArray, folder: Path, name: str) -> list[Path]:
    """The lesions with the lowest Dice, and the lesion-free scans that got a mask.

    The true outline is green, the drawn one red.

    Args:
        scans: n scans, with their true masks where there are some.
        drawn: bool (n, 224, 224).
        folder: of the sheets, ``NAME-masks-lesions.png`` and ``NAME-masks-no-lesion.png``.
        name: of the set.
    """
    lesion = scans.has_mask & scans.masks.any(axis=(1, 2))
    free = np.array([label == "no_tumor" for label in scans.labels]) & drawn.any(axis=(1, 2))
    overlaps = {int(i): dice(drawn[i], scans.masks[i]) for i in np.flatnonzero(lesion)}
    worst = sorted(overlaps, key=overlaps.__getitem__)[: COLUMNS * ROWS]
    largest = sorted(np.flatnonzero(free), key=lambda i: -int(drawn[i].sum()))[: COLUMNS * ROWS]
    sheets = {
        "lesions": [(i, f"{overlaps[i]:.2f} {_place(scans, i)}") for i in worst],
        "no-lesion": [(i, _place(scans, i)) for i in largest],
    }
    return [
        _sheet(
            [_captioned(_outlined(scans, drawn, i), text) for i, text in tiles],
            folder / f"{name}-masks-{kind}.png",
        )
        for kind, tiles in sheets.items()
        if tiles
    ]


def _place(scans: ScanSet, index: int) -> str:
    sample = scans.samples[index]
    return f"{sample.dataset} {Path(sample.path).stem}"


def _outlined(scans: ScanSet, drawn: BoolArray, index: int) -> UInt8Array:
    picture = np.ascontiguousarray(scans.images[index])
    for mask, colour in ((scans.masks[index], _TRUE), (drawn[index], _DRAWN)):
        lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        # The sheet is written as blue, green, red, and a scan's channels are the other way about.
        cv2.drawContours(picture, lines, -1, colour[::-1], 1)
    return picture


def _captioned(picture: UInt8Array, text: str) -> UInt8Array:
    tile = cv2.copyMakeBorder(picture, 0, _CAPTION, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    place = (3, tile.shape[0] - 5)
    cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def _sheet(tiles: Sequence[UInt8Array], path: Path) -> Path:
    blank = np.zeros_like(tiles[0])
    rows: Iterable[Sequence[UInt8Array]] = (
        tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)
    )
    columns = min(COLUMNS, len(tiles))
    sheet = np.vstack([np.hstack([*row, *[blank] * (columns - len(row))]) for row in rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1])):
        raise OSError(f"{path} cannot be written")
    return path
