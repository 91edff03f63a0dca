"""The few bulk questions that stages ask of a lake, whichever engine answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from r2d2.formats.errors import table_problem
from r2d2.hashing.runs import BottomKSketch
from r2d2.lake.inventory import Inventory, read_split
from r2d2.model import Bounds, Column, Cost, Table, UnmatchedColumn
from r2d2.storage.local import Storage

HEAD_ROWS, HEAD_BYTES = 1 << 18, 1 << 26
Projection = tuple[int, int]
"""A table (its index) seen through a set of columns (its number within the question)."""

Wanted = Mapping[Projection, tuple[Column, ...]]
"""The columns to hash for each projection; a column's name is the one that enters the hash."""

Watched = Mapping[int, tuple[Column, ...]]
"""Columns of tables whose bounds are to be taken from their rows."""


@dataclass(frozen=True, slots=True)
class Sketches:
    """The k smallest row hashes of each projection.

    `failed` tables have none, with the reason; `counted` are the rows of tables read in full.
    """

    found: Mapping[Projection, BottomKSketch]
    failed: Mapping[int, str]
    counted: Mapping[int, int]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Overlaps:
    """For each pair asked: distinct child rows looked up, and how many of them are missing.

    Both are -1 where a table of the pair failed.
    """

    rows: npt.NDArray[np.int64]
    missing: npt.NDArray[np.int64]
    failed: Mapping[int, str]
    counted: Mapping[int, int]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Heads:
    """The first rows of tables; `failed` tables have none, and nobody was `counted`."""

    found: Mapping[int, Sequence[pa.RecordBatch]]
    failed: Mapping[int, str]
    counted: Mapping[int, int]
    cost: Cost


def heads_of(storage: Storage, tables: Sequence[Table], asked: Sequence[int]) -> Heads:
    """The first rows of each of the tables that are asked for, all of them where these are few."""
    found: dict[int, Sequence[pa.RecordBatch]] = {}
    failed: dict[int, str] = {}
    cost = Cost()
    for index in asked:
        try:
            batches = list(_first_batches(storage, tables[index]))
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            failed[index] = table_problem(error)
            continue
        count = sum(batch.num_rows for batch in batches)
        cost = cost.plus(Cost(sum(batch.nbytes for batch in batches), count))
        if count:
            found[index] = batches
    return Heads(found, failed, {}, cost)


def _first_batches(storage: Storage, table: Table) -> Iterator[pa.RecordBatch]:
    names = frozenset(column.path[0] for column in table.columns)
    rows, size = HEAD_ROWS, 0
    for split in table.splits:
        for batch in read_split(storage, split, names):
            yield batch.slice(0, rows)
            rows, size = rows - batch.num_rows, size + batch.nbytes
            if rows <= 0 or size >= HEAD_BYTES:
                return


@dataclass(frozen=True, slots=True)
class RowBounds:
    """The bounds of columns by table and column name; `failed` tables have none."""

    found: Mapping[int, Mapping[str, Bounds]]
    failed: Mapping[int, str]
    counted: Mapping[int, int]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Constants:
    """The columns that hold one value in every row, or the row's number, by table and name."""

    found: Mapping[int, Mapping[str, UnmatchedColumn]]
    failed: Mapping[int, str]
    counted: Mapping[int, int]
    cost: Cost


class Lake(Protocol):
    """A lake as the stages see it. Tables are numbered as in the inventory."""

    def inventory(self) -> Inventory:
        """All tables at their snapshots, from metadata alone."""

    def bounds(self, columns: Watched) -> RowBounds:
        """The bounds of the columns of tables that the inventory left without.

        Those found come from rows; of other tables nothing is found that is not in the inventory.
        """

    def heads(self, tables: Sequence[int]) -> Heads:
        """The first rows of each of these tables, with all columns."""

    def watch(self, columns: Watched) -> None:
        """Asks that the columns be bounded when rows of their tables are read anyway."""

    def watched(self) -> RowBounds:
        """The bounds of all watched columns; those of tables not read since are read for it."""

    def constants(self, columns: Watched) -> Constants:
        """Those of the columns that hold one value, or an index, as all their rows prove."""

    def sketches(
        self, wanted: Wanted, size: int, children: Collection[Projection] | None = None
    ) -> Sketches:
        """The `size` smallest distinct row hashes of each projection.

        Where `children` are told, those of other projections may leave out hashes that no child of
        their column set has.
        """

    def overlaps(
        self,
        wanted: Wanted,
        pairs: Sequence[tuple[Projection, Projection]],
        sample: int | None,
        least: float = 0.0,
    ) -> Overlaps:
        """For each (child, parent): how many distinct child rows the parent lacks.

        With `sample`, only that many child rows are looked up, the same in every run. Of a pair
        whose fraction is below `least`, more rows and fewer missing may be told, still below it.
        """
