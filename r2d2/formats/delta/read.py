"""Live data files of a Delta table: their footers, where they hold its columns, and their rows."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r2d2.arrays import array_of
from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.formats.delta.conform import conformed, has_ids, meant, positions
from r2d2.formats.delta.deletion_vectors import Deletions, deleted_rows
from r2d2.formats.delta.schema import DeltaField, constant_bounds
from r2d2.formats.errors import translated
from r2d2.formats.parquet.annotations import storage_batch, storage_schema
from r2d2.formats.parquet.footer import bounds_of, check_calendar, check_int96, may_be_julian
from r2d2.formats.parquet.read import leaf_indices
from r2d2.formats.parquet.tail import sound_file, tail_of
from r2d2.formats.schema import flatten
from r2d2.model import Bounds, Column, FileInfo, Split
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize

BATCH_ROWS = 1 << 16
_NUMBERS = ("int", "uint", "float", "decimal")
_ALL_NULL = Bounds(has_nulls=True, has_values=False, sure=True)


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file and what reading it needs beside its bytes; picklable.

    `columns` are the table's in order; `constants` are the values of its partition columns.
    `rows` counts what the file holds, deleted rows too; None where the log does not tell.
    """

    info: FileInfo
    columns: tuple[DeltaField, ...]
    constants: Mapping[str, pa.Scalar]
    rows: int | None
    deletions: Deletions | None

    @property
    def stored_columns(self) -> tuple[DeltaField, ...]:
        """The columns whose values are in the file, where it has them at all."""
        return tuple(column for column in self.columns if column.name not in self.constants)

    @property
    def live_rows(self) -> int | None:
        """The rows that are not deleted."""
        if self.rows is None or self.deletions is None:
            return self.rows
        return self.rows - self.deletions.vector.cardinality


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's live rows with the top-level columns asked for, in the table's order and types.

    Raises:
        UnreadableTableError: the file is damaged, is not as listed, or contradicts the log.
    """
    live = split.context
    if not isinstance(live, LiveFile):
        raise TypeError(f"{split.file.path}: not a split of a Delta table")
    wanted = [field for field in live.columns if field.name in columns]
    with translated(UnreadableTableError, split.file.path):
        yield from _read(storage, split, live, wanted)
        storage.read(split.file, length=0)


def _read(
    storage: Storage, split: Split, live: LiveFile, wanted: Sequence[DeltaField]
) -> Iterator[pa.RecordBatch]:
    file = pq.ParquetFile(
        storage.open(split.file),
        page_checksum_verification=True,
        pre_buffer=False,
        coerce_int96_timestamp_unit="us",
    )
    check_rows(live, file.metadata)
    deleted = deleted_rows(storage, live.deletions) if live.deletions else np.empty(0, np.int64)
    if len(deleted) and deleted[-1] >= file.metadata.num_rows:
        rows = pluralize(str(file.metadata.num_rows), "row")
        raise ValueError(f"row {deleted[-1]} is deleted, of {rows}")
    columns = [field for field in wanted if field.name not in live.constants]
    sources = stored_fields(columns, file.metadata, file.schema_arrow)
    names = frozenset(source.name for source in sources.values())
    doubtful = may_be_julian(file.metadata)
    has_extensions = not file.schema_arrow.equals(storage_schema(file.schema_arrow))
    for start, batch in _batches(file, split.row_groups, leaf_indices(file.schema_arrow, names)):
        rows = _without(storage_batch(batch) if has_extensions else batch, start, deleted)
        for source in sources.values() if doubtful else ():
            check_int96(source.name, rows.column(source.name), source.type)
        arrays = [_column(field, rows, sources.get(field.name), live) for field in wanted]
        yield pa.record_batch(arrays, schema=pa.schema([(f.name, f.type) for f in wanted]))


def _batches(
    file: pq.ParquetFile, row_groups: Sequence[int], leaves: Sequence[int]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches, each with the number of its first row in the file; a split's groups are adjacent.

    Where no column is stored in the file, its first tells how many rows there are.
    """
    groups = list(row_groups or range(file.metadata.num_row_groups))
    before = range(groups[0]) if groups else ()
    start = sum(file.metadata.row_group(group).num_rows for group in before)
    for batch in file.reader.iter_batches(
        BATCH_ROWS, row_groups=groups, column_indices=list(leaves) or [0], use_threads=False
    ):
        yield start, batch
        start += batch.num_rows


def _without(batch: pa.RecordBatch, start: int, deleted: npt.NDArray[np.int64]) -> pa.RecordBatch:
    first, last = np.searchsorted(deleted, (start, start + batch.num_rows))
    if first == last:
        return batch
    keep = np.ones(batch.num_rows, bool)
    keep[deleted[first:last] - start] = False
    return batch.filter(array_of(keep, pa.bool_()))


