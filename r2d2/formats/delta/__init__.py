"""Delta tables without a JVM: the log replayed byte by byte, the data files by pyarrow.

The log's meaning is that of PROTOCOL.md of delta-io/delta. What this package does not know for
certain (a feature, an action's shape, a type) makes the table unreadable or ineligible.
"""

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


class Delta:
    """The format of Delta tables."""

    name: str = Format.DELTA
    endings: tuple[str, ...] = ()
    marker: re.Pattern[str] | None = re.compile("/_delta_log/")
    magic: bytes = b""
    is_columnar: bool = True
    layout_options: frozenset[str] = frozenset()

    def inspect(
        self,
        storage: "Storage",
        location: str,
        files: Sequence[FileInfo],
        settings: "Settings",
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        """The table's newest version, from its log and the footers of its live files."""
        from r2d2.formats.delta import table

        return table.inspect(storage, location, files, lake)

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """The live rows of one data file."""
        from r2d2.formats.delta import read

        return read.read(storage, split, columns)

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """The layout of the snapshot that the table was read at."""
        from r2d2.formats.delta import write

        return write.layout(table)

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Writes the rows as version 0 of a table in the folder."""
        from r2d2.formats.delta.write import write_delta

        write_delta(layout, batches, path)
