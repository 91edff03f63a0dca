"""JSON files read: the keys make the table's columns, the objects its rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.formats.compression import codec_of, pieces
from r2d2.formats.csv.encoding import UTF_8, marked_encoding, utf_8
from r2d2.formats.csv.fast_path import compacted
from r2d2.formats.json.objects import Row, rows
from r2d2.formats.schema import COLUMNS
from r2d2.model import Column, FileInfo, Format, Split, Table
from r2d2.settings.find import dialect_fields
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize

PIECE_BYTES = 1 << 20
BATCH_ROWS = 1 << 16
# Rows times columns of a batch, so that it stays small where keys are many.
BATCH_VALUES = 1 << 20


@dataclass(frozen=True, slots=True)
class JsonContext:
    """A split's context: its file's encoding and its columns' names."""

    encoding: str
    names: tuple[str, ...]


def inspect(
    storage: Storage,
    location: str,
    file: FileInfo,
    overrides: Mapping[str, object] | None = None,
) -> Table:
    """The table of one JSON file. All of it is read, as any line may bring another key.

    Raises:
        UsageError: an unknown override.
        TableError: a line is no JSON object, or the keys make no columns.
    """
    encoding, found = _rows(storage, file, dialect_fields(overrides or {}).get("encoding"))
    names, count = _columns(found, file.path)
    split = Split(Format.JSON, file, (), count, file.size_bytes, JsonContext(encoding, names))
    return Table(
        location,
        Format.JSON,
        tuple(Column(name, "string", (name,)) for name in names),
        count,
        file.size_bytes,
        (file,),
        splits=(split,),
        details={"encoding": encoding, "compression": codec_of(file.path) or "none"},
    )


def _rows(
    storage: Storage, file: FileInfo, encoding: str | None = None
) -> tuple[str, Iterator[Row]]:
    """The encoding, as given or as its mark tells, and the rows."""
    content = pieces(storage, file, PIECE_BYTES)
    first = next(content, b"")
    encoding = encoding or marked_encoding(first) or UTF_8
    texts = utf_8(chain([first], content), encoding, file.path)
    return encoding, rows(texts, file.path, {})


def _columns(found: Iterator[Row], path: str) -> tuple[tuple[str, ...], int]:
    """The flat names in order of appearance, and the number of rows.

    A key that is only ever null is a column, unless it is an object elsewhere.
    """
    filled: dict[str, bool] = {}
    count = 0
    for row in found:
        count += 1
        if not row.keys() <= filled.keys() or not all(filled[name] for name in row):
            for name, text in row.items():
                filled[name] = filled.get(name, False) or text is not None
            if len(filled) > COLUMNS:
                raise IneligibleTableError(f"{path}: more than {COLUMNS} keys: are they data?")
    objects = {name[:end] for name in filled for end in _dots(name)}
    names = tuple(name for name, has_text in filled.items() if has_text or name not in objects)
    if not count:
        raise UnreadableTableError(f"{path}: an empty file: no keys, no table")
    if not names:
        raise IneligibleTableError(f"{path}: {pluralize(str(count), 'object')} without any key")
    return names, count


def _dots(name: str) -> Iterator[int]:
    at = name.find(".")
    while at >= 0:
        yield at
        at = name.find(".", at + 1)


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The file's objects with the columns asked for (the first, where none is), in batches.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    layout = split.context
    if not isinstance(layout, JsonContext):
        raise TypeError(f"{split.file.path}: not a split of JSON lines")
    wanted = [name for name in layout.names if name in columns] or [layout.names[0]]
    limit = max(1, min(BATCH_ROWS, BATCH_VALUES // len(wanted)))
    batch: list[Row] = []
    for row in _rows(storage, split.file, layout.encoding)[1]:
        batch.append(row)
        if len(batch) == limit:
            yield _batch(batch, wanted)
            batch = []
    if batch:
        yield _batch(batch, wanted)


def _batch(batch: Sequence[Row], wanted: Sequence[str]) -> pa.RecordBatch:
    arrays = [pa.array([row.get(name) for row in batch], pa.string()) for name in wanted]
    return compacted(pa.RecordBatch.from_arrays(arrays, names=wanted))