def _column(
    field: DeltaField, batch: pa.RecordBatch, source: pa.Field | None, live: LiveFile
) -> pa.Array:
    if field.name in live.constants:
        return pa.repeat(live.constants[field.name], batch.num_rows)
    if source is None:
        return pa.nulls(batch.num_rows, field.type)
    array = conformed(batch.column(source.name), source.type, field)
    return array if field.char_length is None else pc.utf8_rpad(array, field.char_length)


@dataclass(frozen=True, slots=True)
class FileWithFooter:
    """A live file whose rows are counted, its footer, and the bounds of the table's columns."""

    file: LiveFile
    metadata: pq.FileMetaData
    bounds: Mapping[str, Bounds]


def with_footer(storage: Storage, file: LiveFile, columns: Sequence[Column]) -> FileWithFooter:
    """The file with its footer; `columns` are the table's, flattened.

    Raises:
        TableError: the footer is damaged, or contradicts the log or the table's schema.
    """
    tail = tail_of(storage, file.info)
    with translated(UnreadableTableError, file.info.path):
        opened = sound_file(tail, file.info.size_bytes)
        metadata, schema = opened.metadata, storage_schema(opened.schema_arrow)
        check_rows(file, metadata)
        stored = stored_fields(file.stored_columns, metadata, schema)
        physical = _physical(metadata, schema)
    check_calendar(file.info, metadata)
    fields = {field.name: field for field in file.columns}
    bounds = {column.name: _bounds(column, fields, file, stored, physical) for column in columns}
    if file.deletions is not None:
        bounds = {name: _outward(known) for name, known in bounds.items()}
    return FileWithFooter(replace(file, rows=metadata.num_rows), metadata, bounds)


def check_rows(file: LiveFile, metadata: pq.FileMetaData) -> None:
    """Raises ValueError where the file and the log count rows differently."""
    if file.rows is not None and file.rows != metadata.num_rows:
        rows = pluralize(str(metadata.num_rows), "row")
        raise ValueError(f"{rows}, {file.rows} by _delta_log")
    deleted = file.deletions.vector.cardinality if file.deletions else 0
    if not 0 <= deleted <= metadata.num_rows:
        rows = pluralize(str(metadata.num_rows), "row")
        raise ValueError(f"{rows}, {deleted} deleted by _delta_log")


def _physical(
    metadata: pq.FileMetaData, schema: pa.Schema
) -> Mapping[tuple[str, ...], tuple[str, Bounds]]:
    """Type and bounds of the file's own columns by path; none where names are unclear."""
    try:
        known = bounds_of(metadata, schema)
        return {c.path: (c.type, known[c.name]) for c in flatten(schema) if c.name in known}
    except IneligibleTableError:
        return {}


def _bounds(
    column: Column,
    fields: Mapping[str, DeltaField],
    file: LiveFile,
    stored: Mapping[str, pa.Field],
    physical: Mapping[tuple[str, ...], tuple[str, Bounds]],
) -> Bounds:
    top = fields[column.path[0]]
    if top.name in file.constants:
        return constant_bounds(file.constants[top.name])
    if top.name not in stored:
        return _ALL_NULL
    source, path = stored[top.name], [stored[top.name].name]
    for part in column.path[1:]:
        top = next(child for child in top.children if child.name == part)
        (place,) = positions(source.type, [top])
        if place is None:
            return _ALL_NULL
        source = source.type.field(place)
        path.append(source.name)
    type_, known = physical.get(tuple(path), ("", Bounds()))
    comparable = type_ == column.type or all(t.startswith(_NUMBERS) for t in (type_, column.type))
    return known if comparable and top.char_length is None else Bounds()


def _outward(known: Bounds) -> Bounds:
    """The bounds when an unknown part of the rows is deleted."""
    return Bounds(
        known.min_low,
        max_high=known.max_high,
        has_nulls=None if known.has_nulls else known.has_nulls,
        has_values=None if known.has_values else known.has_values,
        sure=known.sure,
    )


def stored_fields(
    columns: Iterable[DeltaField], metadata: pq.FileMetaData, schema: pa.Schema
) -> dict[str, pa.Field]:
    """For each column that the file keeps, the file's field, with the type that it means.

    Raises:
        ValueError: a column's type does not widen to the table's, or ids are missing.
    """
    columns = list(columns)
    by_id = any(column.field_id is not None for column in columns)
    if by_id and not has_ids(schema):
        raise ValueError("no field ids, which the table's column mapping by id needs")
    leaves = [metadata.schema.column(i).physical_type for i in range(metadata.num_columns)]
    meaning = meant(schema, leaves)
    found = {}
    for column, place in zip(columns, positions(meaning, columns), strict=True):
        if place is not None:
            found[column.name] = field = meaning.field(place)
            if column.children or not field.type.equals(column.type):
                conformed(pa.nulls(0, field.type), field.type, column)
    return found
