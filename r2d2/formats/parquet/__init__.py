"""Parquet files, read and written by pyarrow."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from r2d2.model import FileInfo, Format, Split, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from r2d2.formats.layout import Layout
    from r2d2.settings.find import Settings
    from r2d2.storage.local import Storage


class Parquet:
    """The format of Parquet files."""

    name: str = Format.PARQUET
    endings: tuple[str, ...] = (".parquet", ".parq", ".pq")
    marker: re.Pattern[str] | None = None
    magic: bytes = b"PAR1"
    is_columnar: bool = True
    layout_options: frozenset[str] = frozenset({"arrow_schema", "int96"})

    def inspect(
        self,
        storage: "Storage",
        location: str,
        files: Sequence[FileInfo],
        settings: "Settings",
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        """The table of one file, from its footer."""
        from r2d2.formats.parquet import read

        return read.inspect(storage, location, files[0])

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """The rows of the split's row groups."""
        from r2d2.formats.parquet import read

        return read.read(storage, split, columns)

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """The layout of the first file, with the columns that only later files have."""
        from r2d2.formats.parquet import write

        return write.layout(storage, table)

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Writes the file, or those of a partitioned table."""
        from r2d2.formats.layout import write_files
        from r2d2.formats.parquet.write import ParquetSink

        write_files(layout, batches, path, ParquetSink)
