"""The containment graph in the making: pairs that may still be edges, and the edges proved.

Pairs are counted, not listed: a block holds them as a children × parents mask.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int32s, Int64s
from r2d2.model import Cost, Edge, FunnelRow, Table, UnmatchedColumn

CHUNK_CELLS = 1 << 20


class LakeAnswer(Protocol):
    """The failed tables, counted rows and cost of any engine's answer (see `lake.questions`)."""

    @property
    def failed(self) -> Mapping[int, str]: ...

    @property
    def counted(self) -> Mapping[int, int]: ...

    @property
    def cost(self) -> Cost: ...


@dataclass(frozen=True, slots=True)
class Block:
    """All pairs still open whose child has exactly the columns `names`.

    `children` and `parents` index `Graph.tables`. `mask` (children × parents, bits packed along
    the parents) holds the open pairs; None while none but a table with itself is refuted.
    `number` names the block's columns in every question of a run. `types` are those of columns
    that are NULL only, and so of no type, in one of the tables: all are hashed under these.
    `steps` are the names in the order that bounds are asked for and compared. `is_part`: the
    children have columns besides, which need no parent (`Graph.free`). `renderings`: the parents'
    values of these columns are hashed as the texts that the children may have.
    """

    number: int
    names: tuple[str, ...]
    children: Int32s
    parents: Int32s
    mask: npt.NDArray[np.uint8] | None = None
    types: tuple[tuple[str, str], ...] = ()
    steps: tuple[tuple[str, ...], ...] = ()
    is_part: bool = False
    renderings: tuple[tuple[str, str], ...] = ()

    def chunks(self) -> Iterator[tuple[slice, Bools]]:
        """The open pairs as boolean masks of some children × all parents."""
        step = max(1, CHUNK_CELLS // max(1, len(self.parents)))
        for start in range(0, len(self.children), step):
            rows = slice(start, min(start + step, len(self.children)))
            if self.mask is None:
                yield rows, self.children[rows, None] != self.parents[None, :]
            else:
                bits = np.unpackbits(self.mask[rows], axis=1, count=len(self.parents))
                yield rows, bits.view(np.bool_)

    def count(self) -> int:
        """The number of open pairs."""
        if self.mask is None:
            return len(self.children) * len(self.parents) - len(self.children)
        return int(np.bitwise_count(self.mask).sum())

    def pairs(self) -> tuple[Int32s, Int32s]:
        """The open pairs as two arrays of table indices, children and parents."""
        children, parents = [], []
        for rows, mask in self.chunks():
            row, column = np.nonzero(mask)
            children.append(self.children[rows][row])
            parents.append(self.parents[column])
        if not children:
            return np.empty(0, np.int32), np.empty(0, np.int32)
        return np.concatenate(children), np.concatenate(parents)

    def without(self, tables: Collection[int]) -> "Block":
        """The block without pairs of the given tables."""
        gone = np.fromiter(tables, np.int32, len(tables))
        rows, columns = ~np.isin(self.children, gone), ~np.isin(self.parents, gone)
        if rows.all() and columns.all():
            return self
        masks = [mask & rows[part, None] & columns for part, mask in self.chunks()]
        return self.narrowed(masks)

    def narrowed(self, masks: Sequence[Bools]) -> "Block":
        """The block with new masks, one a chunk, without children or parents that are done."""
        mask = np.concatenate(masks) if masks else np.zeros((0, len(self.parents)), np.bool_)
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        kept = mask if rows.all() and columns.all() else mask[rows][:, columns]
        return replace(
            self,
            children=self.children[rows],
            parents=self.parents[columns],
            mask=np.packbits(kept, axis=1),
        )


@dataclass(frozen=True, slots=True)
class Graph:
    """Tables, open pairs by block, edges so far, and the work of each stage.

    `named` are the tables under their own names where the columns of `tables` go by labels.
    `owners` tells which owners of files were looked at (see `Inventory`). `claimed` are pairs that
    a footer refuted and rows have yet to. `free` are the columns of each table that need no parent,
    by the name that is matched.
    """

    tables: tuple[Table, ...]
    named: tuple[Table, ...] = ()
    blocks: tuple[Block, ...] = ()
    claimed: tuple[Block, ...] = ()
    edges: tuple[Edge, ...] = ()
    degenerate: tuple[Edge, ...] = ()
    funnel: tuple[FunnelRow, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    skipped: Mapping[str, int] = field(default_factory=dict)
    owners: Mapping[str, Any] = field(default_factory=dict)
    free: Mapping[int, Mapping[str, UnmatchedColumn]] = field(default_factory=dict)

    def after(self, answer: LakeAnswer) -> "Graph":
        """The graph with an answer's row counts and failures; failed tables lose their edges."""
        tables = list(self.tables)
        for index, rows in answer.counted.items():
            if tables[index].rows is None:
                tables[index] = replace(tables[index], rows=rows)
        for index, reason in answer.failed.items():
            tables[index] = replace(tables[index], problem=reason, unreadable=True)
        bad = {tables[index].location for index in answer.failed}
        edges = tuple(e for e in self.edges if e.child not in bad and e.parent not in bad)
        return replace(self, tables=tuple(tables), edges=edges, cost=answer.cost)

    def closed(self) -> "Graph":
        """The graph with edges in order, the strongest of each pair, and those that hold both ways
        marked; tables with columns of their own are never equal."""
        own = strongest(self.edges) if self.free else self.edges
        whole = {(e.child, e.parent) for e in own if e.whole and not e.unmatched}
        equal = {(child, parent) for child, parent in whole if (parent, child) in whole}
        marked = (
            e if e.equal == ((e.child, e.parent) in equal) else replace(e, equal=not e.equal)
            for e in own
        )
        edges = sorted(marked, key=lambda edge: (edge.child, edge.parent))
        degenerate = sorted(self.degenerate, key=lambda edge: (edge.child, edge.parent))
        return replace(self, edges=tuple(edges), degenerate=tuple(degenerate))

    def open_pairs(self) -> int:
        """The number of pairs that no stage has decided."""
        return sum(block.count() for block in self.blocks)

    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Groups of equal tables, each in order of location."""
        members: dict[str, set[str]] = {}
        for edge in self.edges:
            if edge.equal:
                group = members.setdefault(edge.child, {edge.child})
                if edge.parent not in group:
                    # Two tables of NULLs only, of two types, may be equal to a third of none.
                    group |= members.get(edge.parent, {edge.parent})
                    members.update(dict.fromkeys(group, group))
        return tuple(sorted({tuple(sorted(group)) for group in members.values()}))


def strongest(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """The edge of each pair that says most; one that ignores columns says least.

    Then it is the one of most rows, of most columns, and one that parses nothing.
    """
    best: dict[tuple[str, str], Edge] = {}
    for edge in sorted(edges, key=_weakness):
        best.setdefault((edge.child, edge.parent), edge)
    return tuple(best.values())


def _weakness(edge: Edge) -> tuple[bool, float, int, bool]:
    return edge.ignores, -edge.fraction, len(edge.unmatched), bool(edge.renderings)


def connected_components(count: int, left: Int64s, right: Int64s) -> Int64s:
    """The component's number of each of `count` nodes, by the two ends of each edge."""
    labels = np.arange(count)
    while True:
        least = np.minimum(labels[left], labels[right])
        before = labels.copy()
        for ends in (left, right):
            np.minimum.at(labels, labels[ends], least)
        labels = labels[labels]
        if np.array_equal(before, labels):
            return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def spare_tables(graph: Graph) -> frozenset[str]:
    """The tables that could go while each of their rows stays in another one.

    Of equal tables that no other one contains, the largest stays.
    """
    plain = [edge for edge in graph.edges if edge.whole and not edge.unmatched]
    classes = graph.classes()
    first_of = {name: group[0] for group in classes for name in group}
    sizes = {table.location: table.size_bytes for table in graph.tables}
    inside = {first_of.get(edge.child) for edge in plain if not _is_of_one(edge, first_of)}
    stay = {max(group, key=sizes.__getitem__) for group in classes if group[0] not in inside}
    return frozenset({edge.child for edge in plain} - stay)


def _is_of_one(edge: Edge, first_of: Mapping[str, str]) -> bool:
    """Whether child and parent are in one group of equal tables."""
    return edge.child in first_of and first_of[edge.child] == first_of.get(edge.parent)
