"""Lists of a parent's rows: by hashes, by keys, by positions; the smallest file is kept.

Each list gives exactly the rows, or is not made. Where files are about as small, it is the one that
survives more changes of the parent: hashes, which find their rows among any others; then keys,
while no other row has one; then positions, which need the parent as it is.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from r2d2.arrays import Int64s, Positions, array_of
from r2d2.errors import R2D2Error
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import fitted
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Copies, Counted, HashList, Seen
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import (
    HashFilter,
    empty_run,
    joined,
    present_mask,
    sorted_unique,
    taken,
)
from r2d2.model import Column, Types
from r2d2.recipes.find.reading import hashed
from r2d2.recipes.grammar import Field, Residual, ResidualKind, Rows
from r2d2.recipes.grammar import Path as GrammarPath
from r2d2.recipes.run import RecipeContext, rows_in_order

Rereadable = Callable[[], Iterable[pa.RecordBatch]]
"""A table's rows, read anew at each call, of one schema."""
_ENCODING = {
    "first": "DELTA_BINARY_PACKED",
    "second": "PLAIN",
    "copies": "DELTA_BINARY_PACKED",
}
BY_HASH = {"column_encoding": _ENCODING}
ZSTD_LEVEL = 9
MOST_KEYS = 4
"""Columns of which all values of a table are held, to see whether they are a key."""
MOST_BITS_A_GAP = 32
ABOUT_BYTES = 512
"""The sizes of two small files may differ so much for their footers alone."""


class ResidualError(R2D2Error):
    """The rows of a residual cannot be written to a file."""


@dataclass(frozen=True, slots=True)
class RowList:
    """A list of a parent's rows as a file's bytes, and the recipe that reads it."""

    recipe: Rows
    rows: int
    content: bytes

    def written(self, folder: Path) -> Rows:
        """The recipe with its file in the folder."""
        residual = write_residual(self.recipe.residual, self.rows, self.content, folder)
        return replace(self.recipe, residual=residual)


def row_lists(
    context: RecipeContext, recipe: Rows, rows: Rereadable, schema: pa.Schema, listed: Counted
) -> list[RowList]:
    """Every list that gives exactly the listed rows, the one that survives most changes first.

    `rows` are the table's: the listed ones, and perhaps some that the parent lacks. The parent is
    read once, and its first rows twice.
    """
    listing = RowListing(context, recipe, rows, schema, listed)
    for batch in _fitted_rows(context, recipe, schema):
        listing.add(HashedRows(batch))
    return listing.lists()


class HashedRows:
    """A parent's rows, made as a table's, with their hashes; those of a column once for all lists.

    Threads may share it.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        (self.whole,) = row_hashes(batch, [flatten(batch.schema)], Types.STRICT)
        self._columns: dict[Column, Lanes] = {}
        self._lock = Lock()

    def of(self, column: Column) -> Lanes:
        """The hashes of the column's values."""
        with self._lock:
            if column not in self._columns:
                (self._columns[column],) = row_hashes(self.batch, [[column]], Types.STRICT)
            return self._columns[column]


