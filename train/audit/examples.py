"""Example pairs for the report: which ones, and their pictures side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.types import UInt8Array
from train.audit.fingerprints import read_picture
from train.audit.pictures import Picture
from train.audit.run import Audit

SIDE = 180
_GAP = 6
_EACH = 4  # examples of one kind


@dataclass(frozen=True)
class Example:
    """Two pictures and why they are shown."""

    first: Picture
    second: Picture
    caption: str


def copy_examples(audit: Audit) -> list[Example]:
    """Copies with their representative, a few of each way in which they differ."""

    def candidates() -> Iterator[tuple[str, Example]]:
        for member, relation in zip(audit.members, audit.relations, strict=True):
            original = audit.members[relation.representative]
            if member is original or relation.words == "identical file":
                continue
            kind = ", ".join(relation.kinds)
            caption = (
                f"{original.picture.name} · {member.picture.name}: {relation.words} "
                f"(similarity {relation.similarity:.3f})"
            )
            yield kind, Example(original.picture, member.picture, caption)

    return _some(candidates(), each=1)


def leak_examples(audit: Audit) -> list[Example]:
    """Pictures of published test splits with a copy in the training split, by set and class."""
    train = {}
    for member in audit.members:
        if member.picture.split == "train":
            train.setdefault((member.picture.dataset, member.group), member.picture)

    def candidates() -> Iterator[tuple[str, Example]]:
        for member in audit.members:
            own = member.picture
            twin = train.get((own.dataset, member.group))
            if own.split in ("test", "val") and twin is not None:
                caption = f"{twin.name} (train) · {own.name} ({own.split})"
                yield f"{own.dataset}/{own.label}", Example(twin, own, caption)

    return _some(candidates(), each=1)


def contradiction_examples(audit: Audit) -> list[Example]:
    """Copies with different labels."""
    first: dict[int, dict[str, Picture]] = {}

    def candidates() -> Iterator[tuple[str, Example]]:
        for member in audit.members:
            picture = member.picture
            if not picture.label:
                continue
            labels = first.setdefault(member.group, {})
            for label, other in labels.items():
                if picture.label not in labels:
                    caption = f"{other.name}: {label} · {picture.name}: {picture.label}"
                    yield f"{label}/{picture.label}", Example(other, picture, caption)
            labels.setdefault(picture.label, picture)

    return _some(candidates(), each=_EACH)


def near_examples(audit: Audit) -> list[Example]:
    """Pairs just below the threshold: neighbouring slices, or copies changed beyond it."""
    examples = []
    for edge in audit.copies.near[: 3 * _EACH]:
        first, second = audit.members[edge.first].picture, audit.members[edge.second].picture
        caption = f"{first.name} · {second.name} (similarity {edge.match.similarity:.3f})"
        examples.append(Example(first, second, caption))
    return examples


def write_example(example: Example, file: Path) -> None:
    """Both pictures side by side as they lie in their files, brightness stretched, as a JPEG."""
    gap = np.full((SIDE, _GAP), 255, np.uint8)
    both = np.hstack([_thumbnail(example.first), gap, _thumbnail(example.second)])
    file.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(".jpg", both, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not ok:
        raise ValueError(f"OpenCV could not encode {file.name}")
    file.write_bytes(data.tobytes())


def _some(candidates: Iterable[tuple[str, Example]], each: int, most: int = 24) -> list[Example]:
    taken: Counter[str] = Counter()
    chosen = []
    for kind, example in candidates:
        if taken[kind] < each and len(chosen) < most:
            taken[kind] += 1
            chosen.append(example)
    return chosen


def _thumbnail(picture: Picture) -> UInt8Array:
    pixels = read_picture(picture).pixels.mean(axis=2)
    low, high = np.percentile(pixels, (1, 99.5))
    gray = np.clip((pixels - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    height, width = gray.shape
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    out = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out
