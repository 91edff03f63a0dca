"""A lake of numbers in memory, which answers the stages' questions; and the truth about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from r2d2.graph import Graph
from r2d2.hashing.finaliser import Lanes, chain, column_key
from r2d2.hashing.runs import count_missing, sketch, smallest, sorted_unique
from r2d2.lake.inventory import Inventory
from r2d2.lake.questions import Overlaps, Projection, RowBounds, Sketches, Wanted, Watched
from r2d2.model import Column, Cost, Format, Table
from r2d2.stages.schema import Schema

LAKES = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=12), min_size=2, max_size=5)
FRACTIONS = st.sampled_from([0.25, 0.5, 0.9, 1.0])

Pair = tuple[int, int]


@dataclass(frozen=True)
class MemoryLake:
    """Tables of one column, each with these numbers; `failed` ones cannot be read.

    `knows_rows`: the tables' row counts are known before they are read.
    """

    numbers: Sequence[Sequence[int]]
    failed: Mapping[int, str] = field(default_factory=dict)
    knows_rows: bool = True

    def inventory(self) -> Inventory:
        columns = (Column("x", "int64", ("x",)),)
        return Inventory(
            tuple(
                Table(str(place), Format.PARQUET, columns, len(some) if self.knows_rows else None)
                for place, some in enumerate(self.numbers)
            ),
            {},
        )

    def sketches(
        self, wanted: Wanted, size: int, children: Collection[Projection] | None = None
    ) -> Sketches:
        found = {key: sketch(self._run(key), size) for key in wanted if key[0] not in self.failed}
        return Sketches(found, self.failed, self._counted(wanted), Cost())

    def overlaps(
        self,
        wanted: Wanted,
        pairs: Sequence[tuple[Projection, Projection]],
        sample: int | None,
        least: float = 0.0,
    ) -> Overlaps:
        rows, missing = np.full((2, len(pairs)), -1, np.int64)
        for place, (child, parent) in enumerate(pairs):
            if child[0] not in self.failed and parent[0] not in self.failed:
                run = self._run(child)
                run = run if sample is None else smallest(run, sample)
                rows[place], missing[place] = len(run), count_missing(run, self._run(parent))
        return Overlaps(rows, missing, self.failed, self._counted(wanted), Cost())

    def bounds(self, columns: Watched) -> RowBounds:
        """None: these tables have no bounds."""
        return RowBounds({}, {}, {}, Cost())

    def watch(self, columns: Watched) -> None:
        """Nothing is to be done: these tables have no bounds."""

    def watched(self) -> RowBounds:
        return RowBounds({}, self.failed, {}, Cost())

    def open_graph(self) -> Graph:
        """The graph with every pair open."""
        return Schema()(Graph(self.inventory().tables), self)

    def fraction(self, pair: Pair) -> float:
        """The part of the child's distinct numbers that the parent has."""
        child, parent = (set(self.numbers[place]) for place in pair)
        return len(child & parent) / len(child)

    def pairs(self) -> set[Pair]:
        """Every table with every other."""
        places = range(len(self.numbers))
        return {(child, parent) for child in places for parent in places if child != parent}

    def _run(self, key: Projection) -> Lanes:
        numbers = np.array(self.numbers[key[0]], np.int64)
        return sorted_unique(chain((numbers,), column_key("x", "int64")))

    def _counted(self, wanted: Wanted) -> Mapping[int, int]:
        tables: Collection[int] = {table for table, _ in wanted} - self.failed.keys()
        return {table: len(self.numbers[table]) for table in sorted(tables)}


def open_pairs(graph: Graph) -> set[Pair]:
    """The pairs that no stage has decided."""
    return {
        pair
        for block in graph.blocks
        for pair in zip(*(side.tolist() for side in block.pairs()), strict=True)
    }
