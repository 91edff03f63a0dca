"""Where batches go: one file of each format, behind one small interface."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.formats.layout import Layout, NotWritableError
from r2d2.formats.uniform import fitted
from r2d2.model import Format

ROW_GROUP_ROWS = 1 << 20
# Many folders' files are open at once, each with a row group in memory.
FOLDER_GROUP_ROWS = 1 << 17


class Sink(Protocol):
    """Takes rows of its layout's schema, in batches, until it is closed."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""

    def close(self) -> None:
        """Completes what was written."""


def file_sink(layout: Layout, path: Path) -> Sink:
    """A new file of the layout's format.

    Raises:
        NotWritableError: r2d2 writes no files of this format, or not with this compression.
    """
    if layout.format is Format.PARQUET:
        return ParquetSink(layout, path)
    if layout.format is Format.ORC:
        return OrcSink(layout, path)
    if layout.format is Format.AVRO:
        from r2d2.formats.avro.write import AvroSink

        return AvroSink(layout, path)
    if layout.format is Format.CSV:
        from r2d2.rebuild.sink_csv import CsvSink

        return CsvSink(layout, path)
    if layout.format is Format.JSON:
        from r2d2.rebuild.sink_json import JsonSink

        return JsonSink(layout, path)
    raise NotWritableError(f"r2d2 writes no {layout.format.value} files")


class ParquetSink:
    """A Parquet file; batches are gathered into row groups of a usual size."""

    def __init__(self, layout: Layout, path: Path) -> None:
        self._schema = layout.file_schema
        self._most_rows = FOLDER_GROUP_ROWS if layout.is_folder else ROW_GROUP_ROWS
        self._rows = 0
        self._held: list[pa.RecordBatch] = []
        with refused(path):
            self._writer = pq.ParquetWriter(
                str(path),
                self._schema,
                compression=layout.compression,
                store_schema=bool(layout.options["arrow_schema"]),
                use_deprecated_int96_timestamps=bool(layout.options["int96"]),
                write_page_checksum=True,
            )

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        self._held.append(fitted(batch, self._schema))
        self._rows += batch.num_rows
        if self._rows >= self._most_rows:
            self._flush()

    def close(self) -> None:
        """Completes the file."""
        self._flush()
        with refused():
            self._writer.close()

    def _flush(self) -> None:
        with refused():
            if self._rows:
                table = pa.Table.from_batches(self._held, self._schema)
                self._writer.write_table(table, row_group_size=self._most_rows)
        self._held, self._rows = [], 0


class OrcSink:
    """An ORC file."""

    def __init__(self, layout: Layout, path: Path) -> None:
        from pyarrow import orc

        self._schema = layout.file_schema
        with refused(path):
            self._writer = orc.ORCWriter(str(path), compression=layout.compression)
        self.write(pa.RecordBatch.from_pylist([], schema=self._schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        # pyarrow 26 writes a slice's structs as those of the whole array: a copy is no slice.
        copy = fitted(batch, self._schema).take(pa.array(np.arange(batch.num_rows)))
        with refused():
            self._writer.write(pa.Table.from_batches([copy], self._schema))

    def close(self) -> None:
        """Completes the file."""
        with refused():
            self._writer.close()


@contextmanager
def refused(path: Path | None = None) -> Iterator[None]:
    """Makes a writer's refusal ours.

    Raises:
        NotWritableError: values, types, names or the disk's own refusal.
    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise NotWritableError(f"{path.name}: {first}" if path else first) from error
