"""Avro files, whose blocks are decoded by fastavro."""

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


class Avro:
    """The format of Avro files."""

    name: str = Format.AVRO
    endings: tuple[str, ...] = (".avro",)
    marker: re.Pattern[str] | None = None
    magic: bytes = b"Obj\x01"
    is_columnar: bool = False
    layout_options: frozenset[str] = frozenset({"schema"})

    def inspect(
        self,
        storage: "Storage",
        location: str,
        files: Sequence[FileInfo],
        settings: "Settings",
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        """The table of one file, from its header and, where that is cheap, its blocks' heads."""
        from r2d2.formats.avro import read

        return read.inspect(storage, location, files[0])

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """The rows of the split's blocks."""
        from r2d2.formats.avro import read

        return read.read(storage, split, columns)

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """The layout of the first file; its schema as it stands in the header."""
        from r2d2.formats.avro import write

        return write.layout(storage, table)

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Writes the file, or those of a partitioned table."""
        from r2d2.formats.avro.write import AvroSink
        from r2d2.formats.layout import write_files

        write_files(layout, batches, path, AvroSink)
