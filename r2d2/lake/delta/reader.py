"""The rows of one split of a Delta table."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.lake.delta.conform import conformed, has_ids, position
from r2d2.lake.delta.deletions import deleted_rows
from r2d2.lake.delta.fields import Field
from r2d2.lake.delta.live import LiveFile
from r2d2.lake.delta.widening import meant
from r2d2.lake.footer import check_calendar
from r2d2.lake.parquet import leaf_indices
from r2d2.lake.storage import Storage
from r2d2.model import Split

BATCH_ROWS = 1 << 16


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's live rows with the top-level columns asked for, in the table's order and types.

    Raises:
        UnreadableTableError: the file is damaged, is not as listed, or contradicts the log.
    """
    live = split.context
    if not isinstance(live, LiveFile):
        raise TypeError(f"{split.file.path}: not a split of a Delta table")
    wanted = [field for field in live.columns if field.name in columns]
    try:
        yield from _read(storage, split, live, wanted)
        storage.read(split.file, length=0)
    except IneligibleTableError as error:
        raise UnreadableTableError(str(error)) from error
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise UnreadableTableError(f"{split.file.path}: {error}") from error


def _read(
    storage: Storage, split: Split, live: LiveFile, wanted: Sequence[Field]
) -> Iterator[pa.RecordBatch]:
    file = pq.ParquetFile(
        storage.open(split.file),
        page_checksum_verification=True,
        pre_buffer=False,
        coerce_int96_timestamp_unit="us",
    )
    _check(live, file)
    deleted = deleted_rows(storage, live.deletions) if live.deletions else np.empty(0, np.int64)
    if len(deleted) and deleted[-1] >= file.metadata.num_rows:
        raise ValueError(f"row {deleted[-1]} is deleted, of {file.metadata.num_rows} rows")
    stored = [field for field in wanted if field.name not in live.constants]
    leaves = [file.schema.column(index).physical_type for index in range(len(file.schema))]
    schema = meant(file.schema_arrow, leaves)
    places = {field.name: position(schema, field) for field in stored}
    sources = {name: schema.field(place) for name, place in places.items() if place is not None}
    names = frozenset(source.name for source in sources.values())
    for start, batch in _batches(file, split.row_groups, leaf_indices(schema, names)):
        rows = _without(batch, start, deleted)
        arrays = [_column(field, rows, sources.get(field.name), live) for field in wanted]
        yield pa.record_batch(arrays, schema=pa.schema([(f.name, f.type) for f in wanted]))


def _check(live: LiveFile, file: pq.ParquetFile) -> None:
    if live.rows is not None and live.rows != file.metadata.num_rows:
        raise ValueError(f"{file.metadata.num_rows} rows, {live.rows} by _delta_log")
    by_id = any(field.field_id is not None for field in live.columns)
    if by_id and not has_ids(file.schema_arrow):
        raise ValueError("no field ids, which the table's column mapping by id needs")
    check_calendar(live.info, file.metadata)


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
    return batch.filter(pa.array(keep))


def _column(
    field: Field, batch: pa.RecordBatch, source: pa.Field | None, live: LiveFile
) -> pa.Array:
    if field.name in live.constants:
        array = pa.repeat(live.constants[field.name], batch.num_rows)
    elif source is None:
        array = pa.nulls(batch.num_rows, field.type)
    else:
        array = conformed(batch.column(source.name), source.type, field)
    return array if field.char_length is None else pc.utf8_rpad(array, field.char_length)
