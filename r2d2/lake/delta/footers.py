"""What the footer of a live file adds to the log: its rows, and bounds of the live ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.formats.delta.conform import positions
from r2d2.formats.delta.schema import Field
from r2d2.formats.parquet.footer import bounds_of, check_calendar
from r2d2.formats.schema import flatten
from r2d2.lake.delta.live import LiveFile
from r2d2.lake.delta.partitions import constant_bounds
from r2d2.lake.delta.stored import stored_fields
from r2d2.lake.footer_file import sound_metadata, tail_of
from r2d2.model import Bounds, Column
from r2d2.report.words import pluralize
from r2d2.storage.local import Storage

_NUMBERS = ("int", "uint", "float", "decimal")
_ALL_NULL = Bounds(has_nulls=True, has_values=False)


@dataclass(frozen=True, slots=True)
class Footed:
    """A live file whose rows are counted, its footer, and the bounds of the table's columns."""

    file: LiveFile
    metadata: pq.FileMetaData
    bounds: Mapping[str, Bounds]


def footed(storage: Storage, file: LiveFile, columns: Sequence[Column]) -> Footed:
    """The file with its footer; `columns` are the table's, flattened.

    Raises:
        TableError: the footer is damaged, or contradicts the log or the table's schema.
    """
    tail = tail_of(storage, file.info)
    try:
        metadata = sound_metadata(tail, file.info.size_bytes)
        schema = metadata.schema.to_arrow_schema()
        check_rows(file, metadata)
        stored = stored_fields(file.stored_columns, metadata, schema)
        physical = _physical(metadata, schema)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableTableError(f"{file.info.path}: {error}") from error
    check_calendar(file.info, metadata)
    fields = {field.name: field for field in file.columns}
    bounds = {column.name: _bounds(column, fields, file, stored, physical) for column in columns}
    if file.deletions is not None:
        bounds = {name: _outward(known) for name, known in bounds.items()}
    return Footed(replace(file, rows=metadata.num_rows), metadata, bounds)


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
    fields: Mapping[str, Field],
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
    )
