"""What the copies do: leaking splits, sets that hold one another, labels that contradict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from train.audit.pictures import Picture

ALL = "all"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Member:
    """A picture and its place among the copies."""

    picture: Picture
    group: int
    mirrored: bool


@dataclass(frozen=True)
class Overlap:
    """How many of some pictures have a copy among others.

    Attributes:
        of: name of the pictures asked about.
        among: name of the others.
        label: their label, or ``all``.
        pictures: how many there are.
        copied: how many have a copy among the others.
        mirrored: how many of these only have mirror images there.
    """

    of: str
    among: str
    label: str
    pictures: int
    copied: int
    mirrored: int

    @property
    def share(self) -> float:
        """Copied over all, 0 to 1."""
        return self.copied / self.pictures if self.pictures else 0.0


@dataclass(frozen=True)
class Distinct:
    """How many different scans some pictures are."""

    dataset: str
    label: str
    pictures: int
    scans: int
    largest: int


@dataclass(frozen=True)
class Contradiction:
    """A group whose pictures carry different labels, by set and label."""

    group: int
    counts: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Agreement:
    """Pairs of copies found, against the groups of a list.

    Attributes:
        dataset: the pairs within one set, or ``all``: between sets too.
        found: pairs found.
        listed: pairs of the list.
        both: pairs found that the list has.
    """

    dataset: str
    found: int
    listed: int
    both: int

    @property
    def precision(self) -> float:
        """Share of the found pairs that the list has; 1 where none was found."""
        return self.both / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the listed pairs that were found; 1 where none is listed."""
        return self.both / self.listed if self.listed else 1.0


def split_leaks(members: Sequence[Member]) -> list[Overlap]:
    """How much of each set's test and val folders has a copy in its training folder."""
    found = []
    for dataset, own in _by(members, lambda member: member.picture.dataset).items():
        splits = _by(own, lambda member: member.picture.split)
        for split in ("test", "val"):
            if split in splits and "train" in splits:
                names = f"{dataset} {split}", f"{dataset} train"
                found += _overlaps(*names, splits[split], splits["train"])
    return found


def listed_leaks(members: Sequence[Member]) -> list[Overlap]:
    """The same for the splits that lists give, over all sets together."""
    splits = _by(members, lambda member: member.picture.listed_split)
    found = []
    for split, others in (("test", "train"), ("test", "val"), ("val", "train")):
        if split in splits and others in splits:
            found += _overlaps(split, others, splits[split], splits[others])
    return found


def torn_groups(members: Sequence[Member]) -> dict[int, list[Member]]:
    """Groups whose pictures a list puts into several of train, val and test."""
    listed = [m for m in members if m.picture.listed_split in SPLITS]
    groups = _by(listed, lambda member: member.group)
    return {
        group: own
        for group, own in groups.items()
        if len({member.picture.listed_split for member in own}) > 1
    }


def other_splits(members: Sequence[Member]) -> dict[str, int]:
    """How many pictures have a listed split that is none of ``SPLITS``, the most first."""
    splits = (member.picture.listed_split for member in members)
    return dict(Counter(split for split in splits if split not in ("", *SPLITS)).most_common())


def set_overlaps(members: Sequence[Member]) -> list[Overlap]:
    """How much of each set stands in each other set."""
    sets = _by(members, lambda member: member.picture.dataset)
    found = []
    for of, own in sets.items():
        for among, others in sets.items():
            if of != among:
                rows = _overlaps(of, among, own, others)
                found += [row for row in rows if row.copied or row.label == ALL]
    return found


def distinct_scans(members: Sequence[Member]) -> list[Distinct]:
    """Pictures and different scans by set and label, and over all sets by label."""
    found = []
    sets = _by(members, lambda member: member.picture.dataset)
    parts = list(sets.items()) if len(sets) == 1 else [*sets.items(), (ALL, list(members))]
    for dataset, own in parts:
        for label, some in _with_labels(own):
            sizes = Counter(member.group for member in some)
            found.append(Distinct(dataset, label, len(some), len(sizes), max(sizes.values())))
    return found


def labels(members: Sequence[Member]) -> Counter[str]:
    """How many pictures carry which label; those without one do not count."""
    return Counter(member.picture.label for member in members if member.picture.label)


def contradictions(members: Sequence[Member]) -> list[Contradiction]:
    """Groups with more than one label; pictures without a label do not count."""
    labelled = [member for member in members if member.picture.label]
    found = []
    for group, own in _by(labelled, lambda member: member.group).items():
        counts = Counter((member.picture.dataset, member.picture.label) for member in own)
        if len({label for _, label in counts}) > 1:
            rows = tuple((*key, count) for key, count in sorted(counts.items()))
            found.append(Contradiction(group, rows))
    return found


def disputed(members: Sequence[Member]) -> list[tuple[str, str, str, int]]:
    """Set, label, label of a copy in any set, and how many pictures that concerns."""
    groups = _by([m for m in members if m.picture.label], lambda member: member.group)
    counts: Counter[tuple[str, str, str]] = Counter()
    for own in groups.values():
        labels = {member.picture.label for member in own}
        for member in own:
            for other in labels - {member.picture.label}:
                counts[member.picture.dataset, member.picture.label, other] += 1
    return [(*key, count) for key, count in sorted(counts.items())]


def agreement(members: Sequence[Member]) -> list[Agreement]:
    """Pairwise precision and recall against the groups of a list; empty without one."""
    listed = [member for member in members if member.picture.listed_group]
    sets = _by(listed, lambda member: member.picture.dataset)
    parts = list(sets.items()) if len(sets) < 2 else [*sets.items(), (ALL, listed)]
    return [
        Agreement(
            dataset,
            _pairs(member.group for member in own),
            _pairs(member.picture.listed_group for member in own),
            _pairs((member.group, member.picture.listed_group) for member in own),
        )
        for dataset, own in parts
    ]


def _overlaps(
    of: str, among: str, own: Sequence[Member], others: Sequence[Member]
) -> list[Overlap]:
    sides: dict[int, set[bool]] = defaultdict(set)
    for member in others:
        sides[member.group].add(member.mirrored)
    rows = []
    for label, some in _with_labels(own):
        copied = [member for member in some if member.group in sides]
        mirrored = [member for member in copied if member.mirrored not in sides[member.group]]
        rows.append(Overlap(of, among, label, len(some), len(copied), len(mirrored)))
    return rows


def _with_labels(members: Sequence[Member]) -> Iterator[tuple[str, list[Member]]]:
    """All of them first, then by label where there are several."""
    yield ALL, list(members)
    labels = _by(members, lambda member: member.picture.label)
    if len(labels) > 1:
        yield from sorted(labels.items())


def _by(members: Sequence[Member], key: Callable[[Member], Hashable]) -> dict[Any, list[Member]]:
    """Members by a key, in the order of their first member; those without one are left out."""
    parts: dict[Any, list[Member]] = defaultdict(list)
    for member in members:
        value = key(member)
        if value != "":
            parts[value].append(member)
    return dict(parts)


def _pairs(keys: Iterable[Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(keys).values())
