"""The rows of one split of a Delta table."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.conform import conformed
from r2d2.formats.delta.deletion_vectors import deleted_rows
from r2d2.formats.delta.schema import Field
from r2d2.formats.parquet.read import leaf_indices
from r2d2.lake.delta.footers import check_rows
from r2d2.lake.delta.live import LiveFile
from r2d2.lake.delta.stored import stored_fields
from r2d2.lake.instants import are_doubtful, check_instants
from r2d2.model import Split
from r2d2.report.words import pluralize
from r2d2.storage.local import Storage

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
    check_rows(live, file.metadata)
    deleted = deleted_rows(storage, live.deletions) if live.deletions else np.empty(0, np.int64)
    if len(deleted) and deleted[-1] >= file.metadata.num_rows:
        rows = pluralize(str(file.metadata.num_rows), "row")
        raise ValueError(f"row {deleted[-1]} is deleted, of {rows}")
    columns = [field for field in wanted if field.name not in live.constants]
    sources = stored_fields(columns, file.metadata, file.schema_arrow)
    names = frozenset(source.name for source in sources.values())
    doubtful = are_doubtful(file.metadata)
    for start, batch in _batches(file, split.row_groups, leaf_indices(file.schema_arrow, names)):
        rows = _without(batch, start, deleted)
        for source in sources.values() if doubtful else ():
            check_instants(source.name, rows.column(source.name), source.type)
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
    return batch.filter(pa.array(keep))


def _column(
    field: Field, batch: pa.RecordBatch, source: pa.Field | None, live: LiveFile
) -> pa.Array:
    if field.name in live.constants:
        return pa.repeat(live.constants[field.name], batch.num_rows)
    if source is None:
        return pa.nulls(batch.num_rows, field.type)
    array = conformed(batch.column(source.name), source.type, field)
    return array if field.char_length is None else pc.utf8_rpad(array, field.char_length)
