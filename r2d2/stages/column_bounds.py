"""Bounds of columns over a block of pairs: arrays of ranks, one row a table.

`leading` is a column that refutes all pairs of a few of a block's tables: so the others are asked
for it first, and for the rest only where pairs are left.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int32s, Int64s
from r2d2.graph import Block
from r2d2.lake.questions import Watched
from r2d2.model import RANK_MAX, RANK_MIN, Bounds, Column, Table
from r2d2.stages.schema import fold

MANY_TABLES = 64
SOME_TABLES = 24
_UNKNOWN_RANKS = np.array([RANK_MIN, RANK_MAX, RANK_MIN, RANK_MAX], np.int64)
_UNKNOWN_FLAGS = np.array([-1, -1, 1], np.int8)


class KnownBounds:
    """The bounds of tables as far as they are known, and what was asked of the others."""

    def __init__(self, tables: Sequence[Table], case_sensitive: bool) -> None:
        self.of: dict[int, Mapping[str, Bounds]] = {i: t.bounds for i, t in enumerate(tables)}
        self._tables = tables
        self._case_sensitive = case_sensitive
        self._asked: dict[int, frozenset[str]] = {}
        self._by_name: dict[int, dict[str, Bounds]] = {}
        self._columns: dict[tuple[int, frozenset[str]], tuple[Column, ...]] = {}

    def missing(self, wanted: Iterable[tuple[Block, Sequence[str]]]) -> Watched:
        """The columns of these names of the blocks' tables that are still to be asked for."""
        names_of: dict[int, frozenset[str]] = {}
        for block, names in wanted:
            new = frozenset(names)
            for table in {*block.children.tolist(), *block.parents.tolist()}:
                before = names_of.get(table)
                names_of[table] = new if before is None or before <= new else before | new
        columns = {}
        for table, asked in names_of.items():
            before = self._asked.get(table, frozenset())
            # What the inventory bounded has no other bounds.
            if not asked <= before and (before or not self.of[table]):
                self._asked[table] = before | asked
                if chosen := self._chosen(self._tables[table].columns, asked - before):
                    columns[table] = chosen
        return columns

    def add(self, found: Mapping[int, Mapping[str, Bounds]]) -> None:
        """Adds what was found of the columns asked for."""
        for table, bounds in found.items():
            before = self.of[table]
            self.of[table] = {**before, **bounds} if before else bounds
            self._by_name.pop(table, None)

    def by_name(self, table: int) -> Mapping[str, Bounds]:
        """The table's bounds by folded column name."""
        if table not in self._by_name:
            self._by_name[table] = {
                fold(name, self._case_sensitive): bounds for name, bounds in self.of[table].items()
            }
        return self._by_name[table]

    def _chosen(self, columns: tuple[Column, ...], names: frozenset[str]) -> tuple[Column, ...]:
        # By identity: tables of one schema mostly share one tuple of columns.
        key = id(columns), names
        if key not in self._columns:
            self._columns[key] = tuple(
                column for column in columns if fold(column.name, self._case_sensitive) in names
            )
        return self._columns[key]


def bounds_refute(child: Bounds, parent: Bounds, min_fraction: float) -> bool:
    """Whether the bounds of one column refute a pair, as `ColumnTest` says it of many."""
    has_values, least, greatest = child.has_values, child.min_high, child.max_low
    if min_fraction < 1:
        has_values = has_values and child.has_nulls is False
        least, greatest = child.max_high, child.min_low
    elif child.has_nulls and parent.has_nulls is False:
        return True
    if not has_values:
        return False
    if parent.has_values is False:
        return least < RANK_MAX or greatest > RANK_MIN
    return least < parent.min_low or greatest > parent.max_high


def some_of(block: Block) -> Block | None:
    """The block of a few of the block's tables; None where it has few."""
    if max(len(block.children), len(block.parents)) < MANY_TABLES:
        return None
    children, parents = map(_some, (block.children, block.parents))
    mask = np.packbits(children[:, None] != parents[None, :], axis=1)
    return replace(block, children=children, parents=parents, mask=mask)


