"""Hive-style folders: files of one format whose folder names hold further columns."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from r2d2.errors import IneligibleTableError
from r2d2.formats.bounds import union
from r2d2.formats.layout import NULL_VALUE, Layout
from r2d2.formats.parquet import small_files
from r2d2.formats.schema import quoted
from r2d2.model import Bounds, Column, FileInfo, Split, Table
from r2d2.storage.local import Storage

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])")
_ARROW_TYPES = {"int32": pa.int32(), "int64": pa.int64(), "date": pa.date32()}
NAMES_IN_FOLDERS = "the names and number of the files in its folders"
NAMES_AND_MARKERS = "the names and number of its files, and markers beside them (_SUCCESS)"
Inspect = Callable[[Storage, str, Sequence[FileInfo]], Table]
Read = Callable[[Storage, Split, Collection[str]], Iterator[pa.RecordBatch]]
LayoutOfFile = Callable[[Storage, Table], Layout]


def partitions_of(path: str, location: str) -> tuple[tuple[str, str], ...]:
    """The (key, value) pairs of the folders between the table and the file, values as written.

    A folder without a key says nothing.
    """
    inside = path[len(location) + 1 :] if location else path
    pairs = (part.partition("=") for part in inside.split("/")[:-1] if "=" in part)
    return tuple((unquote(key), value) for key, _, value in pairs)


@dataclass(frozen=True, slots=True)
class Partition:
    """The context of a partitioned table's split: what it adds to its file's columns.

    `constants` are (key, type, value as text), `absent` the columns that the file lacks, `inner`
    the context for the file's reader.
    """

    constants: tuple[tuple[str, str, str | None], ...]
    absent: tuple[str, ...]
    inner: Any = None


def inspect(
    storage: Storage, location: str, files: Sequence[FileInfo], inspect_file: Inspect
) -> Table:
    """One table of all files; a folder's key is a column: int32, int64, date, or text.

    A key is typed only where every value is written as that type writes it, so `01` stays text.
    A column that a file lacks is NULL there.

    Raises:
        TableError: a file is unreadable, or two files disagree on a column's type.
    """
    parts = small_files.CACHE.bounded(
        storage, [inspect_file(storage, file.path, [file]) for file in files]
    )
    values = [partitions_of(file.path, location) for file in files]
    types = {key: _type([dict(pairs)[key] for pairs in values]) for key, _ in values[0]}
    columns = _united(location, parts)
    rows = [part.rows for part in parts]
    known = [count for count in rows if count is not None]
    return replace(
        parts[0],
        location=location,
        columns=(*columns, *(Column(quoted(key), kind, (key,)) for key, kind in types.items())),
        rows=sum(known) if len(known) == len(rows) else None,
        size_bytes=sum(file.size_bytes for file in files),
        files=tuple(files),
        splits=tuple(
            replace(split, context=_context(split, part, columns, pairs, types))
            for part, pairs in zip(parts, values, strict=True)
            for split in part.splits
        ),
        bounds={
            column.name: union([part.bounds.get(column.name, Bounds()) for part in parts])
            for column in columns
        },
    )


def _united(location: str, parts: Sequence[Table]) -> tuple[Column, ...]:
    columns: dict[tuple[str, ...], Column] = {}
    for part in parts:
        for column in part.columns:
            first = columns.setdefault(column.path, column)
            if first.type != column.type:
                raise IneligibleTableError(
                    f"{location}: column {column.name} is {first.type} in {parts[0].location}"
                    f" and {column.type} in {part.location}"
                )
    for part in parts:
        present = {column.path[0] for column in part.columns}
        if {c.path for c in part.columns} != {p for p in columns if p[0] in present}:
            raise IneligibleTableError(f"{location}: its files disagree on a struct's fields")
    return tuple(columns.values())


def _type(values: Sequence[str]) -> str:
    known = [unquote(value) for value in values if value != NULL_VALUE]
    if known and all(map(_WHOLE.fullmatch, known)):
        return "int32" if all(-(2**31) <= int(value) < 2**31 for value in known) else "int64"
    if known and all(map(_DATE.fullmatch, known)) and all(map(_is_date, known)):
        return "date"
    return "string"


def _is_date(text: str) -> bool:
    try:
        pa.scalar(text).cast(pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


def _context(
    split: Split,
    part: Table,
    columns: Sequence[Column],
    pairs: Sequence[tuple[str, str]],
    types: dict[str, str],
) -> Partition:
    present = {column.path[0] for column in part.columns}
    constants = tuple(
        (key, types[key], None if value == NULL_VALUE else unquote(value)) for key, value in pairs
    )
    absent = tuple(sorted({c.path[0] for c in columns} - present))
    return Partition(constants, absent, split.context)


def read(
    storage: Storage, split: Split, columns: Collection[str], read_file: Read
) -> Iterator[pa.RecordBatch]:
    """The file's batches with the folder's values, and NULL for columns it lacks."""
    context = split.context
    if not isinstance(context, Partition):
        raise TypeError(f"{split.file.path}: not a split of a partitioned table")
    added: list[tuple[str, pa.Scalar]] = [
        (key, pa.scalar(text).cast(_ARROW_TYPES.get(kind, pa.string())))
        for key, kind, text in context.constants
        if key in columns
    ]
    added += [(name, pa.scalar(None)) for name in context.absent if name in columns]
    for batch in read_file(storage, replace(split, context=context.inner), columns):
        for name, scalar in added:
            batch = batch.append_column(name, pa.repeat(scalar, batch.num_rows))
        yield batch


def layout(storage: Storage, table: Table, layout_of_file: LayoutOfFile) -> Layout:
    """The layout of the files, with the columns that are in folders' names behind their own."""
    split = table.splits[0]
    if not isinstance(split.context, Partition):
        return layout_of_file(storage, table)
    types = {key: _ARROW_TYPES.get(kind, pa.string()) for key, kind, _ in split.context.constants}
    files = replace(
        table,
        columns=tuple(column for column in table.columns if column.path[0] not in types),
        splits=(replace(split, context=split.context.inner),),
    )
    inside = layout_of_file(storage, files)
    schema = inside.schema
    for key, type_ in types.items():
        schema = schema.append(pa.field(key, type_))
    return replace(
        inside,
        schema=schema,
        file_name=_ending(inside.file_name),
        is_folder=True,
        partition_columns=tuple(types),
        not_restored=(*inside.not_restored, NAMES_IN_FOLDERS if types else NAMES_AND_MARKERS),
    )


def _ending(name: str) -> str:
    """The end of a name that shows its format: `.csv.gz` of `a.b.csv.gz`."""
    parts = name.split(".")
    count = 2 if parts[-1].lower() in ("gz", "zst") else 1
    return "." + ".".join(parts[-count:])
