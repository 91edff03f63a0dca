"""A parent's columns, encoded one by one when the search for predicates comes to them.

Made once for a parent and used for all of its children. People filter by partitions and by time
first, so most predicates are found before the other columns are looked at, or even read.

The ranks of all columns of a small parent as one matrix, so that a question is a few calls.

Whoever looks for what excludes rows asks about every column and every child; on a thousand rows
the calls would cost more than the rows.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from r2d2.arrays import Bools, Int64s, array_of
from r2d2.recipes.grammar import Path
from r2d2.recipes.predicate.encode import (
    FEW_VALUES,
    NULL,
    Codes,
    EncodedColumn,
    Worth,
    encode,
    joined,
    plain_type,
    ranks,
)

FEW_ROWS = 1 << 16
SAMPLE_ROWS = 1 << 14
Stage: TypeAlias = tuple[Worth, list[EncodedColumn]]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A column that was not looked at yet.

    `read` gives its values by row: of one of the parts in which the rows come, or of all of them.
    """

    path: Path
    position: int
    type: pa.DataType
    is_partition: bool
    read: Callable[[int | None], pa.ChunkedArray]


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """`codes` are columns × rows; `nan` is each column's rank of NaN."""

    columns: tuple[EncodedColumn, ...]
    codes: npt.NDArray[np.int32]
    nan: npt.NDArray[np.int32]

    @classmethod
    def of(cls, columns: Sequence[EncodedColumn], rows: int) -> "Matrix":
        """The matrix of these columns."""
        codes = np.array([column.codes for column in columns], np.int32).reshape(-1, rows)
        nan = np.array([len(column.values) for column in columns], np.int32)
        return cls(tuple(columns), codes, nan)

    def excluding(self, kept: Int64s, asked: Int64s, most: int) -> Bools:
        """Columns × asked rows: what an atom that holds for all kept rows may exclude.

        `most` is the longest IN. No atom excludes more, and some may exclude less.
        """
        own, others = self.codes.take(kept, axis=1), self.codes.take(asked, axis=1)
        low, high = own.min(axis=1), own.max(axis=1)
        excluded: Bools = (others < low[:, None]) | (others > high[:, None])
        some_null, some_nan = (low == NULL) & (high > NULL), (low > NULL) & (high == self.nan)
        excluded[some_null] = False
        excluded[some_nan] = others[some_nan] == NULL
        listed = ~(some_null | some_nan) & self._few(own, most)
        for place in np.flatnonzero(listed):
            occurs = np.zeros(self.nan[place] + 2, np.bool_)
            occurs[own[place]] = True
            if np.count_nonzero(occurs) <= most:
                excluded[place] |= ~occurs[others[place]]
        return excluded

    def _few(self, own: npt.NDArray[np.int32], most: int) -> Bools:
        """False for columns of which some kept rows show that there are too many values."""
        if own.shape[1] <= most:
            return np.ones(len(own), np.bool_)
        some = np.sort(own[:, : 4 * most], axis=1)
        few: Bools = np.count_nonzero(np.diff(some, axis=1), axis=1) < most
        return few