def _some(tables: Int32s) -> Int32s:
    places = np.linspace(0, len(tables) - 1, min(len(tables), SOME_TABLES)).astype(np.int64)
    # Not np.unique, which imports masked arrays: 20 ms. The places ascend.
    return tables[places[np.diff(places, prepend=-1) > 0]]


def leading(tests: "Sequence[tuple[str, ColumnTest]]", some: Block) -> str | None:
    """The first column that refutes all of these pairs; None where none does.

    With a weaker one most tables would keep some pair, and be opened again for the other columns.
    """
    mask = np.concatenate([mask for _, mask in some.chunks()])
    every = slice(0, len(some.children))
    return next((name for name, test in tests if not (mask & test.plausible(every)).any()), None)


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """One column's bounds over a block: rows are children, columns are parents.

    A pair is refuted where `child_low` < `parent_low`, or `child_high` > `parent_high`, or the
    child has a null and the parent none. Claims are bounds that do not come from rows.
    """

    child_low: Int64s
    child_high: Int64s
    child_nulls: Bools
    parent_low: Int64s
    parent_high: Int64s
    parent_no_nulls: Bools
    child_claims: Bools
    parent_claims: Bools

    def plausible(self, rows: slice) -> Bools:
        """Whether the bounds leave each pair open, of some children × all parents."""
        found: Bools = self.child_low[rows, None] >= self.parent_low[None, :]
        found &= self.child_high[rows, None] <= self.parent_high[None, :]
        nulls = self.child_nulls[rows]
        if nulls.any() and self.parent_no_nulls.any():
            found &= ~(nulls[:, None] & self.parent_no_nulls[None, :])
        return found


@dataclass(frozen=True, slots=True)
class RankIndex:
    """All bounds of a lake, by folded column name."""

    columns: "Mapping[str, _ColumnRanks]"

    @classmethod
    def of(
        cls,
        bounds_of: Mapping[int, Mapping[str, Bounds]],
        case_sensitive: bool,
        names: Collection[str] | None = None,
    ) -> "RankIndex":
        """The index of the bounds of tables, which come in order of their numbers.

        With `names`, only of the columns of these folded names.
        """
        owners: dict[str, list[int]] = defaultdict(list)
        rows: dict[str, list[Bounds]] = defaultdict(list)
        keys: dict[str, str] = {}
        for index, by_name in bounds_of.items():
            for name, bounds in by_name.items():
                key = keys.get(name) or keys.setdefault(name, fold(name, case_sensitive))
                if names is None or key in names:
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
            child_flags[:, 2] == 0,
            parent_flags[:, 2] == 0,
        )


@dataclass(frozen=True, slots=True)
class _ColumnRanks:
    """Bounds of one column in all tables (sorted `tables`) that have any."""

    tables: Int32s
    ranks: Int64s
    flags: npt.NDArray[np.int8]

    def of(self, tables: Int32s) -> "tuple[Int64s, npt.NDArray[np.int8]]":
        """Rows (min_low, min_high, max_low, max_high) and (nulls, values, sure) of the tables."""
        places = np.searchsorted(self.tables, tables)
        places[places == len(self.tables)] = 0
        known = self.tables[places] == tables
        ranks = np.where(known[:, None], self.ranks[places], _UNKNOWN_RANKS)
        return ranks, np.where(known[:, None], self.flags[places], _UNKNOWN_FLAGS)


def _column_ranks(owners: Sequence[int], rows: Sequence[Bounds]) -> _ColumnRanks:
    ranks = np.array([_ranks_of(bounds) for bounds in rows], np.int64)
    flags = np.array([(_FLAG[b.has_nulls], _FLAG[b.has_values], b.sure) for b in rows], np.int8)
    return _ColumnRanks(np.array(owners, np.int32), ranks, flags)


_ranks_of = attrgetter("min_low", "min_high", "max_low", "max_high")
_FLAG = {None: -1, False: 0, True: 1}
