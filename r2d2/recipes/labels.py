"""How often the child has each of the parent's rows, seen through the child's columns.

Rows of the parent that are equal in the child's columns form a group; the child has none of them,
all, or some, and then a predicate must tell them apart by other columns.
"""

from dataclasses import dataclass, replace

import numpy as np

from r2d2.recipes.counted import Counted, Hashes, Indices, Mask, ones, runs


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
    """The parent's rows by their hash over some columns; made once for all children with these.

    `groups` is by row. `numbers` are those of the distinct rows' groups: where no row occurs twice,
    a row's group is its own place, so that looking up by row runs through memory in order.
    """

    groups: Indices
    distinct: Counted
    numbers: Indices

    @classmethod
    def of(cls, parent: Hashes) -> "Groups":
        """The groups of the parent's rows, whose hashes come in the rows' order."""
        order, starts = runs(*parent)
        if starts.all():
            distinct = Counted(parent[0].take(order), parent[1].take(order), ones(len(order)))
            return cls(np.arange(len(order)), distinct, order)
        groups = np.empty(len(order), np.int64)
        groups[order] = np.cumsum(starts) - 1
        firsts = order[starts]
        counts = np.diff(np.flatnonzero(starts), append=len(order))
        distinct = Counted(parent[0].take(firsts), parent[1].take(firsts), counts)
        return cls(groups, distinct, np.arange(len(firsts)))

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
        held = np.zeros(len(self.distinct.counts), np.int64)
        held[self.numbers[places]] = counts
        return Labels(self.groups, self.distinct.counts, held, missing)
