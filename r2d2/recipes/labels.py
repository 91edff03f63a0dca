"""How often the child has each of the parent's rows, seen through the child's columns.

Rows of the parent that are equal in the child's columns form a group; the child has none of them,
all, or some, and then a predicate must tell them apart by other columns.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Hashes = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The group of each of the parent's rows; how many rows of each group parent and child have.

    `missing` counts the child's rows that the parent has not at all.
    """

    groups: Indices
    parent: Indices
    child: Indices
    missing: int = 0

    @property
    def child_rows(self) -> int:
        """The child's rows."""
        return int(self.child.sum()) + self.missing

    @property
    def possible(self) -> bool:
        """Whether the parent has every row of the child as often as the child."""
        return self.missing == 0 and bool((self.child <= self.parent).all())

    def within_parent(self) -> "Labels":
        """The labels of that part of the child which the parent has: what a Patch starts from."""
        return replace(self, child=np.minimum(self.child, self.parent), missing=0)

    def must(self) -> Mask:
        """Rows of the parent that every predicate must select."""
        whole: Mask = self.child == self.parent
        return whole[self.groups]

    def never(self) -> Mask:
        """Rows of the parent that no predicate may select."""
        none: Mask = self.child == 0
        return none[self.groups]

    def exact(self, selected: Mask) -> bool:
        """Whether these rows of the parent are the child's, each as often as there."""
        counts = np.bincount(self.groups[selected], minlength=len(self.child))
        return self.missing == 0 and bool((counts == self.child).all())


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The parent's rows by their hash over some columns; made once for all children with these."""

    groups: Indices
    counts: Indices
    first: npt.NDArray[np.uint64]
    second: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, parent: Hashes) -> "Groups":
        """The groups of the parent's rows, whose hashes come in the rows' order."""
        order, starts = _runs(*parent)
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.cumsum(starts) - 1
        firsts = order[starts]
        return cls(numbers, np.bincount(numbers), parent[0][firsts], parent[1][firsts])

    def labels(self, child: Hashes) -> Labels:
        """The labels for a child with these hashes, in any order."""
        order, starts = _runs(*child)
        counts = np.diff(np.append(np.flatnonzero(starts), len(order)))
        firsts = order[starts]
        places = self._places(child[0][firsts], child[1][firsts])
        found = places >= 0
        held = np.zeros(len(self.counts), np.int64)
        held[places[found]] = counts[found]
        return Labels(self.groups, self.counts, held, int(counts[~found].sum()))

    def _places(self, first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]) -> Indices:
        """The group of each hash, -1 where there is none."""
        places = np.full(len(first), -1, np.int64)
        at = np.searchsorted(self.first, first)
        open_ = at < len(self.first)
        # Groups that share the first word lie side by side: as many steps as the longest such run.
        while open_.any():
            rows = np.flatnonzero(open_)
            same = self.first[at[rows]] == first[rows]
            hit = same & (self.second[at[rows]] == second[rows])
            places[rows[hit]] = at[rows[hit]]
            at[rows] += 1
            open_[rows] = same & ~hit & (at[rows] < len(self.first))
        return places


def _runs(first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]) -> tuple[Indices, Mask]:
    """An order by (first, second) and, in that order, where runs of equal hashes start."""
    order = np.argsort(first, kind="stable")
    if len(order) and _collide(first[order], second[order]):
        order = np.lexsort((second, first))
    starts = np.ones(len(order), np.bool_)
    ordered_first, ordered_second = first[order], second[order]
    starts[1:] = (ordered_first[1:] != ordered_first[:-1]) | (
        ordered_second[1:] != ordered_second[:-1]
    )
    return order, starts


def _collide(first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]) -> bool:
    return bool(((first[1:] == first[:-1]) & (second[1:] != second[:-1])).any())
