"""The rows of a parent, labelled with how often the child has each.

Rows of the parent that are equal in the child's columns form a group. Of a group the child has all
rows, none or some; where some, a predicate must tell its rows apart by other columns.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int64s
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted
from r2d2.hashing.runs import hash_order


@dataclass(frozen=True, slots=True, eq=False)
class RowLabels:
    """The group of each of the parent's rows; how many rows of each group parent and child have.

    `missing` counts the child's rows that the parent does not have. `is_key`: no row occurs twice,
    and a group's number is its row's.
    """

    groups: Int64s
    parent: Int64s
    child: Int64s | npt.NDArray[np.int8]
    missing: int = 0
    is_key: bool = False

    @property
    def child_rows(self) -> int:
        """How many rows the child has."""
        return int(self.child.sum(dtype=np.int64)) + self.missing

    @property
    def is_contained(self) -> bool:
        """Whether the parent has every row of the child as often as the child."""
        return self.missing == 0 and bool((self.child <= self.copies).all())

    @property
    def is_whole(self) -> bool:
        """Whether the child has every row of the parent as often as the parent."""
        return bool((self.child == self.copies).all())

    def within_parent(self) -> "RowLabels":
        """The labels of the child's rows that the parent has: a Patch starts from these."""
        return replace(self, child=np.minimum(self.child, self.parent), missing=0)

    def kinds(self) -> "RowKinds":
        """The rows by what a predicate does with them."""
        whole: Bools = self.child == self.copies
        none: Bools = self.child == 0
        if self.is_key:
            return RowKinds(whole, none, np.empty(0, np.int64))
        required, forbidden = whole[self.groups], none[self.groups]
        return RowKinds(required, forbidden, np.flatnonzero(~(required | forbidden)))

    def are_selected_by(self, selected: Bools) -> bool:
        """Whether the selected rows are the child's, each as often as there."""
        if self.is_key:
            counts: Int64s | Bools = selected
        else:
            counts = np.bincount(self.groups[selected], minlength=len(self.child))
        return self.missing == 0 and bool((counts == self.child).all())

    @property
    def copies(self) -> Int64s | int:
        """How many rows of each group the parent has."""
        return 1 if self.is_key else self.parent


@dataclass(frozen=True, slots=True, eq=False)
class RowKinds:
    """The masks of the rows that every predicate selects and that none does, and the partial rows.

    Partial are the rows of a group of which the child has some.
    """

    required: Bools
    forbidden: Bools
    partial: Int64s


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The parent's rows by their hash over some columns; made once for all children with these.

    `groups` has each row's group, and `numbers` each distinct hash's. Where no row occurs twice, a
    group's number is its row's, so that looking up by row runs through memory in order.
    """

    groups: Int64s
    distinct: Counted
    numbers: Int64s

    @classmethod
    def of(cls, parent: Lanes) -> "Groups":
        """The groups of the parent's rows, whose hashes come in the rows' order."""
        ordered = hash_order(parent)
        distinct = Counted.in_order(ordered)
        if ordered.all_differ:
            return cls(np.arange(len(ordered.order)), distinct, ordered.order)
        groups = np.empty(len(ordered.order), np.int64)
        groups[ordered.order] = np.cumsum(ordered.starts) - 1
        return cls(groups, distinct, np.arange(len(distinct.counts)))

    @property
    def is_key(self) -> bool:
        """Whether no two rows are equal in the columns."""
        return len(self.distinct.counts) == len(self.groups)

    @property
    def size_bytes(self) -> int:
        """The bytes of memory they take."""
        return self.distinct.size_bytes + self.groups.nbytes + self.numbers.nbytes

    def labels(self, child: Counted) -> RowLabels:
        """The labels of the rows for a child."""
        places, counts, missing = self.distinct.held(child)
        # Bytes where they are enough: each look at a large parent's rows runs through all of them.
        small = self.is_key and int(counts.max(initial=0)) <= np.iinfo(np.int8).max
        groups = len(self.distinct.counts)
        held = np.zeros(groups, np.int8) if small else np.zeros(groups, np.int64)
        held[self.numbers[places]] = counts
        return RowLabels(self.groups, self.distinct.counts, held, missing, self.is_key)
