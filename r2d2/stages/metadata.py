"""Metadata: shared files prove, bounds and null counts refute. Reads no data.

A bound refutes only where a child value surely lies outside all values of the parent; with a
minimum fraction below one, only where all child values surely do.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from r2d2.graph import Block, Graph, Mask
from r2d2.lake.questions import Lake
from r2d2.model import Edge, Evidence, FileInfo, Table, Verdict
from r2d2.stages.ranks import ColumnTest, RankIndex
from r2d2.stages.schema import fold

SHARED = Evidence("metadata", Verdict.PROVED, "every file of the child is a file of the parent")


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


def _refute(
    mask: Mask, rows: slice, names: Sequence[str], tests: Sequence[ColumnTest | None]
) -> Counter[str]:
    """Clears the pairs that a column's bounds refute; how many each column refuted first."""
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


def _shared_files(tables: Sequence[Table]) -> Mapping[int, frozenset[int]]:
    """Each table all of whose splits are splits of others, too: those others."""
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
    mask: Mask,
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
