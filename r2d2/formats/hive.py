"""Hive-style folders: files of one format whose folder names hold further columns.

The files are as their writers left them: a key may stand in them too, columns may be missing in
some, narrower or spelled otherwise. Each is read as the table's columns.
"""

import datetime
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import null_scalar, text_scalar
from r2d2.errors import IneligibleTableError, NotWritableError, UnreadableTableError
from r2d2.formats.errors import translated
from r2d2.formats.layout import NULL_VALUE, Layout, ending_of, folders_as_named
from r2d2.formats.schema import quoted
from r2d2.formats.uniform import plain_array
from r2d2.formats.united import (
    Fold,
    Place,
    arrow_type,
    fold_of,
    nested_type,
    placed,
    places_of,
    united,
    united_bounds,
    united_details,
)
from r2d2.model import Column, FileInfo, Format, Split, Table
from r2d2.storage.local import Storage

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])")
_ESCAPED_BYTE = re.compile(rb"\\x([0-9A-Fa-f]{2})")  # as DuckDB names a folder by bytes
_KEYS_WRITTEN = re.compile(r"string|bool|date|u?int\d+|float\d+|decimal.*|timestamp(tz)?")
NAMES_IN_FOLDERS = "the names and number of the files in its folders"
NAMES_AND_MARKERS = "the names and number of its files, and markers beside them (_SUCCESS)"
Inspect = Callable[[Storage, Sequence[FileInfo]], Sequence[Table]]
Read = Callable[[Storage, Split, Collection[str]], Iterator[pa.RecordBatch]]
LayoutOfFile = Callable[[Storage, Table], Layout]


def partitions_of(path: str, location: str) -> tuple[tuple[str, str], ...]:
    """The (key, value) pairs of the folders between the table and the file, values as written.

    A folder without a key says nothing.
    """
    pairs = (part.partition("=") for part in _key_folders(path, location))
    return tuple((unquote(key), value) for key, _, value in pairs)


def _key_folders(path: str, location: str) -> list[str]:
    inside = path if location in ("", ".") else path[len(location) + 1 :]
    return [part for part in inside.split("/")[:-1] if "=" in part]


@dataclass(frozen=True, slots=True)
class FolderKey:
    """A key of a file's folders: the table's column that it is, its type, and the value as written.

    `inside` is the file's own column of it, None where the folder alone tells.
    """

    name: str
    column: str
    type: str
    value: str
    inside: str | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """The context of a partitioned table's split: what it adds to its file's columns.

    `absent` are the top-level columns that the file lacks; `places` where it has all the others, ()
    where it has the table's columns as they are. `inner` is the context for the file's reader.
    """

    keys: tuple[FolderKey, ...]
    absent: tuple[str, ...]
    inner: Any = None
    places: tuple[Place, ...] = ()

    @property
    def told(self) -> dict[str, FolderKey]:
        """The keys that the folder alone tells, by their column."""
        return {key.column: key for key in self.keys if key.inside is None}


def inspect(
    storage: Storage,
    location: str,
    files: Sequence[FileInfo],
    inspect_files: Inspect,
    case_sensitive: bool = False,
) -> Table:
    """One table of all files; a folder's key is a column: int32, int64, date, or text.

    A key is typed only where every value is written as that type writes it, so `01` stays text;
    where it stands in files too, it is of their type. A column that a file lacks, or has with NULLs
    of no type, is NULL there; a narrower number is widened; names may differ in case.

    Raises:
        TableError: a file is unreadable, or two files disagree on a column's type.
    """
    parts = inspect_files(storage, files)
    values = [partitions_of(file.path, location) for file in files]
    fold = fold_of([part.columns for part in parts], case_sensitive)
    columns = united(location, parts, fold)
    keys = [
        _Key(
            key,
            _type([dict(pairs)[key] for pairs in values]),
            _inside(columns, key, fold, location),
        )
        for key in dict(values[0])
    ]
    typed = {key.inside: key.type for key in keys if key.inside is not None}
    columns = tuple(
        replace(c, type=typed[c]) if c in typed and c.type == "null" else c for c in columns
    )
    rows = [part.rows for part in parts]
    counted = [count for count in rows if count is not None]
    table = _Files(columns, {key.name: key for key in keys}, fold)
    contexts = [table.context(part, pairs) for part, pairs in zip(parts, values, strict=True)]
    told = [(part, each.places, each.told) for part, each in zip(parts, contexts, strict=True)]
    outside = [Column(quoted(key.name), key.type, (key.name,)) for key in keys if not key.inside]
    return replace(
        parts[0],
        location=location,
        columns=(*columns, *outside),
        rows=sum(counted) if len(counted) == len(rows) else None,
        size_bytes=sum(file.size_bytes for file in files),
        files=tuple(files),
        splits=tuple(
            replace(split, context=replace(context, inner=split.context))
            for part, context in zip(parts, contexts, strict=True)
            for split in part.splits
        ),
        bounds=united_bounds(columns, told),
        details=united_details(parts),
    )


