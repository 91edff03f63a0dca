"""Metadata: shared files prove, bounds and null counts refute. Reads small files at most.

A bound refutes only where a child value lies outside all values of the parent; with a minimum
fraction below one, only where all child values do. Bounds are compared as ranks, in arrays by
column, for a block of pairs at once.

What rests on a footer is its writer's claim. The lake bounds these columns when it reads the rows,
and `reopened` are the pairs that claims refuted and rows do not.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.arrays import Bools
from r2d2.graph import Block, Graph
from r2d2.lake.questions import Lake, Watched
from r2d2.model import Bounds, Edge, Evidence, FileInfo, Table, Verdict
from r2d2.stages.column_bounds import (
    ColumnTest,
    KnownBounds,
    RankIndex,
    bounds_refute,
    leading,
    some_of,
)
from r2d2.stages.schema import fold

NOT_BELIEVED = "statistics not believed"
"""The detail of a table whose footer contradicts its rows."""
# The columns that tell most tables apart, then the rest where pairs are left.
STEPS = 2
# Of blocks of few tables so many columns go before the rest.
UNLED = 3
FEW_PAIRS = 64
UNKNOWN = Bounds(sure=True)
SHARED = Evidence("metadata", Verdict.PROVED, "every file of the child is a file of the parent")


Refuted = tuple[Counter[str], Bools, set[tuple[int, str]]]
Wanted = Sequence[tuple[Block, Sequence[str]]]
"""Blocks, and the columns whose bounds are compared over each."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Proves pairs by shared files and refutes pairs by bounds."""

    min_fraction: float = 1.0
    case_sensitive: bool = False
    name = "metadata"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph without the pairs that metadata decides; `claimed` are those by claims."""
        shared = _shared_files(graph.tables)
        known = KnownBounds(graph.tables, self.case_sensitive)
        unsure = self._unsure(graph.tables)
        reasons: Counter[str] = Counter()
        watched: set[tuple[int, str]] = set()
        claimed: list[Block] = []
        edges, case = list(graph.edges), self.case_sensitive
        graph = self._ordered(graph, lake, known, unsure)
        for step in range(STEPS):
            asked = {b.number: b.steps[step] for b in graph.blocks if len(b.steps) > step}
            wanted = [(b, asked[b.number]) for b in graph.blocks if b.number in asked]
            graph = _bounded(graph, lake, known, wanted)
            many = [(b, names) for b, names in wanted if not _has_few(b)]
            tests = self._tests(known.of, many, unsure)
            blocks: list[Block] = []
            for block in graph.blocks:
                if step and block.number not in asked:
                    blocks.append(block)
                    continue
                names = [n for n in asked.get(block.number, ()) if n not in unsure]
                of_block = None if _has_few(block) else tests(block, names)
                masks, claims = [], []
                for rows, mask in block.chunks():
                    if not step and not block.is_part:
                        edges += _prove(graph.tables, block, rows, mask, shared, case)
                    refuted, by_claims, columns = (
                        self._refute_few(mask, rows, block, names, known)
                        if of_block is None
                        else _refute(mask, rows, block, of_block)
                    )
                    reasons.update(refuted)
                    watched |= columns
                    masks.append(mask)
                    claims.append(by_claims)
                blocks += _open(block, masks)
                claimed += _open(block, claims)
            graph = replace(graph, blocks=tuple(blocks))
        if watched:
            lake.watch(self._columns(graph.tables, watched))
        gone = {index for index, table in enumerate(graph.tables) if not table.eligible}
        claimed = [block for block in (b.without(gone) for b in claimed) if block.count()]
        tables = list(graph.tables)
        for index in _members(claimed):
            tables[index] = replace(tables[index], bounds=known.of[index])
        lost = {tables[index].location for index in gone}
        return replace(
            graph,
            tables=tuple(tables),
            claimed=tuple(claimed),
            edges=tuple(e for e in edges if e.child not in lost and e.parent not in lost),
            reasons=dict(reasons),
        )

    def _ordered(
        self, graph: Graph, lake: Lake, known: KnownBounds, unsure: Collection[str]
    ) -> Graph:
        """The graph with the steps in which columns of each block are compared."""
        some = {b.number: few for b in graph.blocks if (few := some_of(b)) is not None}
        order = {b.number: self._by_type(graph.tables, b) for b in graph.blocks}
        leads: dict[int, str] = {}
        # Mostly an instant leads, so that the other columns of these few are not decoded.
        for part in (slice(UNLED), slice(UNLED, None)):
            wanted = [(few, order[n][part]) for n, few in some.items() if n not in leads]
            graph = _bounded(graph, lake, known, wanted)
            tests = self._tests(known.of, wanted, unsure)
            for few, names in wanted:
                if (first := leading(tests(few, names), few)) is not None:
                    leads[few.number] = first
        blocks = []
        for block in graph.blocks:
            names, first = order[block.number], leads.get(block.number)
            if block.number not in some:
                steps = [names[:UNLED], names[UNLED:]]
            else:
                steps = [[first], [name for name in names if name != first]] if first else [names]
            blocks.append(replace(block, steps=tuple(tuple(names) for names in steps if names)))
        return replace(graph, blocks=tuple(blocks))

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
        unsure = self._unsure(tables)
        every = [(block, block.names) for block in graph.claimed]
        by_rows, by_claims = (self._tests(of, every, unsure) for of in (sure, stated))
        reasons: Counter[str] = Counter()
        blocks = []
        for block in graph.claimed:
            block = block.without(answer.failed)
            names = [name for names in block.steps for name in names]
            tests, claims = by_rows(block, names), by_claims(block, names)
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
        self, bounds: Mapping[int, Mapping[str, Bounds]], wanted: Wanted, unsure: Collection[str]
    ) -> Callable[[Block, Sequence[str]], list[tuple[str, ColumnTest]]]:
        """The tests of columns that are wanted of blocks by these bounds, in the columns' order."""
        names = {name for _, names in wanted for name in names}
        of = {index: bounds[index] for index in _members(block for block, _ in wanted)}
        ranks = RankIndex.of(of, self.case_sensitive, names)

        def tests(block: Block, names: Sequence[str]) -> list[tuple[str, ColumnTest]]:
            found = (
                (name, ranks.test(name, block, self.min_fraction))
                for name in names
                if name not in unsure
            )
            return [(name, test) for name, test in found if test is not None]

        return tests

    def _by_type(self, tables: Sequence[Table], block: Block) -> list[str]:
        """The block's columns: instants and numbers first, last those that are long to confirm."""
        of_child = tables[block.children[0]].columns
        types = {fold(column.name, self.case_sensitive): column.type for column in of_child}
        return sorted(block.names, key=lambda name: _rank_of_type(types.get(name, "")))

    def _refute_few(
        self, mask: Bools, rows: slice, block: Block, names: Sequence[str], known: KnownBounds
    ) -> Refuted:
        """`_refute`, pair by pair: arrays are slower for a few."""
        reasons: Counter[str] = Counter()
        claimed = np.zeros_like(mask)
        columns: set[tuple[int, str]] = set()
        children = block.children[rows]
        for row, place in np.argwhere(mask).tolist():
            child, parent = int(children[row]), int(block.parents[place])
            of_child, of_parent = known.by_name(child), known.by_name(parent)
            for name in names:
                own, other = of_child.get(name, UNKNOWN), of_parent.get(name, UNKNOWN)
                if not bounds_refute(own, other, self.min_fraction):
                    continue
                mask[row, place] = False
                reasons[f"bounds of {name}"] += 1
                claims = {(child, name)} if not own.sure else set()
                claims |= {(parent, name)} if not other.sure else set()
                claimed[row, place] = bool(claims)
                columns |= claims
                break
        return reasons, claimed, columns

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

    def _unsure(self, tables: Sequence[Table]) -> set[str]:
        """The columns whose bounds refute nothing: they say nothing of NaN, which may be shared."""
        if self.min_fraction == 1:
            return set()
        # By identity: tables of one schema mostly share one tuple of columns.
        schemas = {id(table.columns): table.columns for table in tables}.values()
        columns = {column for columns in schemas for column in columns}
        return {fold(c.name, self.case_sensitive) for c in columns if c.type.startswith("float")}


def _has_few(block: Block) -> bool:
    return len(block.children) * len(block.parents) <= FEW_PAIRS


def _rank_of_type(type_: str) -> int:
    """Instants tell more tables apart than numbers, and these than the others."""
    if type_ in ("string", "binary"):
        return 3
    if type_.startswith(("timestamp", "date")):
        return 0
    return 1 if type_.startswith(("int", "uint", "float", "decimal")) else 2


def _bounded(graph: Graph, lake: Lake, known: KnownBounds, wanted: Wanted) -> Graph:
    """The graph without the tables that could not be read when these columns were asked for."""
    columns = known.missing(wanted)
    if not columns:
        return graph
    answer = lake.bounds(columns)
    known.add(answer.found)
    graph = graph.after(answer)
    blocks = (block.without(answer.failed) for block in graph.blocks)
    return replace(graph, blocks=tuple(block for block in blocks if len(block.children)))


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


def _members(blocks: Iterable[Block]) -> list[int]:
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
) -> Refuted:
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