class Encoded:
    """The parent's columns that may take part in a predicate, and the number of its rows.

    `sizes` are the numbers of rows of the parts that can be read alone. Of a small parent all
    columns may well be encoded at once.
    """

    def __init__(
        self, sources: Sequence[Source], sizes: Sequence[int], few_rows: int = FEW_ROWS
    ) -> None:
        self.rows = sum(sizes)
        self.is_small = self.rows <= few_rows
        self._starts = np.cumsum([0, *sizes])
        self._sources = [source for source in sources if plain_type(source.type) is not None]
        self._arrays: dict[int, pa.ChunkedArray] = {}
        self._parts: dict[tuple[int, int], pa.ChunkedArray] = {}
        self._columns: dict[int, EncodedColumn | None] = {}

    @classmethod
    def of(
        cls,
        rows: pa.Table,
        paths: Mapping[str, Path] | None = None,
        partitions: Collection[str] = (),
    ) -> "Encoded":
        """The parent's rows with every column that can take part.

        `paths` leads from the table's column names into the parent's fields, where a name is not
        itself the way; `partitions` are names of columns by which the parent is laid out.
        """
        sources = [
            Source(
                (paths or {}).get(name, (name,)),
                position,
                rows.schema.types[position],
                name in partitions,
                lambda _, position=position: rows.column(position),  # type: ignore[misc]
            )
            for position, name in enumerate(rows.column_names)
        ]
        return cls(sources, [rows.num_rows])

    @property
    def columns(self) -> tuple[EncodedColumn, ...]:
        """All of them, in the table's order."""
        return tuple(self._encoded(self._sources))

    @cached_property
    def matrix(self) -> Matrix:
        """All of them, each of which is encoded."""
        return Matrix.of(self.columns, self.rows)

    def has_others(self, paths: Collection[Path]) -> bool:
        """Whether it has columns besides these."""
        return any(source.path not in paths for source in self._sources)

    def stages(self, lone: Collection[int] | None = None) -> Iterator[Stage]:
        """The columns, best first, each lot with the least worth of any column after it.

        First come those laid out by, then those of time, then all others. Where `lone` are the
        places of columns that may do alone, the others wait until the end, and before the last
        lot comes one of those that seem to have few values.
        """
        first = [s for s in self._sources if lone is None or s.position in lone]
        partitions = [source for source in first if source.is_partition]
        times = [s for s in first if not s.is_partition and _is_time(s.type)]
        yield Worth.PARTITION, self._encoded(partitions)
        yield Worth.TIME, self._encoded(times)
        left = [source for source in first if source not in partitions + times]
        few = [] if lone is None else [source for source in left if self._seems_few(source)]
        yield Worth.FEW, self._encoded(few)
        seen = partitions + times + few
        yield Worth.MANY, self._encoded([s for s in self._sources if s not in seen])

    def column(self, position: int) -> EncodedColumn | None:
        """The column at this place of the table, None where it cannot take part."""
        return self._column(next(s for s in self._sources if s.position == position))

    def part_of(self, row: int) -> int:
        """The part in which the row lies."""
        return int(np.searchsorted(self._starts, row, "right")) - 1

    def within(self, part: int, rows: Int64s) -> Int64s:
        """Those of the rows, given in order, that lie in the part."""
        start, stop = np.searchsorted(rows, self._starts[part : part + 2])
        return rows[start:stop]

    def seen_part(self, *sets: Int64s) -> int | None:
        """A part that was read already and has rows of each set, None where there is none."""
        seen = sorted({part for _, part in self._parts})
        return next((p for p in seen if all(len(self.within(p, rows)) for rows in sets)), None)

    def peek(
        self, part: int, rows: Int64s, but: Collection[int]
    ) -> Iterator[tuple[int, Codes, int]]:
        """For these rows of a part: each column's place, ranks, and how many values.

        Left out are the columns at some places. Ranks may be those among these rows; a column may
        turn out not to take part after all.
        """
        start = int(self._starts[part])
        for source in self._sources:
            place = source.position
            if place in but:
                continue
            column = self._column(source) if self.is_small else self._columns.get(place)
            if column is not None:
                yield place, column.codes[rows], len(column.values)
            elif place not in self._columns:
                array = self._part(source, part).take(array_of(rows - start, pa.int64()))
                values, codes = ranks(array.cast(plain_type(source.type)))
                yield place, codes, len(values)

    def _part(self, source: Source, part: int) -> pa.ChunkedArray:
        key = source.position, part
        if key not in self._parts:
            self._parts[key] = pa.chunked_array([joined(source.read(part))])
        return self._parts[key]

    def _encoded(self, sources: Sequence[Source]) -> list[EncodedColumn]:
        found = (self._column(source) for source in sources)
        return [column for column in found if column is not None]

    def _column(self, source: Source) -> EncodedColumn | None:
        place = source.position
        if place not in self._columns:
            array = self._array(source)
            self._columns[place] = encode(array, source.path, place, source.is_partition)
        return self._columns[place]

    def _array(self, source: Source) -> pa.ChunkedArray:
        if source.position not in self._arrays:
            self._arrays[source.position] = source.read(None)
        return self._arrays[source.position]

    def _seems_few(self, source: Source) -> bool:
        """False where the column surely has many values."""
        return len(self._part(source, 0).slice(0, SAMPLE_ROWS).unique()) <= FEW_VALUES


def _is_time(type_: pa.DataType) -> bool:
    return bool(pt.is_temporal(plain_type(type_)))