def _inside(columns: Sequence[Column], key: str, fold: Fold, location: str) -> Column | None:
    """The files' column that the key is, None where no file has one."""
    found = [column for column in columns if fold(column.path[0]) == fold(key)]
    if found and len(found[0].path) > 1:
        raise IneligibleTableError(f"{location}: its key {key} is a struct in its files")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of the folders, its type by their names, and the files' column that it is."""

    name: str
    type: str
    inside: Column | None


@dataclass(frozen=True, slots=True)
class _Files:
    """The columns that the files of a table have, and the keys of its folders."""

    columns: tuple[Column, ...]
    keys: Mapping[str, _Key]
    fold: Fold
    known: dict[int, tuple[Place, ...]] = field(default_factory=dict)

    def context(self, part: Table, values: Sequence[tuple[str, str]]) -> Partition:
        """The context of a file with these values of the keys, but for its reader's own."""
        places = self.known.get(id(part.columns))
        if places is None:
            places = places_of(self.columns, part.columns, self.fold)
            self.known[id(part.columns)] = places
        keys = tuple(self._key(self.keys[key], value, places) for key, value in values)
        if not places:
            return Partition(keys, ())
        present = {self.fold(column.path[0]) for column in part.columns}
        names = dict.fromkeys(place.column.path[0] for place in places)
        absent = {name for name in names if self.fold(name) not in present}
        told = {key.column for key in keys if key.inside is None}
        return Partition(keys, tuple(sorted(absent - told)), None, places)

    def _key(self, key: _Key, value: str, places: Sequence[Place]) -> FolderKey:
        if key.inside is None:
            return FolderKey(key.name, key.name, key.type, value)
        path = key.inside.path
        type_ = next(column.type for column in self.columns if column.path == path)
        own = next((place.path for place in places if place.column.path == path), None)
        inside = (own[0] if own else None) if places else path[0]
        return FolderKey(key.name, path[0], type_, value, inside)


def _type(values: Sequence[str]) -> str:
    known = [unquote(value) for value in values if value != NULL_VALUE]
    if known and all(map(_WHOLE.fullmatch, known)):
        return "int32" if all(-(2**31) <= int(value) < 2**31 for value in known) else "int64"
    if known and all(map(_DATE.fullmatch, known)) and all(map(_is_date, known)):
        return "date"
    return "string"


