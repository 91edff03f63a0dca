"""Pairs of tables, names aside: how well each column of one matches each of the other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.stages.renamed.column_sketches import ALL_VALUES, Contents, Floats, Integers
from r2d2.stages.renamed_facets import Facets
from r2d2.stages.renamed_likely import likely_pairs

PROBES = 8
CHUNK_PAIRS = 1 << 12
LEAST_HELD = 0.5
LEAST_ALIKE = 0.01
SAME_NAME = 0.5
OUT_OF_PLACE = 1e-3
WHOLE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Two tables, with how well each child column (row) matches each parent column.

    `held` is the share of the child column's values that the parent column holds, 0 where they
    cannot match; `alike` how alike the two are, `telling` how many bits tell a row's values apart.
    """

    child: int
    parent: int
    held: Floats
    alike: Floats
    telling: Floats

    def matched(self) -> tuple[Integers, Integers]:
        """The best one-to-one assignment: child columns, and the parent's column of each."""
        from scipy.optimize import linear_sum_assignment

        weights = self.held * self.alike + WHOLE * (self.held == 1)
        rows, columns = linear_sum_assignment(weights, maximize=True)
        fits = self.held[rows, columns] > 0
        return rows[fits], columns[fits]

    def fit(self) -> tuple[float, float]:
        """Which part of what the child tells the parent holds, and how alike they are in all."""
        rows, columns = self.matched()
        held = self.held[rows, columns] * self.telling[rows]
        alike = held * self.alike[rows, columns]
        return round(float(held.sum() / self.telling.sum()), 2), float(alike.sum())

    def fit_at_most(self) -> tuple[float, float]:
        """What `fit` would be were several columns allowed the same counterpart."""
        held = self.held.max(axis=1) * self.telling
        alike = (self.held * self.alike).max(axis=1) * self.telling
        return round(float(held.sum() / self.telling.sum()), 2), float(alike.sum())


def candidates(facets: Mapping[int, Facets], contents: Contents, keys: int) -> Iterator[Candidate]:
    """The pairs of which the parent may hold most of what the child's columns tell."""
    pairs = likely_pairs(facets, contents, keys)
    for start in range(0, len(pairs), CHUNK_PAIRS):
        part = pairs[start : start + CHUNK_PAIRS]
        missing = _missing([(facets[child], facets[parent]) for child, parent in part], contents)
        for (child, parent), shares in zip(part, missing, strict=True):
            held, alike = _match(facets[child], facets[parent], shares, contents.sizes)
            candidate = Candidate(child, parent, held, alike, facets[child].telling)
            if candidate.fit_at_most()[0] > LEAST_HELD:
                yield candidate


def _missing(pairs: Sequence[tuple[Facets, Facets]], contents: Contents) -> Iterator[Floats]:
    """For each pair of tables: the share of each child column's values that each other lacks."""
    width = len(contents.sizes)
    codes = [
        (child.contents[:, None] * width + parent.contents[None, :]).ravel()
        for child, parent in pairs
    ]
    distinct, places = np.unique(np.concatenate(codes), return_inverse=True)
    children, parents = np.divmod(distinct, width)
    shares = contents.missing_shares(children, parents, PROBES)
    some_may_miss = any(child.may_miss for child, _ in pairs)
    open_ = np.flatnonzero((shares == 0) | some_may_miss)
    shares[open_] = contents.missing_shares(children[open_], parents[open_], ALL_VALUES)
    start = 0
    for (child, _), own in zip(pairs, codes, strict=True):
        yield shares[places[start : start + len(own)]].reshape(len(child.contents), -1)
        start += len(own)


def _match(child: Facets, parent: Facets, missing: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """What is held and how alike columns are: Jaccard's index, more if named or placed alike."""
    size, size_other = sizes[child.contents][:, None], sizes[parent.contents][None, :]
    common = size * (1 - missing)
    place = np.arange(len(size))[:, None] / len(size)
    place_other = np.arange(size_other.size) / size_other.size
    alike = common / np.maximum(size + size_other - common, 1)
    alike += SAME_NAME * (child.spellings[:, None] == parent.spellings[None, :])
    alike -= OUT_OF_PLACE * np.abs(place - place_other)
    possible = size * missing <= child.may_miss
    possible &= child.types[:, None] == parent.types[None, :]
    return np.where(possible, 1 - missing, 0), np.maximum(alike, LEAST_ALIKE)
