"""Groups of copies: candidates by nearest vectors, each looked at closely before it joins."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import faiss
import numpy as np
from scipy.cluster.hierarchy import DisjointSet
from tqdm import tqdm

from train.audit import COPY_FROM
from train.audit.fingerprints import Fingerprint
from train.audit.pairs import Match, compare
from train.audit.views import HEAD, PLAIN_VIEWS, WHOLE, WIDE_VIEWS, View, vectors

log = logging.getLogger(__name__)

NEAR_FROM = 0.80  # worth a look, whatever it is
# Least correlation of the small vectors of a pair that is looked at: among all pictures, and among
# the few that speak for groups.
_NEAR_ENOUGH, _FAR_ENOUGH = 0.65, 0.55
_NEIGHBOURS = 6  # for each picture and view
_CANDIDATES = 12  # for each picture
_AS_LARGE = 0.85  # share of the largest area of a head that counts as equally large
# A large group may hold pictures too different from each other to be found through one of them.
_LARGE, _SPOKESMEN = 8, 4


@dataclass(frozen=True, eq=False)
class Edge:
    """Two pictures, by position, that were looked at closely.

    Attributes:
        first: position of the picture that stays.
        second: position of the other.
        match: similarity, and the way from the first's patch to the second's.
    """

    first: int
    second: int
    match: Match


@dataclass(eq=False)
class Copies:
    """What the search found.

    Attributes:
        groups: positions of each group's pictures, single pictures included, in order.
        edges: one tree of copies for each group of several.
        near: pairs of different groups that are nearly copies, the most similar first.
    """

    groups: list[list[int]]
    edges: list[Edge]
    near: list[Edge] = field(default_factory=list)


def find_copies(
    fingerprints: Sequence[Fingerprint], *, copy_from: float = COPY_FROM, workers: int = 2
) -> Copies:
    """Group the copies among pictures.

    Identical files come first; then every picture's nearest under quarter turns and mirror images;
    then, for one picture of each group and until nothing joins, any turn and cut.

    Args:
        fingerprints: the pictures.
        copy_from: least similarity of a copy.
        workers: threads.
    """
    search = _Search(fingerprints, copy_from, workers)
    search.join_identical()
    everything = list(range(len(fingerprints)))
    search.round(everything, everything, PLAIN_VIEWS, _NEAR_ENOUGH)
    changed = everything
    while changed:
        speaking, new = search.spokesmen(), {search.sets[i] for i in changed}
        asked = [i for i in speaking if search.sets[i] in new]
        changed = search.round(asked, speaking, WIDE_VIEWS, _FAR_ENOUGH)
    return search.result()


def representative(group: Sequence[int], fingerprints: Sequence[Fingerprint]) -> int:
    """The picture that speaks for a group: of those with the largest head, the usual sharpness.

    Noise around a sharpened head makes it seem a little larger; it is not the original for that.
    """
    largest = max(fingerprints[i].pixels for i in group)
    large = [i for i in group if fingerprints[i].pixels >= _AS_LARGE * largest]
    usual = float(np.median([fingerprints[i].sharpness for i in large]))
    return min(large, key=lambda i: (abs(fingerprints[i].sharpness - usual), i))


@dataclass(frozen=True)
class _Candidate:
    """``fixed``, seen plainly, looks like ``viewed`` seen in a view."""

    nearness: float
    fixed: int
    viewed: int
    view: View
    plain: View

    @property
    def key(self) -> tuple[int, int, View]:
        return self.fixed, self.viewed, self.view


class _Search:
    def __init__(self, fingerprints: Sequence[Fingerprint], copy_from: float, workers: int) -> None:
        self.fingerprints = fingerprints
        self.copy_from = copy_from
        self.workers = workers
        self.sets = DisjointSet(range(len(fingerprints)))
        self.edges: list[Edge] = []
        self.near: dict[tuple[int, int], Edge] = {}
        self.seen: set[tuple[int, int]] = set()

    def join_identical(self) -> None:
        first_with: dict[str, int] = {}
        for i, item in enumerate(self.fingerprints):
            first = first_with.setdefault(item.digest, i)
            if first != i:
                self._join(Edge(first, i, Match(1.0, np.eye(3))))

    def spokesmen(self) -> list[int]:
        """One picture of each group; of large groups several, from the softest to the sharpest."""
        chosen: set[int] = set()
        for group in self.sets.subsets():
            chosen.add(representative(sorted(group), self.fingerprints))
            if len(group) >= _LARGE:
                by_sharpness = sorted(group, key=lambda i: (self.fingerprints[i].sharpness, i))
                steps = np.linspace(0, len(group) - 1, _SPOKESMEN).round().astype(int)
                chosen.update(by_sharpness[step] for step in steps)
        return sorted(chosen)

    def round(
        self, asked: list[int], among: list[int], views: Sequence[View], least: float
    ) -> list[int]:
        """Look at the nearest of some pictures among others, the nearest first.

        Args:
            asked: the pictures that are seen in all views.
            among: the pictures that they are compared with.
            views: the views.
            least: how near a pair must be to be looked at.

        Returns:
            The pictures that were joined to others.
        """
        pending = self._candidates(self._nearest(asked, among, views, least))
        joined: list[int] = []
        looked_at = 0
        with (
            ThreadPoolExecutor(self.workers) as pool,
            tqdm(total=len(pending), desc="comparing pairs", unit="pair") as bar,
        ):
            while pending:
                now, later = self._forest(pending)
                for candidate, match in zip(now, pool.map(self._compare, now), strict=True):
                    if self._judge(candidate, match):
                        joined.append(candidate.viewed)
                looked_at += len(now)
                bar.update(len(pending) - len(later))
                pending = later
        log.info(
            "%d pictures in %d views among %d: %d pairs compared, %d joined",
            len(asked), len(views), len(among), looked_at, len(joined),
        )  # fmt: skip
        return joined

    def result(self) -> Copies:
        groups = sorted(sorted(group) for group in self.sets.subsets())
        near: dict[tuple[int, int], Edge] = {}
        for edge in sorted(self.near.values(), key=lambda edge: -edge.match.similarity):
            ends = sorted((self.sets[edge.first], self.sets[edge.second]))
            if ends[0] != ends[1]:
                near.setdefault((ends[0], ends[1]), edge)
        return Copies(groups, self.edges, list(near.values()))

    def _candidates(self, pairs: Iterable[_Candidate]) -> list[_Candidate]:
        """Each pair once in its best view, the nearest first, and not too many of a picture."""
        best: dict[tuple[int, int], _Candidate] = {}
        for found in pairs:
            pair = (min(found.fixed, found.viewed), max(found.fixed, found.viewed))
            if pair not in best or best[pair].nearness < found.nearness:
                best[pair] = found
        taken: Counter[int] = Counter()
        kept = []
        for candidate in sorted(best.values(), key=lambda candidate: -candidate.nearness):
            if candidate.key in self.seen:
                continue
            if min(taken[candidate.fixed], taken[candidate.viewed]) < _CANDIDATES:
                taken.update((candidate.fixed, candidate.viewed))
                kept.append(candidate)
        return kept

    def _nearest(
        self, asked: list[int], among: list[int], views: Sequence[View], least: float
    ) -> Iterator[_Candidate]:
        viewed_items = [self.fingerprints[i] for i in asked]
        fixed_items = [self.fingerprints[i] for i in among]
        bases = {view: vectors(fixed_items, view) for view in (HEAD, WHOLE)}
        count = min(_NEIGHBOURS + 1, len(among))
        for view in tqdm(views, desc="nearest pictures", unit="view"):
            plain = WHOLE if view.whole else HEAD
            # Inner products over all pairs, in blocks: exact, and fast enough for 10^5 pictures.
            near, index = faiss.knn(
                vectors(viewed_items, view), bases[plain], count, metric=faiss.METRIC_INNER_PRODUCT
            )
            for row, column in np.argwhere(near >= least).tolist():
                viewed, fixed = asked[row], among[int(index[row, column])]
                if self.sets[viewed] != self.sets[fixed]:
                    yield _Candidate(float(near[row, column]), fixed, viewed, view, plain)

    def _forest(self, pending: list[_Candidate]) -> tuple[list[_Candidate], list[_Candidate]]:
        """Pairs that would each join two groups if all were copies, and those left for later.

        What is in one group already needs no look.
        """
        hoped = DisjointSet({self.sets[i] for c in pending for i in (c.fixed, c.viewed)})
        now, later = [], []
        for candidate in pending:
            ends = self.sets[candidate.fixed], self.sets[candidate.viewed]
            if ends[0] != ends[1]:
                (now if hoped.merge(*ends) else later).append(candidate)
        return now, later

    def _compare(self, candidate: _Candidate) -> Match | None:
        fixed, viewed = (self.fingerprints[i] for i in (candidate.fixed, candidate.viewed))
        to_view = np.linalg.inv(candidate.plain.matrix(fixed))
        return compare(fixed, viewed, candidate.view.matrix(viewed) @ to_view)

    def _judge(self, candidate: _Candidate, match: Match | None) -> bool:
        self.seen.add(candidate.key)
        if match is None:
            return False
        edge = Edge(candidate.fixed, candidate.viewed, match)
        if match.similarity + match.allowance >= self.copy_from:
            return self._join(edge)
        if match.similarity < NEAR_FROM:
            return False
        pair = (min(edge.first, edge.second), max(edge.first, edge.second))
        known = self.near.get(pair)
        if known is None or known.match.similarity < match.similarity:
            self.near[pair] = edge
        return False

    def _join(self, edge: Edge) -> bool:
        joined = bool(self.sets.merge(edge.first, edge.second))
        if joined:
            self.edges.append(edge)
        return joined
