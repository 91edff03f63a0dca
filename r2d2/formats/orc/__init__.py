"""ORC files, decoded by pyarrow in processes of their own."""

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


class Orc:
    """The format of ORC files."""

    name: str = Format.ORC
    endings: tuple[str, ...] = (".orc",)
    marker: re.Pattern[str] | None = None
    magic: bytes = b"ORC"
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
        """The table of one file, from its tail."""
        from r2d2.formats.orc import read

        return read.inspect(storage, location, files[0])

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """The rows of the split's stripes, decoded by a child process."""
        from r2d2.formats.orc import sandbox

        return sandbox.read(storage, split, columns)

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """The layout of the first file."""
        from r2d2.formats.orc import tail

        return tail.layout(storage, table)

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Writes the file, or those of a partitioned table."""
        from r2d2.formats.layout import write_files
        from r2d2.formats.orc.tail import OrcSink

        write_files(layout, batches, path, OrcSink)
