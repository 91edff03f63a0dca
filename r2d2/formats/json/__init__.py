"""JSON lines, or one array of objects, compressed or not: every value is text."""

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


class Json:
    """The format of JSON files."""

    name: str = Format.JSON
    endings: tuple[str, ...] = tuple(
        kind + packed for kind in (".jsonl", ".ndjson", ".json") for packed in ("", ".gz", ".zst")
    )
    marker: re.Pattern[str] | None = None
    magic: bytes = b""
    is_columnar: bool = False
    layout_options: frozenset[str] = frozenset(
        {"encoding", "mark", "is_array", "is_detected", "columns"}
    )

    def inspect(
        self,
        storage: "Storage",
        location: str,
        files: Sequence[FileInfo],
        settings: "Settings",
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        """The table of one file, all of which is read: any line may bring another key."""
        from r2d2.formats.json import read

        return read.inspect(storage, location, files[0], settings.text_overrides(location))

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """The file's objects."""
        from r2d2.formats.json import read

        return read.read(storage, split, columns)

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """The layout of the files, all of which are read."""
        from r2d2.formats.json import write

        return write.layout(storage, table)

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Writes the file, or those of a partitioned table."""
        from r2d2.formats.json.write import JsonSink
        from r2d2.formats.layout import write_files

        write_files(layout, batches, path, JsonSink)