class RowListing:
    """The making of a recipe's lists, while the parent's rows come in order."""

    def __init__(
        self,
        context: RecipeContext,
        recipe: Rows,
        rows: Rereadable,
        schema: pa.Schema,
        listed: Counted,
    ) -> None:
        self._recipe, self._listed = recipe, listed
        self._keys = _keys(recipe, _fitted_rows(context, recipe, schema), rows, schema, listed)
        self._snapshot = context.tables[recipe.parent].snapshot
        self._hashes, self._copies = HashList(listed), _copies(listed)
        self._positions, self._start = [np.empty(0, np.int64)], 0

    @classmethod
    def of_all(
        cls, context: RecipeContext, recipe: Rows, rows: Rereadable, schema: pa.Schema
    ) -> "RowListing":
        """The making of lists of all rows of the table."""
        (lanes,) = hashed(rows(), [flatten(schema)], Types.STRICT)
        return cls(context, recipe, rows, schema, Counted.of(lanes))

    def add(self, rows: HashedRows) -> None:
        """Takes the parent's next rows."""
        picked = self._copies.pick(rows.whole)
        self._hashes.add(rows.whole)
        self._positions.append(picked + self._start)
        self._start += rows.batch.num_rows
        self._keys = [key for key in self._keys if key.still_tells(rows, picked)]

    def lists(self) -> list[RowList]:
        """The lists, after the last row."""
        recipe, count = self._recipe, len(self._listed.first)
        found = _list(recipe, ResidualKind.HASHES, count, self._hashes.table(), BY_HASH)
        if self._copies.missing():
            return [found]
        by_key = [
            _list(replace(recipe, key=(key.path,)), ResidualKind.KEYS, *key.table())
            for key in self._keys
        ]
        by_key.sort(key=lambda each: len(each.content))
        at = replace(recipe, snapshot=self._snapshot), ResidualKind.POSITIONS
        by_position = [
            _list(*at, sum(map(len, self._positions)), table, options)
            for table, options in _position_tables(np.concatenate(self._positions), self._start)
        ]
        return [found, *by_key, *by_position]


def _list(
    recipe: Rows, kind: ResidualKind, rows: int, table: pa.Table, options: Mapping[str, Any]
) -> RowList:
    residual = replace(recipe.residual, kind=kind)
    return RowList(replace(recipe, residual=residual), rows, parquet_bytes(table, options))


def smallest(lists: Sequence[RowList]) -> RowList:
    """The first of the lists that are about as small as the smallest."""
    most = about(min(len(each.content) for each in lists))
    return next(each for each in lists if len(each.content) <= most)


def about(size_bytes: int) -> int:
    """The size up to which another is about as small."""
    return size_bytes + size_bytes // 8 + ABOUT_BYTES


