"""The layout of ORC tables, and files written by it."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from r2d2.errors import NotWritableError
from r2d2.formats.errors import translated
from r2d2.formats.layout import Layout
from r2d2.formats.orc.tail import COMPRESSIONS, read_tail
from r2d2.formats.orc.types import CHAR, VARCHAR
from r2d2.formats.uniform import fitted
from r2d2.model import Table
from r2d2.storage.local import Storage


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file.

    Raises:
        NotWritableError: a column is of type CHAR or VARCHAR, which pyarrow does not write.
    """
    file = table.files[0]
    tail = read_tail(storage.open(file), file)
    for number in tail.types:
        if tail.types.kind(number) in (VARCHAR, CHAR):
            raise NotWritableError(
                f"{table.location}: column {tail.types.column(number)} is of type CHAR or VARCHAR,"
                " which r2d2 cannot write back; the table must stay"
            )
    codec = COMPRESSIONS[tail.postscript.number32(2)]
    return Layout(
        table.format,
        tail.types.schema(),
        file.path.rpartition("/")[2],
        compression="zlib" if codec == "lzo" else codec,
        not_restored=("user metadata", "bloom filters"),
    )


class OrcSink:
    """An ORC file."""

    def __init__(self, layout: Layout, path: Path) -> None:
        from pyarrow import orc

        self._schema = layout.file_schema
        with translated(NotWritableError, path.name):
            self._writer = orc.ORCWriter(str(path), compression=layout.compression)
        self.write(pa.RecordBatch.from_pylist([], schema=self._schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        # pyarrow 26 writes a slice's structs as those of the whole array: a copy is no slice.
        copy = fitted(batch, self._schema).take(pa.array(np.arange(batch.num_rows)))
        with translated(NotWritableError):
            self._writer.write(pa.Table.from_batches([copy], self._schema))

    def close(self) -> None:
        """Completes the file."""
        with translated(NotWritableError):
            self._writer.close()
