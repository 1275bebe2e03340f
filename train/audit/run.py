"""The audit from folders to figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from core.errors import DataError, InputError
from train.audit import COPY_FROM
from train.audit.fingerprints import Fingerprint, fingerprint
from train.audit.groups import Copies, find_copies
from train.audit.leaks import Member
from train.audit.pictures import Picture, find_pictures, with_lists
from train.audit.relations import Relation, relations

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found. ``members``, ``fingerprints`` and ``relations`` have one order.

    Attributes:
        members: the readable pictures with their groups, numbered from 1, the largest first.
        fingerprints: what was compared.
        relations: each picture's relation to its group's representative.
        copies: groups, and the pairs that are nearly copies, by position.
        damaged: the files that could not be read, with the reason.
        copy_from: the least similarity of a copy.
        seconds: wall time.
    """

    members: tuple[Member, ...]
    fingerprints: tuple[Fingerprint, ...]
    relations: tuple[Relation, ...]
    copies: Copies
    damaged: tuple[tuple[Picture, str], ...]
    copy_from: float
    seconds: float


def audit(
    folders: Sequence[Path],
    lists: Sequence[Path] = (),
    *,
    folder_labels: bool = True,
    copy_from: float = COPY_FROM,
    workers: int = 2,
) -> Audit:
    """Find the copies within and between folders of pictures.

    Args:
        folders: one a set; split and label come from the folders inside.
        lists: CSV files that give label, split and group where the folders do not.
        folder_labels: whether the folders' names are labels.
        copy_from: the least similarity of a copy.
        workers: threads.

    Raises:
        DataError: a folder or list cannot be used, or no picture is readable.
    """
    started = time.perf_counter()
    found = with_lists(find_pictures(folders, folder_labels=folder_labels), lists)
    pictures, fingerprints, damaged = _read(found, workers)
    if not pictures:
        raise DataError(f"None of the {len(found)} pictures can be read: {damaged[0][1]}")
    copies = find_copies(fingerprints, copy_from=copy_from, workers=workers)
    related = relations(copies, fingerprints, workers)
    numbers = {}
    for number, group in enumerate(sorted(copies.groups, key=lambda g: (-len(g), g)), start=1):
        numbers.update(dict.fromkeys(group, number))
    members = tuple(
        Member(picture, numbers[i], related[i].mirrored) for i, picture in enumerate(pictures)
    )
    return Audit(
        members=members,
        fingerprints=tuple(fingerprints),
        relations=tuple(related[i] for i in range(len(pictures))),
        copies=copies,
        damaged=tuple(damaged),
        copy_from=copy_from,
        seconds=time.perf_counter() - started,
    )


def _read(
    pictures: Sequence[Picture], workers: int
) -> tuple[list[Picture], list[Fingerprint], list[tuple[Picture, str]]]:
    def read(picture: Picture) -> Fingerprint | str:
        try:
            return fingerprint(picture)
        except InputError as error:
            return str(error)

    good, fingerprints, damaged = [], [], []
    with ThreadPoolExecutor(workers) as pool:
        progress = tqdm(pool.map(read, pictures), "reading", len(pictures), unit="picture")
        for picture, result in zip(pictures, progress, strict=True):
            if isinstance(result, str):
                log.warning("%s: %s", picture.name, result)
                damaged.append((picture, result))
            else:
                good.append(picture)
                fingerprints.append(result)
    return good, fingerprints, damaged
