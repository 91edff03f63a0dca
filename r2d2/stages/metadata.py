"""Metadata: shared files prove, bounds and null counts refute. Reads no data.

A bound refutes only where a child value surely lies outside all values of the parent; with a
minimum fraction below one, only where all child values surely do. Bounds are compared as ranks,
in arrays by column, for a block of pairs at once.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int32s, Int64s
from r2d2.graph import Block, Graph
from r2d2.lake.questions import Lake
from r2d2.model import RANK_MAX, RANK_MIN, Bounds, Edge, Evidence, FileInfo, Table, Verdict
from r2d2.stages.schema import fold

SHARED = Evidence("metadata", Verdict.PROVED, "every file of the child is a file of the parent")
_UNKNOWN_RANKS = np.array([RANK_MIN, RANK_MAX, RANK_MIN, RANK_MAX], np.int64)
_UNKNOWN_FLAGS = np.array([-1, -1], np.int8)


@dataclass(frozen=True, slots=True)
class Metadata:
    """Proves pairs by shared files and refutes pairs by bounds."""

    min_fraction: float = 1.0
    case_sensitive: bool = False
    name = "metadata"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph without the pairs that metadata decides."""
        ranks = RankIndex.of(graph.tables, self.case_sensitive)
        # Bounds say nothing of NaN, so with all else outside, NaN rows may still be shared.
        unsure = self._float_columns(graph.tables) if self.min_fraction < 1 else set()
        shared = _shared_files(graph.tables)
        reasons: Counter[str] = Counter()
        blocks, edges = [], list(graph.edges)
        for block in graph.blocks:
            tests = [
                None if name in unsure else ranks.test(name, block, self.min_fraction)
                for name in block.names
            ]
            masks = []
            for rows, mask in block.chunks():
                edges += _prove(graph.tables, block, rows, mask, shared, self.case_sensitive)
                reasons.update(_refute(mask, rows, block.names, tests))
                masks.append(mask)
            left = block.narrowed(masks)
            if len(left.children):
                blocks.append(left)
        return replace(graph, blocks=tuple(blocks), edges=tuple(edges), reasons=dict(reasons))

    def _float_columns(self, tables: Sequence[Table]) -> set[str]:
        columns = {column for table in tables for column in table.columns}
        return {fold(c.name, self.case_sensitive) for c in columns if c.type.startswith("float")}


def _shared_files(tables: Sequence[Table]) -> Mapping[int, frozenset[int]]:
    """For each table whose splits are all splits of others, too, those others."""
    holders: dict[tuple[FileInfo, tuple[int, ...]], set[int]] = defaultdict(set)
    for index, table in enumerate(tables):
        for split in table.splits:
            holders[split.file, split.row_groups].add(index)
    if all(len(owners) == 1 for owners in holders.values()):
        return {}
    found = {}
    for index, table in enumerate(tables):
        owners = [holders[split.file, split.row_groups] for split in table.splits]
        if owners and table.eligible:
            others = frozenset(set.intersection(*owners) - {index})
            if others:
                found[index] = others
    return found


def _prove(
    tables: Sequence[Table],
    block: Block,
    rows: slice,
    mask: Bools,
    shared: Mapping[int, frozenset[int]],
    case_sensitive: bool,
) -> list[Edge]:
    """The edges that shared files prove; their pairs are cleared."""
    edges = []
    for row, child in enumerate(block.children[rows].tolist()) if shared else ():
        for place in np.nonzero(np.isin(block.parents, list(shared.get(child, ()))))[0]:
            parent = tables[block.parents[place]]
            if mask[row, place] and _same_reading(tables[child], parent, case_sensitive):
                mask[row, place] = False
                edges.append(_shared_edge(tables[child], parent, case_sensitive))
    return edges


def _same_reading(child: Table, parent: Table, case_sensitive: bool) -> bool:
    """Whether the child's columns are read from the shared files as the parent's are."""
    contexts = {(split.file, split.row_groups): split.context for split in parent.splits}
    own = {fold(c.name, case_sensitive): (c.path, c.type) for c in parent.columns}
    return all(
        contexts[split.file, split.row_groups] == split.context for split in child.splits
    ) and all(own[fold(c.name, case_sensitive)] == (c.path, c.type) for c in child.columns)


def _shared_edge(child: Table, parent: Table, case_sensitive: bool) -> Edge:
    own = {fold(c.name, case_sensitive): c.name for c in parent.columns}
    return Edge(
        child.location,
        parent.location,
        1.0,
        0,
        child.rows,
        parent.rows,
        False,
        "metadata",
        columns=tuple((c.name, own[fold(c.name, case_sensitive)]) for c in child.columns),
        evidence=(SHARED,),
    )


def _refute(
    mask: Bools, rows: slice, names: Sequence[str], tests: Sequence["ColumnTest | None"]
) -> Counter[str]:
    """The number of pairs that each column's bounds refuted first; they are cleared."""
    reasons: Counter[str] = Counter()
    left = np.count_nonzero(mask)
    for name, test in zip(names, tests, strict=True):
        if test is not None and left:
            mask &= test.plausible(rows)
            after = np.count_nonzero(mask)
            if after < left:
                reasons[f"bounds of {name}"] += int(left - after)
            left = after
    return reasons


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """One column's bounds over a block: rows are children, columns are parents.

    A pair is refuted where `child_low` < `parent_low`, or `child_high` > `parent_high`, or the
    child surely has a null and the parent surely none.
    """

    child_low: Int64s
    child_high: Int64s
    child_nulls: Bools
    parent_low: Int64s
    parent_high: Int64s
    parent_no_nulls: Bools

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


@dataclass(frozen=True, slots=True)
class _ColumnRanks:
    """Bounds of one column in all tables (sorted `tables`) that have any."""

    tables: Int32s
    ranks: Int64s
    flags: npt.NDArray[np.int8]

    def of(self, tables: Int32s) -> "tuple[Int64s, npt.NDArray[np.int8]]":
        """Rows (min_low, min_high, max_low, max_high) and (nulls, values) of the given tables."""
        places = np.searchsorted(self.tables, tables)
        places[places == len(self.tables)] = 0
        known = self.tables[places] == tables
        ranks = np.where(known[:, None], self.ranks[places], _UNKNOWN_RANKS)
        return ranks, np.where(known[:, None], self.flags[places], _UNKNOWN_FLAGS)


def _column_ranks(owners: Sequence[int], rows: Sequence[Bounds]) -> _ColumnRanks:
    ranks = np.array([_ranks_of(bounds) for bounds in rows], np.int64)
    flags = np.array([(_FLAG[b.has_nulls], _FLAG[b.has_values]) for b in rows], np.int8)
    return _ColumnRanks(np.array(owners, np.int32), ranks, flags)


_ranks_of = attrgetter("min_low", "min_high", "max_low", "max_high")
_FLAG = {None: -1, False: 0, True: 1}
