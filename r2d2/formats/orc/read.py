"""ORC files read: the tail describes the table, its stripes are the splits."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa

from r2d2.errors import TableError, UnreadableTableError
from r2d2.formats.errors import translated
from r2d2.formats.orc.checks import (
    check_dates,
    check_keys,
    check_size,
    check_timestamps,
    check_types,
)
from r2d2.formats.orc.tail import Stripe, Tail, read_tail
from r2d2.formats.schema import flatten
from r2d2.model import FileInfo, Format, Split, Table
from r2d2.storage.local import Storage
from r2d2.text_tables import by_number, pluralize

SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1 << 16
BATCH_BYTES = 32 << 20
# Up to here a stripe is read at once, which is a split; a larger one is streamed with its file.
STRIPE_BYTES = 128 << 20
STRIPE_VALUES = 1 << 24


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one ORC file, from its tail.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    with translated(UnreadableTableError, file.path, TableError):
        source = storage.open(file)
        tail = read_tail(source, file)
        check_size(tail, file)
        check_types(tail)
        schema = tail.types.schema()
        columns = flatten(schema)
        check_dates(tail)
        check_timestamps(tail, source)
        return Table(
            location,
            Format.ORC,
            columns,
            tail.rows,
            file.size_bytes,
            (file,),
            splits=tuple(_splits(tail, file, schema)),
        )


def _splits(tail: Tail, file: FileInfo, schema: pa.Schema) -> Iterator[Split]:
    # A stream takes a column `a.b` for the field of a struct `a`, and gives NULLs.
    dotted = any("." in name for name in schema.names)
    if not dotted and not all(_is_small(stripe, len(tail.types)) for stripe in tail.stripes):
        yield Split(Format.ORC, file, (), tail.rows, file.size_bytes)
        return
    numbers: list[int] = []
    rows = size = 0
    for number, stripe in enumerate(tail.stripes):
        numbers.append(number)
        rows, size = rows + stripe.rows, size + stripe.size_bytes
        if size >= SPLIT_BYTES or number == len(tail.stripes) - 1:
            yield Split(Format.ORC, file, tuple(numbers), rows, size)
            numbers, rows, size = [], 0, 0


def _is_small(stripe: Stripe, types: int) -> bool:
    """Whether the stripe, of so many types, may be read at once."""
    return stripe.rows * types <= STRIPE_VALUES and stripe.size_bytes <= STRIPE_BYTES


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The rows with the columns asked for (the first, where none is), in bounded batches.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    rows = 0
    with translated(UnreadableTableError, split.file.path, TableError):
        source = storage.open(split.file)
        tail = read_tail(source, split.file)
        schema = tail.types.schema()
        check_keys(tail, source)
        wanted = [field for field in schema if field.name in columns] or [schema.field(0)]
        for batch in _batches(source, split, [field.name for field in wanted]):
            rows += batch.num_rows
            arrays = [batch.column(field.name).cast(field.type) for field in wanted]
            yield from _bounded(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(wanted)))
        if rows != split.rows:
            raise UnreadableTableError(
                f"{pluralize(str(rows), 'row')} {by_number(rows, 'was', 'were')} read where"
                f" {split.rows} {by_number(str(split.rows), 'is', 'are')} declared"
            )
    storage.read(split.file, length=0)


def _batches(source: Any, split: Split, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The stripes of the split, or the file's rows as a stream where it is not divided."""
    if not split.row_groups:
        from pyarrow import dataset

        fragment = dataset.OrcFileFormat().make_fragment(source)
        yield from fragment.to_batches(
            columns=names, batch_size=BATCH_ROWS, batch_readahead=1, use_threads=False
        )
        return
    from pyarrow import orc

    reader = orc.ORCFile(source)
    # Here, too, a name with a dot would be taken for a struct's field: all are read instead.
    asked = None if any("." in name for name in names) else names
    for number in split.row_groups:
        yield reader.read_stripe(number, asked)


def _bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in parts of few enough rows and bytes."""
    fitting = BATCH_BYTES * batch.num_rows // max(1, batch.nbytes)
    most_rows = max(1, min(BATCH_ROWS, fitting))
    for start in range(0, batch.num_rows, most_rows):
        yield batch.slice(start, most_rows)
