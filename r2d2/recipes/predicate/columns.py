"""A parent's columns, each encoded when the search for predicates comes to it.

They are encoded once for all children of the parent. People filter by partitions and by time first,
so most predicates are found before the other columns are encoded, or even read.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
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
    only_nulls,
    plain_type,
    ranks,
)

SMALL_PARENT_ROWS = 1 << 16
SAMPLE_ROWS = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class ColumnSource:
    """A column that is not encoded yet.

    `read` gives its values by row: those of one part of the table, or all of them for None.
    """

    path: Path
    position: int
    type: pa.DataType
    is_partition: bool
    read: Callable[[int | None], pa.ChunkedArray]


@dataclass(frozen=True, slots=True, eq=False)
class CodeMatrix:
    """The codes of a small parent, columns × rows, and each column's code of NaN.

    Each child's search looks at every column: with a thousand rows, the calls cost more than the
    rows do, so one call serves all columns.
    """

    columns: tuple[EncodedColumn, ...]
    codes: Codes
    nan: Codes

    @classmethod
    def of(cls, columns: Sequence[EncodedColumn], rows: int) -> "CodeMatrix":
        """The matrix of these columns."""
        codes = np.array([column.codes for column in columns], np.int32).reshape(-1, rows)
        nan = np.array([len(column.values) for column in columns], np.int32)
        return cls(tuple(columns), codes, nan)

    def excludable(self, required: Int64s, probed: Int64s, longest: int) -> Bools:
        """Columns × probed rows: True where a tightest atom for the required rows may exclude.

        `longest` is the longest IN. No atom excludes more, and the tightest may exclude less.
        """
        codes, others = self.codes.take(required, axis=1), self.codes.take(probed, axis=1)
        low, high = codes.min(axis=1), codes.max(axis=1)
        excluded: Bools = (others < low[:, None]) | (others > high[:, None])
        some_null, some_nan = (low == NULL) & (high > NULL), (low > NULL) & (high == self.nan)
        excluded[some_null] = False
        excluded[some_nan] = others[some_nan] < low[some_nan, None]
        may_be_listed = ~(some_null | some_nan) & self._may_have_few_values(codes, longest)
        for place in np.flatnonzero(may_be_listed):
            occurs = np.zeros(self.nan[place] + 2, np.bool_)
            occurs[codes[place]] = True
            if np.count_nonzero(occurs) <= longest:
                excluded[place] |= ~occurs[others[place]]
        return excluded

    def _may_have_few_values(self, codes: Codes, most: int) -> Bools:
        """False for columns of which the first codes alone have too many values."""
        if codes.shape[1] <= most:
            return np.ones(len(codes), np.bool_)
        first = np.sort(codes[:, : 4 * most], axis=1)
        few: Bools = np.count_nonzero(np.diff(first, axis=1), axis=1) < most
        return few


class EncodedTable:
    """The parent's columns that may take part in a predicate, and the number of its rows.

    `sizes` are the numbers of rows of the parts that can be read alone. Of a parent with at most
    `few_rows` all columns may be encoded at once.
    """

    def __init__(
        self,
        sources: Sequence[ColumnSource],
        sizes: Sequence[int],
        few_rows: int = SMALL_PARENT_ROWS,
    ) -> None:
        self.rows = sum(sizes)
        self.is_small = self.rows <= few_rows
        self._starts = np.cumsum([0, *sizes])
        self._sources = [source for source in sources if plain_type(source.type) is not None]
        self._others = [source for source in sources if plain_type(source.type) is None]
        self._arrays: dict[int, pa.ChunkedArray] = {}
        self._parts: dict[tuple[int, int], pa.ChunkedArray] = {}
        self._columns: dict[int, EncodedColumn | None] = {}

    @classmethod
    def of(
        cls,
        rows: pa.Table,
        paths: Mapping[str, Path] | None = None,
        partitions: Collection[str] = (),
    ) -> "EncodedTable":
        """The parent's rows with every column that can take part.

        `paths` leads from a column's name to the parent's field, where that is not the name alone;
        `partitions` are the names of the partition columns.
        """
        sources = [
            ColumnSource(
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
        """All columns that can take part, in the table's order."""
        return tuple(self._encoded(self._sources))

    @cached_property
    def others(self) -> tuple[EncodedColumn, ...]:
        """Structs, lists and the like, of which only is told which are NULL; none without NULL."""
        arrays = ((source, self._array(source)) for source in self._others)
        return tuple(
            only_nulls(array, source.path, source.position)
            for source, array in arrays
            if array.null_count
        )

    def plain(self, path: Path) -> pa.ChunkedArray:
        """The values of the column at the path by row, without a dictionary."""
        source = next(s for s in (*self._sources, *self._others) if s.path == path)
        array, type_ = self._array(source), plain_type(source.type) or source.type
        return array if array.type == type_ else array.cast(type_)

    def sample(self, part: int | None, rows: Int64s) -> tuple[EncodedColumn, ...]:
        """All columns in these rows of a part; of the whole for None, where all are encoded."""
        if part is None:
            return tuple(column.at(rows) for column in (*self.columns, *self.others))
        places = array_of(rows - self._starts[part], pa.int64())
        shown = []
        for source in (*self._sources, *self._others):
            array, path = self._part(source, part).take(places), source.path
            if plain_type(source.type) is None:
                shown.append(only_nulls(array, path, source.position))
            elif column := encode(array, path, source.position, source.is_partition):
                shown.append(column)
        return tuple(shown)

    @cached_property
    def matrix(self) -> CodeMatrix:
        """The codes of all columns that can take part; encodes those that are not yet."""
        return CodeMatrix.of(self.columns, self.rows)

    def has_others(self, paths: Collection[Path]) -> bool:
        """Whether there are columns besides these."""
        return any(source.path not in paths for source in self._sources)

    def stages(
        self, sufficient: Collection[int] | None = None
    ) -> Iterator[tuple[Worth, list[EncodedColumn]]]:
        """The columns lot by lot, each with the best worth that a later column may have.

        Partition columns come first, then those of time, then all others. Where `sufficient` are
        the positions of columns that may do alone, the others wait for the last lot, and before it
        comes a lot of the sufficient ones that seem to have few values.
        """
        first = [s for s in self._sources if sufficient is None or s.position in sufficient]
        partitions = [source for source in first if source.is_partition]
        times = [s for s in first if not s.is_partition and _is_time(s.type)]
        yield Worth.PARTITION, self._encoded(partitions)
        yield Worth.TIME, self._encoded(times)
        left = [source for source in first if source not in partitions + times]
        few = [] if sufficient is None else [s for s in left if self._seems_few(s)]
        yield Worth.FEW, self._encoded(few)
        seen = partitions + times + few
        yield Worth.MANY, self._encoded([s for s in self._sources if s not in seen])

    def column(self, position: int) -> EncodedColumn | None:
        """The column at this position of the table, None where it cannot take part."""
        return self._column(next(s for s in self._sources if s.position == position))

    def part_of(self, row: int) -> int:
        """The part in which the row lies."""
        return int(np.searchsorted(self._starts, row, "right")) - 1

    def within(self, part: int, rows: Int64s) -> Int64s:
        """Those of the rows, which are in order, that lie in the part."""
        start, stop = np.searchsorted(rows, self._starts[part : part + 2])
        return rows[start:stop]

    def seen_part(self, *sets: Int64s) -> int | None:
        """A part that was read already and has rows of each set, None where there is none."""
        seen = sorted({part for _, part in self._parts})
        return next((p for p in seen if all(len(self.within(p, rows)) for rows in sets)), None)

    def peek(
        self, part: int, rows: Int64s, but: Collection[int]
    ) -> Iterator[tuple[int, Codes, int]]:
        """For these rows of a part: each column's position, codes, and number of values.

        Columns at the positions `but` are left out. Codes may rank the values of these rows alone,
        and a column that is not encoded yet may turn out not to take part.
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

    def _part(self, source: ColumnSource, part: int) -> pa.ChunkedArray:
        key = source.position, part
        if key not in self._parts:
            self._parts[key] = pa.chunked_array([joined(source.read(part))])
        return self._parts[key]

    def _encoded(self, sources: Sequence[ColumnSource]) -> list[EncodedColumn]:
        columns = (self._column(source) for source in sources)
        return [column for column in columns if column is not None]

    def _column(self, source: ColumnSource) -> EncodedColumn | None:
        place = source.position
        if place not in self._columns:
            array = self._array(source)
            self._columns[place] = encode(array, source.path, place, source.is_partition)
        return self._columns[place]

    def _array(self, source: ColumnSource) -> pa.ChunkedArray:
        if source.position not in self._arrays:
            self._arrays[source.position] = source.read(None)
        return self._arrays[source.position]

    def _seems_few(self, source: ColumnSource) -> bool:
        """False where the column surely has many values."""
        return len(self._part(source, 0).slice(0, SAMPLE_ROWS).unique()) <= FEW_VALUES


def _is_time(type_: pa.DataType) -> bool:
    return bool(pt.is_temporal(plain_type(type_)))
