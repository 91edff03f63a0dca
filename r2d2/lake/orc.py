"""ORC: a file's tail into a table with stripes as splits, stripes into record batches."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from r2d2.errors import TableError, UnreadableTableError
from r2d2.lake.schema import flatten
from r2d2.lake.storage import Storage
from r2d2.model import FileInfo, Format, Split, Table

BATCH_ROWS = 1 << 16


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one ORC file, from its tail.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    with _foreign_errors(file):
        reader = _open(storage.open(file))
        columns = flatten(reader.schema)
        split = Split(
            Format.ORC, file, tuple(range(reader.nstripes)), reader.nrows, file.size_bytes
        )
        return Table(
            location,
            Format.ORC,
            columns,
            reader.nrows,
            file.size_bytes,
            (file,),
            splits=(split,),
        )


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's rows with the top-level columns asked for, in batches of bounded size.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    with _foreign_errors(split.file):
        reader = _open(storage.open(split.file))
        wanted = [name for name in reader.schema.names if name in columns]
        for stripe in split.row_groups:
            batch = reader.read_stripe(stripe, wanted or reader.schema.names[:1])
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS)
    storage.read(split.file, length=0)


def _open(source: Any) -> Any:
    from pyarrow import orc

    return orc.ORCFile(source)


@contextmanager
def _foreign_errors(file: FileInfo) -> Iterator[None]:
    try:
        yield
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise UnreadableTableError(f"{file.path}: {first}") from error
