"""A table's form without its rows, all that is needed to write it back, and the writing by it.

Rows come back equal, files need not: row order, row groups, encodings of pages, the division into
files and a format's history are not kept. What a reader would miss is in `not_restored`.

A format's sink takes the rows of one file; a partitioned table has such files in the folders of
its keys' values.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from r2d2.errors import NotWritableError
from r2d2.formats.errors import translated
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import plain_schema
from r2d2.model import Column

NULL_VALUE = "__HIVE_DEFAULT_PARTITION__"
ROW_GROUP_ROWS = 1 << 20
# Many folders' files are open at once, each with a row group in memory.
FOLDER_GROUP_ROWS = 1 << 17
FILES_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's form without its rows.

    `schema` is that of the files with the partition columns behind it, as Arrow writes it;
    a partition column's type is the one that r2d2 reads its folders as. `file_name` is a
    single-file table's name, and in a folder what its files' names end with. `keys_in_files` are
    the partition columns that stand in the files too. `folders` are the names of the keys' folders
    that r2d2 would give another name by itself, by that name: `k=True` was called `k=true`.
    `compression` is by the format's name for it. `options` are the format's.
    """

    format: str
    schema: pa.Schema
    file_name: str
    is_folder: bool = False
    partition_columns: tuple[str, ...] = ()
    compression: str = "none"
    options: Mapping[str, Any] = field(default_factory=dict)
    not_restored: tuple[str, ...] = ()
    keys_in_files: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows_schema(self) -> pa.Schema:
        """The schema of the rows to be written, without dictionaries."""
        return plain_schema(self.schema)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns as the table is read: `options["types"]` are those that Arrow's do not show.

        Raises:
            IneligibleTableError: a type has no row identity.
        """
        types = self.options.get("types", {})
        found = flatten(self.rows_schema)
        return tuple(replace(c, type=types.get(c.name, c.type)) for c in found) if types else found

    @property
    def file_schema(self) -> pa.Schema:
        """The schema within each file."""
        outside = set(self.partition_columns) - set(self.keys_in_files)
        inside = [field for field in self.schema if field.name not in outside]
        return pa.schema(inside, self.schema.metadata)

    @property
    def has_renamed_keys(self) -> bool:
        """Whether a key of its folders is spelled otherwise than its column in the files."""
        pairs = (
            (plain.partition("="), name.partition("=")) for plain, name in self.folders.items()
        )
        return any(unquote(plain[0]) != unquote(name[0]) for plain, name in pairs)

    @property
    def text_overrides(self) -> dict[str, object]:
        """The text settings under which its rows are read as they were; none if detected so."""
        if self.options.get("is_detected", True):
            return {}
        known = {**self.options.get("dialect", {}), "encoding": self.options["encoding"]}
        none = {key: "" for key in ("quote", "escape") if key in known and known[key] is None}
        return {key: value for key, value in (known | none).items() if value is not None}

    def data(self) -> dict[str, Any]:
        """The layout as plain JSON data."""
        keys: dict[str, Any] = {}
        if self.keys_in_files:
            keys["keys_in_files"] = list(self.keys_in_files)
        if self.folders:
            keys["folders"] = dict(sorted(self.folders.items()))
        return {
            "format": str(self.format),
            "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
            "file_name": self.file_name,
            "is_folder": self.is_folder,
            "partition_columns": list(self.partition_columns),
            "compression": self.compression,
            "options": dict(self.options),
            "not_restored": list(self.not_restored),
            **keys,
        }


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
        raise NotWritableError("a folder of files cannot be written without rows")


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
    """The rows of each folder, without the columns that only its name holds."""
    if not layout.partition_columns:
        yield "", batch
        return
    parts = [_parts(name, batch.column(name), layout.folders) for name in layout.partition_columns]
    folders = pc.binary_join_element_wise(*parts, "/").dictionary_encode()
    inside = batch.select(layout.file_schema.names)
    for number, folder in enumerate(folders.dictionary.to_pylist()):
        yield folder, inside.filter(pc.equal(folders.indices, number))


def _parts(key: str, column: pa.Array, folders: Mapping[str, str]) -> pa.Array:
    """The folder of each value."""
    encoded = column.dictionary_encode(null_encoding="encode")
    plain = [_part(key, value) for value in encoded.dictionary.to_pylist()]
    names = [folders.get(name, name) for name in plain]
    return pa.array(names, pa.string()).take(encoded.indices)


def folders_as_named(location: str, named: Mapping[tuple[str, str], pa.Scalar]) -> dict[str, str]:
    """The folders of a table's values, by what r2d2 calls them itself where that is another name.

    `named` has the value of each key's column and folder.

    Raises:
        NotWritableError: two folders are of one value.
    """
    found: dict[str, str] = {}
    for (column, folder), value in named.items():
        plain = _part(column, value.as_py())
        if found.setdefault(plain, folder) != folder:
            raise NotWritableError(
                f"{location}: its folders {found[plain]} and {folder} are of one value of {column}:"
                " a reader that looks for one of the names would miss rows that come back in the"
                " other; move the files into one folder"
            )
    return {plain: folder for plain, folder in found.items() if plain != folder}


def is_key_folder(name: str) -> bool:
    """Whether the name can be that of one folder of a key's value, and of nothing else."""
    return name.find("=") > 0 and not set(name) & {"/", "\0"}


def _part(key: str, value: object) -> str:
    """`key=value` as r2d2 writes it."""
    return f"{quote(key, safe='')}={_text(value)}"


def _text(value: object) -> str:
    if value is None:
        return NULL_VALUE
    text = quote(str(value), safe="")
    # Its first character escaped, it is a text and not NULL.
    return "%5F" + text[1:] if text == NULL_VALUE else text


def ending_of(name: str) -> str:
    """The end of a name that shows its format: `.csv.gz` of `a.b.csv.gz`."""
    parts = name.split(".")
    count = 2 if parts[-1].lower() in ("gz", "zst") else 1
    return "." + ".".join(parts[-count:])
