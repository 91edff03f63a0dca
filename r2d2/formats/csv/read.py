"""Delimited text (CSV, TSV): a file's head into a table, its records into batches of text.

Every field is text, verbatim: nothing is trimmed, typed or NULL, but for a configured marker.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.formats.csv.detect import detect
from r2d2.formats.csv.dialect import Dialect
from r2d2.formats.csv.records import Record, line_count
from r2d2.formats.schema import check_names, quoted
from r2d2.lake.text.blocks import after_lines, body, first_record
from r2d2.lake.text.decode import text_of, utf_8
from r2d2.lake.text.decompress import codec_of, head, pieces
from r2d2.lake.text.parse import Layout, Parser
from r2d2.model import Column, FileInfo, Format, Split, Table
from r2d2.report.words import pluralize
from r2d2.storage.local import Storage

HEAD_BYTES = 64 << 10
WIDE_HEAD_BYTES = 16 << 20
# How much text a compressed byte usually stands for: only an estimate hangs on it.
USUAL_RATIO = 5


def inspect(
    storage: Storage,
    location: str,
    files: Sequence[FileInfo],
    overrides: Mapping[str, object] | None = None,
) -> Table:
    """The table of one delimited text file, from its head.

    Raises:
        UsageError: an unknown override.
        TableError: the file has no header, is no text, or names a column twice.
    """
    (file,) = files
    start, whole = head(storage, file, HEAD_BYTES)
    found = _first_record(start, whole, file, overrides)
    if found is None and not whole:
        start, whole = head(storage, file, WIDE_HEAD_BYTES)
        found = _first_record(start, whole, file, overrides)
    if found is None:
        what = (
            f"no record in the first {pluralize(str(len(start)), 'byte')}"
            if start
            else "an empty file"
        )
        raise UnreadableTableError(f"{file.path}: {what}: no header, no table")
    dialect, first, below = found
    names = _names(dialect, first)
    check_names(names)
    split = _split(file, Layout(dialect, names), below, whole)
    return Table(
        location,
        Format.CSV,
        tuple(Column(quoted(name), "string", (name,)) for name in names),
        0 if split.rows == 0 else None,
        file.size_bytes,
        (file,),
        splits=(split,),
        details={
            "dialect": dialect.describe(),
            "encoding": dialect.encoding,
            "compression": codec_of(file.path) or "none",
        },
    )


def _first_record(
    start: bytes, whole: bool, file: FileInfo, overrides: Mapping[str, object] | None
) -> tuple[Dialect, Record, bytes] | None:
    """The dialect, the first record, and the text of the body; None where no record is whole."""
    try:
        dialect = detect(start, file.path, overrides, whole)
        text = text_of(start, dialect.encoding, whole).encode()
    except UnreadableTableError as error:
        raise UnreadableTableError(f"{file.path}: {error}") from error
    begin = after_lines(text, dialect.skip_rows)
    if begin is None:
        return None
    text = text[begin:]
    first = first_record(text, dialect, whole, file.path)
    if first is None:
        return None
    return dialect, first, text[first.end if dialect.header else 0 :]


def _names(dialect: Dialect, first: Record) -> tuple[str, ...]:
    """The header's names verbatim, or `col_1`, `col_2` …"""
    if dialect.header:
        return tuple(field.decode() for field in first.fields)
    return tuple(f"col_{number}" for number in range(1, len(first.fields) + 1))


def _split(file: FileInfo, layout: Layout, below: bytes, whole: bool) -> Split:
    """The file as one split; its rows are estimated from the head's."""
    if whole and not below.strip(b"\r\n"):
        return Split(Format.CSV, file, rows=0, size_bytes=file.size_bytes, context=layout)
    ratio = USUAL_RATIO if codec_of(file.path) else 1
    size = len(below) if whole else file.size_bytes * ratio
    rows = max(1, line_count(below)) * size // max(1, len(below))
    return Split(Format.CSV, file, rows=rows, size_bytes=size, context=layout)


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The file's rows with the columns asked for (the first, where none is), in bounded batches.

    Raises:
        UnreadableTableError: with the line, where a record is malformed or has not as many
            fields as the header; bytes are damaged, or are not those that were listed.
    """
    layout = split.context
    if not isinstance(layout, Layout):
        raise TypeError(f"{split.file.path}: not a split of delimited text")
    path, dialect = split.file.path, layout.dialect
    text = utf_8(pieces(storage, split.file), dialect.encoding, path)
    wanted = [name for name in layout.names if name in columns] or [layout.names[0]]
    parser = Parser(layout, wanted, path)
    for block in body(text, dialect, path):
        yield from parser.batches(block)
