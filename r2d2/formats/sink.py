"""Files that take rows in batches, and the folders of a partitioned table around them.

A folder's name holds the values that its files' rows share.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from r2d2.errors import NotWritableError
from r2d2.formats.errors import translated
from r2d2.formats.hive import NULL_VALUE
from r2d2.formats.layout import Layout

ROW_GROUP_ROWS = 1 << 20
# Many folders' files are open at once, each with a row group in memory.
FOLDER_GROUP_ROWS = 1 << 17
FILES_AT_ONCE = 128


class Sink(Protocol):
    """Takes rows of its layout's schema, in batches, until it is closed."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""

    def close(self) -> None:
        """Completes what was written."""


def write_files(
    layout: Layout,
    batches: Iterable[pa.RecordBatch],
    path: Path,
    open_file: Callable[[Layout, Path], Sink],
) -> None:
    """Writes the rows as one file, or as files in the folders of a partitioned table.

    Raises:
        NotWritableError: the format does not take the values, types or names; or there are no
            rows, so that a partitioned table would have no folders.
    """
    sink = FolderSink(layout, path, open_file) if layout.is_folder else open_file(layout, path)
    for batch in batches:
        sink.write(batch)
    sink.close()
    if not path.exists():
        raise NotWritableError("a partitioned table without rows has no folders")


class FolderSink:
    """The files of a partitioned table; a folder that is left and met again gets a further file.

    Only so many files are open at once; the one that has waited longest is closed for another.
    """

    def __init__(
        self, layout: Layout, root: Path, open_file: Callable[[Layout, Path], Sink]
    ) -> None:
        self._layout, self._root, self._open_file = layout, root, open_file
        self._open: dict[str, Sink] = {}
        self._files: dict[str, int] = {}

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows to their folders' files."""
        for folder, rows in in_folders(batch, self._layout):
            sink = self._open.pop(folder, None) or self._new(folder)
            self._open[folder] = sink
            sink.write(rows)

    def close(self) -> None:
        """Completes the files."""
        while self._open:
            self._close_one()

    def _new(self, folder: str) -> Sink:
        if len(self._open) >= FILES_AT_ONCE:
            self._close_one()
        number = self._files[folder] = self._files.get(folder, -1) + 1
        path = self._root / folder / f"part-{number:05}{self._layout.file_name}"
        with translated(NotWritableError, path.name):
            path.parent.mkdir(parents=True, exist_ok=True)
        return self._open_file(self._layout, path)

    def _close_one(self) -> None:
        self._open.pop(next(iter(self._open))).close()


def in_folders(batch: pa.RecordBatch, layout: Layout) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The rows of each folder, without the columns that its name holds."""
    parts = [_parts(name, batch.column(name)) for name in layout.partition_columns]
    folders = pc.binary_join_element_wise(*parts, "/").dictionary_encode()
    inside = batch.select(layout.file_schema.names)
    for number, folder in enumerate(folders.dictionary.to_pylist()):
        yield folder, inside.filter(pc.equal(folders.indices, number))


def _parts(key: str, column: pa.Array) -> pa.Array:
    """Each value's `key=value`."""
    encoded = column.dictionary_encode(null_encoding="encode")
    names = [f"{quote(key, safe='')}={_text(value)}" for value in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def _text(value: object) -> str:
    if value is None:
        return NULL_VALUE
    text = quote(str(value), safe="")
    # Its first character escaped, it is a text and not NULL.
    return "%5F" + text[1:] if text == NULL_VALUE else text
