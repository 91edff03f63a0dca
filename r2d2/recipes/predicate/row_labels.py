"""How often the child has each of the parent's rows, seen through the child's columns.

Rows of the parent that are equal in the child's columns form a group; the child has none of them,
all, or some, and then a predicate must tell them apart by other columns.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int64s
from r2d2.hashing.multiset import Counted, Hashes, runs


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The group of each of the parent's rows; how many rows of each group parent and child have.

    `missing` counts the child's rows that the parent has not at all. `is_key`: no row occurs twice,
    and a row's group is its own place.
    """

    groups: Int64s
    parent: Int64s
    child: Int64s | npt.NDArray[np.int8]
    missing: int = 0
    is_key: bool = False

    @property
    def child_rows(self) -> int:
        """The child's rows."""
        return int(self.child.sum(dtype=np.int64)) + self.missing

    @property
    def possible(self) -> bool:
        """Whether the parent has every row of the child as often as the child."""
        return self.missing == 0 and bool((self.child <= self._copies).all())

    @property
    def is_whole(self) -> bool:
        """Whether the child has every row of the parent as often as the parent."""
        return bool((self.child == self._copies).all())

    @property
    def _copies(self) -> Int64s | int:
        """The parent's rows of each group."""
        return 1 if self.is_key else self.parent

    def within_parent(self) -> "Labels":
        """The labels of that part of the child which the parent has: what a Patch starts from."""
        return replace(self, child=np.minimum(self.child, self.parent), missing=0)

    def must(self) -> Bools:
        """Rows of the parent that every predicate must select."""
        whole: Bools = self.child == self._copies
        return whole if self.is_key else whole[self.groups]

    def never(self) -> Bools:
        """Rows of the parent that no predicate may select."""
        none: Bools = self.child == 0
        return none if self.is_key else none[self.groups]

    def exact(self, selected: Bools) -> bool:
        """Whether these rows of the parent are the child's, each as often as there."""
        if self.is_key:
            counts: Int64s | Bools = selected
        else:
            counts = np.bincount(self.groups[selected], minlength=len(self.child))
        return self.missing == 0 and bool((counts == self.child).all())


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The parent's rows by their hash over some columns; made once for all children with these.

    `groups` is by row. `numbers` are those of the distinct rows' groups: where no row occurs twice,
    a row's group is its own place, so that looking up by row runs through memory in order.
    """

    groups: Int64s
    distinct: Counted
    numbers: Int64s

    @classmethod
    def of(cls, parent: Hashes) -> "Groups":
        """The groups of the parent's rows, whose hashes come in the rows' order."""
        found = runs(*parent)
        distinct = Counted.in_runs(parent, found)
        if found.starts.all():
            return cls(np.arange(len(found.order)), distinct, found.order)
        groups = np.empty(len(found.order), np.int64)
        groups[found.order] = np.cumsum(found.starts) - 1
        return cls(groups, distinct, np.arange(len(distinct.counts)))

    @property
    def is_key(self) -> bool:
        """Whether the columns tell all rows apart."""
        return len(self.distinct.counts) == len(self.groups)

    @property
    def size_bytes(self) -> int:
        """What they take of memory."""
        return self.distinct.size_bytes + self.groups.nbytes + self.numbers.nbytes

    def labels(self, child: Counted) -> Labels:
        """The labels for a child with these rows."""
        places, counts, missing = self.distinct.held(child)
        # Bytes where they are enough: each question to a large parent's rows runs through them all.
        small = self.is_key and int(counts.max(initial=0)) <= np.iinfo(np.int8).max
        groups = len(self.distinct.counts)
        held = np.zeros(groups, np.int8) if small else np.zeros(groups, np.int64)
        held[self.numbers[places]] = counts
        return Labels(self.groups, self.distinct.counts, held, missing, self.is_key)
