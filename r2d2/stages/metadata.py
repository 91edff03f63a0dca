"""Metadata: shared files prove, bounds and null counts refute. Reads no data.

A bound refutes only where a child value lies outside all values of the parent; with a minimum
fraction below one, only where all child values do. Bounds are compared as ranks, in arrays by
column, for a block of pairs at once.

What rests on a footer is its writer's claim. The lake bounds these columns when it reads the rows,
and `reopened` are the pairs that claims refuted and rows do not.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int32s, Int64s
from r2d2.graph import Block, Graph
from r2d2.lake.questions import Lake, Watched
from r2d2.model import RANK_MAX, RANK_MIN, Bounds, Edge, Evidence, FileInfo, Table, Verdict
from r2d2.stages.schema import fold

NOT_BELIEVED = "statistics not believed"
"""The detail of a table whose footer contradicts its rows."""
SHARED = Evidence("metadata", Verdict.PROVED, "every file of the child is a file of the parent")
_UNKNOWN_RANKS = np.array([RANK_MIN, RANK_MAX, RANK_MIN, RANK_MAX], np.int64)
_UNKNOWN_FLAGS = np.array([-1, -1, 1], np.int8)


@dataclass(frozen=True, slots=True)
class Metadata:
    """Proves pairs by shared files and refutes pairs by bounds."""

    min_fraction: float = 1.0
    case_sensitive: bool = False
    name = "metadata"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph without the pairs that metadata decides; `claimed` are those by claims."""
        tests = self._tests(graph.tables, {i: table.bounds for i, table in enumerate(graph.tables)})
        shared = _shared_files(graph.tables)
        reasons: Counter[str] = Counter()
        watched: set[tuple[int, str]] = set()
        blocks, claimed, edges = [], [], list(graph.edges)
        for block in graph.blocks:
            of_block = tests(block)
            masks, claims = [], []
            for rows, mask in block.chunks():
                edges += _prove(graph.tables, block, rows, mask, shared, self.case_sensitive)
                refuted, by_claims, columns = _refute(mask, rows, block, of_block)
                reasons.update(refuted)
                watched |= columns
                masks.append(mask)
                claims.append(by_claims)
            blocks += _open(block, masks)
            claimed += _open(block, claims)
        if watched:
            lake.watch(self._columns(graph.tables, watched))
        return replace(
            graph,
            blocks=tuple(blocks),
            claimed=tuple(claimed),
            edges=tuple(edges),
            reasons=dict(reasons),
        )

    def reopened(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with those pairs open that claims refuted and rows do not, and no others.

        `reasons` counts the claims. A table whose footer its rows contradict has a detail more.
        """
        answer = lake.watched()
        graph = graph.after(answer)
        stated = {index: graph.tables[index].bounds for index in _members(graph.claimed)}
        found = {index: answer.found.get(index, {}) for index in stated}
        tables = list(graph.tables)
        for index, of_rows in found.items():
            wrong = [name for name in of_rows if _contradicts(stated[index][name], of_rows[name])]
            if wrong:
                own = graph.named[index] if graph.named else tables[index]
                pairs = zip(tables[index].columns, own.columns, strict=True)
                names = sorted(named.name for column, named in pairs if column.name in wrong)
                details = {**tables[index].details, NOT_BELIEVED: ", ".join(names)}
                tables[index] = replace(tables[index], details=details)
        sure = {
            index: {n: b for n, b in bounds.items() if b.sure} | dict(found[index])
            for index, bounds in stated.items()
        }
        by_rows, by_claims = self._tests(tables, sure), self._tests(tables, stated)
        reasons: Counter[str] = Counter()
        blocks = []
        for block in graph.claimed:
            block = block.without(answer.failed)
            tests, claims = by_rows(block), by_claims(block)
            masks = []
            for rows, mask in block.chunks():
                _refute(mask, rows, block, tests)
                reasons.update(_refute(mask.copy(), rows, block, claims)[0])
                masks.append(mask)
            blocks += _open(block, masks)
        return replace(
            graph, tables=tuple(tables), blocks=tuple(blocks), claimed=(), reasons=dict(reasons)
        )

    def _tests(
        self, tables: Sequence[Table], bounds: Mapping[int, Mapping[str, Bounds]]
    ) -> "Callable[[Block], list[tuple[str, ColumnTest]]]":
        """The tests of a block's columns by these bounds; those soon confirmed come first."""
        ranks = RankIndex.of(bounds, self.case_sensitive)
        # Bounds say nothing of NaN, so with all else outside, NaN rows may still be shared.
        unsure = self._float_columns(tables) if self.min_fraction < 1 else set()

        def tests(block: Block) -> list[tuple[str, ColumnTest]]:
            of_child = tables[block.children[0]].columns if len(block.children) else ()
            types = {fold(column.name, self.case_sensitive): column.type for column in of_child}
            names = sorted(block.names, key=lambda name: types.get(name) in ("string", "binary"))
            found = (
                (name, ranks.test(name, block, self.min_fraction))
                for name in names
                if name not in unsure
            )
            return [(name, test) for name, test in found if test is not None]

        return tests

    def _columns(self, tables: Sequence[Table], names: set[tuple[int, str]]) -> Watched:
        """The columns of these folded names, by table."""
        return {
            index: tuple(
                column
                for column in tables[index].columns
                if (index, fold(column.name, self.case_sensitive)) in names
            )
            for index in sorted({index for index, _ in names})
        }

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
    ) and all(own.get(fold(c.name, case_sensitive)) == (c.path, c.type) for c in child.columns)


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


