"""The lake's bounds as arrays by column, and the test of one column on a block of pairs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from r2d2.graph import Block, Indices, Mask
from r2d2.model import RANK_MAX, RANK_MIN, Bounds, Table
from r2d2.stages.schema import fold

Ranks = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """One column's bounds over a block: rows are children, columns are parents.

    A pair is refuted where `child_low` < `parent_low`, or `child_high` > `parent_high`, or the
    child surely has a null and the parent surely none.
    """

    child_low: Ranks
    child_high: Ranks
    child_nulls: Flags
    parent_low: Ranks
    parent_high: Ranks
    parent_no_nulls: Flags

    def plausible(self, rows: slice) -> Mask:
        """Which pairs of some children × all parents the bounds leave open."""
        found: Mask = self.child_low[rows, None] >= self.parent_low[None, :]
        found &= self.child_high[rows, None] <= self.parent_high[None, :]
        nulls = self.child_nulls[rows]
        if nulls.any() and self.parent_no_nulls.any():
            found &= ~(nulls[:, None] & self.parent_no_nulls[None, :])
        return found


@dataclass(frozen=True, slots=True)
class _ColumnRanks:
    """Bounds of one column in all tables (sorted `tables`) that have any."""

    tables: Indices
    ranks: Ranks
    flags: npt.NDArray[np.int8]

    def of(self, tables: Indices) -> "tuple[Ranks, npt.NDArray[np.int8]]":
        """Rows (min_low, min_high, max_low, max_high) and (nulls, values) of the given tables."""
        places = np.searchsorted(self.tables, tables)
        places[places == len(self.tables)] = 0
        known = self.tables[places] == tables
        ranks = np.where(known[:, None], self.ranks[places], _UNKNOWN_RANKS)
        return ranks, np.where(known[:, None], self.flags[places], _UNKNOWN_FLAGS)


_UNKNOWN_RANKS = np.array([RANK_MIN, RANK_MAX, RANK_MIN, RANK_MAX], np.int64)
_UNKNOWN_FLAGS = np.array([-1, -1], np.int8)


@dataclass(frozen=True, slots=True)
class RankIndex:
    """All bounds of a lake, by folded column name."""

    columns: Mapping[str, _ColumnRanks]

    @classmethod
    def of(cls, tables: Sequence[Table], case_sensitive: bool) -> "RankIndex":
        """The index of the bounds that the tables carry."""
        owners: dict[str, list[int]] = defaultdict(list)
        rows: dict[str, list[Bounds]] = defaultdict(list)
        keys: dict[str, str] = {}
        for index, table in enumerate(tables):
            for name, bounds in table.bounds.items():
                key = keys.get(name) or keys.setdefault(name, fold(name, case_sensitive))
                owners[key].append(index)
                rows[key].append(bounds)
        return cls({key: _column_ranks(owners[key], rows[key]) for key in rows})

    def test(self, name: str, block: Block, min_fraction: float) -> ColumnTest | None:
        """The column's test on the block; None where nothing is known of it."""
        column = self.columns.get(name)
        if column is None:
            return None
        child, child_flags = column.of(block.children)
        parent, parent_flags = column.of(block.parents)
        parent_low = np.where(parent_flags[:, 1] == 0, RANK_MAX, parent[:, 0])
        parent_high = np.where(parent_flags[:, 1] == 0, RANK_MIN, parent[:, 3])
        has_values = child_flags[:, 1] == 1
        if min_fraction < 1:
            # All values outside: the greatest below the parent's least, or the other way round.
            # A null of the child could still be found, so only children without nulls count.
            sure = has_values & (child_flags[:, 0] == 0)
            low, high = child[:, 3], child[:, 0]
            nulls = np.zeros(len(sure), np.bool_)
        else:
            sure = has_values
            low, high = child[:, 1], child[:, 2]
            nulls = child_flags[:, 0] == 1
        return ColumnTest(
            np.where(sure, low, RANK_MAX),
            np.where(sure, high, RANK_MIN),
            nulls,
            parent_low,
            parent_high,
            parent_flags[:, 0] == 0,
        )


def _column_ranks(owners: Sequence[int], rows: Sequence[Bounds]) -> _ColumnRanks:
    ranks = np.array([_ranks_of(bounds) for bounds in rows], np.int64)
    flags = np.array([(_FLAG[b.has_nulls], _FLAG[b.has_values]) for b in rows], np.int8)
    return _ColumnRanks(np.array(owners, np.int32), ranks, flags)


_ranks_of = attrgetter("min_low", "min_high", "max_low", "max_high")
_FLAG = {None: -1, False: 0, True: 1}
