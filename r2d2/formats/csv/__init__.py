"""Delimited text (CSV, TSV), compressed or not: every field is text."""

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


class Csv:
    """The format of delimited text."""

    name: str = Format.CSV
    endings: tuple[str, ...] = tuple(
        kind + packed for kind in (".csv", ".tsv") for packed in ("", ".gz", ".zst")
    )
    marker: re.Pattern[str] | None = None
    magic: bytes = b""
    is_columnar: bool = False
    layout_options: frozenset[str] = frozenset(
        {"dialect", "encoding", "above", "newline", "mark", "is_detected"}
    )

    def inspect(
        self,
        storage: "Storage",
        location: str,
        files: Sequence[FileInfo],
        settings: "Settings",
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        """The table of one file, from its head."""
        from r2d2.formats.csv import read

        return read.inspect(storage, location, files[0], settings.text_overrides(location))

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """The file's records."""
        from r2d2.formats.csv import read

        return read.read(storage, split, columns)

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """The layout of the first file: its dialect, line ends, and the lines above its header."""
        from r2d2.formats.csv import write

        return write.layout(storage, table)

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Writes the file, or those of a partitioned table."""
        from r2d2.formats.csv.write import CsvSink
        from r2d2.formats.layout import write_files

        write_files(layout, batches, path, CsvSink)