def _fitted_rows(
    context: RecipeContext, recipe: Rows, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    return (fitted(batch, schema) for batch in rows_in_order(context, recipe))


def _copies(listed: Counted) -> Copies:
    columns = {"first": listed.first, "second": listed.second, "copies": listed.counts}
    return Copies(pa.table(columns))


def _position_tables(positions: Int64s, rows: int) -> Iterator[tuple[pa.Table, Mapping[str, Any]]]:
    """The positions as the gaps between them and, where these are small, as a bit for each row."""
    gaps = np.diff(positions, prepend=0).astype(np.uint32 if rows < 1 << 32 else np.uint64)
    yield pa.table({"gap": gaps}), {"column_encoding": {"gap": "BYTE_STREAM_SPLIT"}}
    if len(positions) * MOST_BITS_A_GAP > rows:
        held = np.zeros(rows, np.bool_)
        held[positions] = True
        yield pa.table({"held": held}), {}


@dataclass
class _Key:
    """A column whose values in the listed rows may be in no other row; `run` are their hashes."""

    path: GrammarPath
    column: Column
    run: Lanes
    seen: Seen = field(default_factory=Seen)
    values: list[pa.Array] = field(default_factory=list)

    def still_tells(self, rows: HashedRows, picked: Positions) -> bool:
        """Whether no other of the rows has a value of a listed row; keeps those of these."""
        lanes = rows.of(self.column)
        passing = self.filter.passing(lanes)
        held = np.zeros(len(lanes), np.bool_)
        held[passing[present_mask(taken(lanes, passing), self.run)]] = True
        held[picked] = False
        if held.any():
            return False
        new = picked[self.seen.new(taken(lanes, picked))]
        values = rows.batch.column(self.column.path[0])
        self.values.append(values.take(array_of(new, pa.int64())))
        return True

    @cached_property
    def filter(self) -> HashFilter:
        """The filter that all values of the listed rows pass."""
        return HashFilter.of([self.run])

    def table(self) -> tuple[int, pa.Table, Mapping[str, Any]]:
        """How many values there are, in order, and how to write them."""
        values = pa.chunked_array(self.values)
        values = values.take(pc.sort_indices(values)).combine_chunks()
        encoding = "DELTA_BINARY_PACKED"
        if pt.is_decimal(values.type):
            encoding = "PLAIN"
        elif not _is_number(values.type):
            encoding = "DELTA_BYTE_ARRAY"
        return len(values), pa.table({"k0": values}), {"column_encoding": {"k0": encoding}}


def _is_number(type_: pa.DataType) -> bool:
    # No engine of a view reads keys in nanoseconds from Parquet as it reads such a parent.
    is_time = pt.is_timestamp(type_) and type_.unit != "ns"
    return bool(pt.is_integer(type_) or pt.is_date(type_) or is_time)


def _may_be_key(type_: pa.DataType) -> bool:
    is_text = pt.is_string(type_) or pt.is_large_string(type_)
    return _is_number(type_) or is_text or bool(pt.is_decimal(type_))


def _keys(
    recipe: Rows,
    parent_rows: Iterator[pa.RecordBatch],
    rows: Rereadable,
    schema: pa.Schema,
    listed: Counted,
) -> list[_Key]:
    """The columns that may tell the listed rows from the others; numbers go before texts.

    Most are ruled out by the first rows of both tables.
    """
    columns = {column.path: column for column in flatten(schema)}
    keys = [
        _Key(output.source.path, columns[output.name,], empty_run())
        for output in recipe.columns
        if isinstance(output.source, Field) and len(output.source.path) == 1
        if _may_be_key(schema.field(output.name).type)
    ]
    keys.sort(key=lambda key: not _is_number(schema.field(key.column.path[0]).type))
    first = next(parent_rows, None)
    if first is None or not len(listed.first):
        return []
    lanes, *by_key = row_hashes(
        first, [tuple(columns.values()), *([key.column] for key in keys)], Types.STRICT
    )
    is_other = np.ones(first.num_rows, np.bool_)
    is_other[_copies(listed).pick(lanes)] = False
    others = {
        key.column: sorted_unique(taken(each, np.flatnonzero(is_other)))
        for key, each in zip(keys, by_key, strict=True)
    }
    runs: dict[Column, list[Lanes]] = {}
    for number, batch in enumerate(rows()):
        hashes = row_hashes(batch, [[key.column] for key in keys], Types.STRICT)
        left = []
        for key, lanes in zip(keys, hashes, strict=True):
            values = sorted_unique(lanes)
            if not present_mask(values, others[key.column]).any():
                runs.setdefault(key.column, []).append(values)
                left.append(key)
        keys = left if number else left[:MOST_KEYS]
    for key in keys:
        key.run = sorted_unique(joined(runs.get(key.column, [])))
    return keys


def parquet_bytes(rows: pa.Table, options: Mapping[str, Any] | None = None) -> bytes:
    """The rows as a Parquet file; of options that are meant for a column it lacks nothing is used.

    Raises:
        ResidualError: Parquet cannot hold them.
    """
    sink, given = pa.BufferOutputStream(), dict(options or {})
    if "column_encoding" in given:
        encodings = given["column_encoding"].items()
        known = {name: encoding for name, encoding in encodings if name in rows.column_names}
        given |= {"column_encoding": known, "use_dictionary": False}
    try:
        pq.write_table(rows, sink, compression="zstd", compression_level=ZSTD_LEVEL, **given)
    except pa.ArrowException as error:
        raise ResidualError(f"its rows cannot be written to a Parquet file: {error}") from error
    content: bytes = sink.getvalue().to_pybytes()
    return content


def write_residual(residual: Residual, rows: int, content: bytes, folder: Path) -> Residual:
    digest = hashlib.sha256(content).hexdigest()
    location = f"residuals/{digest[:32]}.parquet"
    path = folder / location
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Residual(residual.kind, location, rows, len(content), digest)