def _is_date(text: str) -> bool:
    try:
        text_scalar(text).cast(pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


def read(
    storage: Storage, split: Split, columns: Collection[str], read_file: Read
) -> Iterator[pa.RecordBatch]:
    """The file's batches as the table's columns, with the folder's values.

    Raises:
        UnreadableTableError: a key that stands in the file contradicts its folder.
    """
    context = split.context
    if not isinstance(context, Partition):
        raise TypeError(f"{split.file.path}: not a split of a partitioned table")
    repeated = [key for key in context.keys if key.inside is not None]
    told = context.told
    values = {name: folder_value(key, split) for name, key in told.items()}
    added = {name: value for name, value in values.items() if name in columns}
    places = [
        place
        for place in context.places
        if place.column.path[0] in columns and place.column.path[0] not in told
    ]
    wanted = set(columns) if not context.places else {p.path[0] for p in places if p.path}
    wanted |= {key.inside for key in repeated if key.inside is not None}
    for batch in read_file(storage, replace(split, context=context.inner), wanted):
        for key in repeated:
            _check_key(key, batch.column(key.inside), split)
        if context.places:
            with translated(UnreadableTableError, split.file.path):
                batch = placed(batch, places)
        for name, scalar in added.items():
            batch = batch.append_column(name, pa.repeat(scalar, batch.num_rows))
        yield batch


def folder_value(key: FolderKey, split: Split) -> pa.Scalar:
    """The value that the folder tells, in the column's type."""
    type_ = arrow_type(key.type)
    if key.value == NULL_VALUE:
        return null_scalar(type_)
    found = _parsed(key.value, type_)
    if found is None:
        raise UnreadableTableError(
            f"{split.file.path}: its folder's {key.name}={key.value} is no {key.type}, which"
            f" column {key.column} is in other files"
        )
    return found


def _parsed(value: str, type_: pa.DataType) -> pa.Scalar | None:
    """The folder's value in the type; None where it does not write one."""
    text = unquote(value)
    try:
        if pt.is_time(type_):
            return pa.scalar(datetime.time.fromisoformat(text)).cast(type_)
        if pt.is_timestamp(type_):
            # As fine as it is written, which may be finer than the column.
            return text_scalar(text).cast(pa.timestamp("us", type_.tz))
        return text_scalar(text).cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        return None


def _check_key(key: FolderKey, array: pa.Array, split: Split) -> None:
    """Raises UnreadableTableError where the file's values are not the folder's."""
    array = plain_array(array)
    if key.value == NULL_VALUE:
        agreed = array.null_count == len(array)
    elif _is_bytes(array.type):
        raw = unquote_to_bytes(key.value)
        escaped = _ESCAPED_BYTE.sub(lambda match: bytes.fromhex(match[1].decode()), raw)
        agreed = any(_all_equal(array, pa.scalar(some, array.type)) for some in {raw, escaped})
    else:
        value = _parsed(key.value, array.type)
        agreed = not len(array) or (value is not None and _all_equal(array, value))
    if not agreed:
        raise UnreadableTableError(
            f"{split.file.path}: column {key.inside} holds other values than its folder's"
            f" {key.name}={key.value}; rewrite it with the key in one of the two"
        )


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(pt.is_binary(type_) or pt.is_large_binary(type_) or pt.is_fixed_size_binary(type_))


def _all_equal(array: pa.Array, value: pa.Scalar) -> bool:
    if array.null_count:
        return False
    same = pc.equal(array, value)
    if pt.is_floating(array.type) and value.as_py() != value.as_py():
        same = pc.is_nan(array)
    return bool(pc.all(same, min_count=0).as_py())


def layout(storage: Storage, table: Table, layout_of_file: LayoutOfFile) -> Layout:
    """The layout of the files, with the columns that only folders' names hold behind their own.

    Raises:
        NotWritableError: the files differ in what cannot be written back as one.
    """
    partitions = [at for split in table.splits if isinstance(at := split.context, Partition)]
    if not partitions:
        return layout_of_file(storage, table)
    keys = partitions[0].keys
    in_files = {key.column for some in partitions for key in some.keys if key.inside is not None}
    outside = {key.column: arrow_type(key.type) for key in keys if key.column not in in_files}
    own = tuple(column for column in table.columns if column.path[0] not in outside)
    inside = layout_of_file(storage, _as_files(replace(table, columns=own)))
    renamed = any(
        place.path not in (None, place.column.path) for some in partitions for place in some.places
    )
    schema = _schema(table, own, inside, renamed)
    for name, type_ in outside.items():
        schema = schema.append(pa.field(name, type_))
    _check_keys(table, in_files)
    not_restored = [*inside.not_restored, NAMES_IN_FOLDERS if keys else NAMES_AND_MARKERS]
    root = table.location
    told = {
        (key.column, folder): (key, split)
        for split, part in zip(table.splits, partitions, strict=True)
        for key, folder in zip(part.keys, _key_folders(split.file.path, root), strict=True)
    }
    named = {at: folder_value(*by).cast(schema.field(at[0]).type) for at, by in told.items()}
    return replace(
        inside,
        schema=schema,
        file_name=ending_of(inside.file_name),
        is_folder=True,
        partition_columns=tuple(key.column for key in keys),
        keys_in_files=tuple(key.column for key in keys if key.column in in_files),
        folders=folders_as_named(table.location, named),
        not_restored=tuple(not_restored),
    )


def _as_files(table: Table) -> Table:
    """The table as its files are read, first one that has the table's columns if there is one."""
    splits = sorted(table.splits, key=lambda split: bool(getattr(split.context, "places", ())))
    first = splits[0].file
    files = (first, *(file for file in table.files if file != first))
    inner = tuple(replace(each, context=getattr(each.context, "inner", None)) for each in splits)
    return replace(table, files=files, splits=inner)


def _schema(table: Table, own: Sequence[Column], inside: Layout, renamed: bool) -> pa.Schema:
    """The schema of the files, each column of the table's name and type.

    Raises:
        NotWritableError: there is none, or the format's writer could not be given it.
    """
    fields = []
    for name in dict.fromkeys(column.path[0] for column in own):
        place = inside.schema.get_field_index(name)
        below = [column for column in own if column.path[0] == name]
        known = pa.field(name, pa.null()) if place < 0 else inside.schema.field(place)
        fields.append(known.with_type(nested_type(known.type, below, 1)))
    schema = pa.schema(fields, inside.schema.metadata)
    columns = replace(inside, schema=schema).columns
    fits = [(c.path, c.type) for c in columns] == [(c.path, c.type) for c in own]
    is_free = inside.format in (Format.PARQUET, Format.ORC)
    changed = {f.name: f.type for f in schema} != {f.name: f.type for f in inside.schema}
    if not fits or (changed and not is_free) or (renamed and inside.format == Format.JSON):
        raise NotWritableError(
            f"{table.location}: its files differ in columns, types or spelling, and none of them"
            " shows how all of its rows are written"
        )
    return schema


def _check_keys(table: Table, in_files: Collection[str]) -> None:
    """Raises NotWritableError where a folder cannot be named so that it agrees with its file."""
    for column in table.columns:
        if column.path[0] in in_files and not _KEYS_WRITTEN.fullmatch(column.type):
            raise NotWritableError(
                f"{table.location}: its key {column.name} is {column.type}: r2d2 names no folder by"
                " one and writes it into the files, too"
            )