def _open(block: Block, masks: Sequence[Bools]) -> list[Block]:
    """The block with these pairs; none where there are none."""
    left = block.narrowed(masks) if any(map(np.any, masks)) else None
    return [] if left is None else [left]


def _members(blocks: Sequence[Block]) -> list[int]:
    both = (axis.tolist() for block in blocks for axis in (block.children, block.parents))
    return sorted({index for members in both for index in members})


def _contradicts(stated: Bounds, found: Bounds) -> bool:
    """Whether rows lie outside outer bounds, or NULLs are where there should be none."""
    if found.has_values and not (
        stated.min_low <= found.min_low and found.max_high <= stated.max_high
    ):
        return True
    return any(
        None not in (claim, fact) and claim != fact
        for claim, fact in (
            (stated.has_nulls, found.has_nulls),
            (stated.has_values, found.has_values),
        )
    )


def _refute(
    mask: Bools, rows: slice, block: Block, tests: "Sequence[tuple[str, ColumnTest]]"
) -> tuple[Counter[str], Bools, set[tuple[int, str]]]:
    """Clears the pairs that bounds refute.

    Returns how many each column's bounds refuted first, the pairs among them that claims refuted,
    and the tables' columns that these claims are about.
    """
    reasons: Counter[str] = Counter()
    claimed = np.zeros_like(mask)
    columns: set[tuple[int, str]] = set()
    left = mask.any()
    for name, test in tests if left else ():
        gone = mask & ~test.plausible(rows)
        count = np.count_nonzero(gone)
        if count:
            mask &= ~gone
            reasons[f"bounds of {name}"] += int(count)
            for axis, owners, claims in (
                (1, block.children[rows], test.child_claims[rows]),
                (0, block.parents, test.parent_claims),
            ):
                if claims.any():
                    by_claims = gone & (claims[:, None] if axis == 1 else claims)
                    claimed |= by_claims
                    columns |= {(index, name) for index in owners[by_claims.any(axis)].tolist()}
    return reasons, claimed, columns


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
    def of(cls, bounds_of: Mapping[int, Mapping[str, Bounds]], case_sensitive: bool) -> "RankIndex":
        """The index of the bounds of tables, which come in order of their numbers."""
        owners: dict[str, list[int]] = defaultdict(list)
        rows: dict[str, list[Bounds]] = defaultdict(list)
        keys: dict[str, str] = {}
        for index, by_name in bounds_of.items():
            for name, bounds in by_name.items():
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
