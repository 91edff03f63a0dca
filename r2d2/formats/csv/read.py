"""Delimited text read: a file's head describes the table, blocks of records become batches.

Every field is text, verbatim: nothing is trimmed, typed or NULL, but for a configured marker.
Arrow's parser reads normalised text (see `fast_path`). What it was seen to get wrong never reaches
it: it drops a byte-order mark at a block's start, takes a last quote that is never closed, and
joins text to the quoted field before it.
"""

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as arrow_csv

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.formats.compression import codec_of, head, pieces
from r2d2.formats.csv.detect import Guess, detect
from r2d2.formats.csv.encoding import text_of, utf_8
from r2d2.formats.csv.fast_path import (
    TextBlock,
    after_lines,
    body,
    compacted,
    first_record,
    located,
    plain_quote,
)
from r2d2.formats.csv.records import CsvDialect, Record, line_count, records
from r2d2.formats.schema import COLUMNS, told_apart
from r2d2.model import Column, FileInfo, Format, Split, Table
from r2d2.settings.find import DOUBT, LEFT_OUT, UNUSED
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize

HEAD_BYTES = 64 << 10
WIDE_HEAD_BYTES = 16 << 20
# How much text a compressed byte usually stands for: only an estimate hangs on it.
USUAL_RATIO = 5
_BOM = "\ufeff".encode()
_LARGEST_BLOCK_BYTES = 1 << 30
_MOST_SHOWN = 80


def inspect(
    storage: Storage,
    location: str,
    file: FileInfo,
    overrides: Mapping[str, object] | None = None,
) -> Table:
    """The table of one delimited text file, from its head.

    Raises:
        UsageError: an unknown override.
        TableError: the file has no header, is no text, or has too many columns.
    """
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
    guess, first, below = found
    dialect = guess.dialect
    if len(first.fields) > COLUMNS:
        raise IneligibleTableError(
            f"{file.path}: more than {COLUMNS} columns: is {dialect.delimiter!r} the delimiter?"
            " A rule [[text]] gives another"
        )
    columns = told_apart(header_names(dialect, first))
    fields = tuple(field for _, field in columns)
    split = _split(file, CsvContext(dialect, fields), below, whole)
    return Table(
        location,
        Format.CSV,
        tuple(Column(name, "string", (field,)) for name, field in columns),
        0 if split.rows == 0 else None,
        file.size_bytes,
        (file,),
        splits=(split,),
        details={
            "dialect": dialect.describe(),
            "encoding": dialect.encoding,
            "compression": codec_of(file.path) or "none",
            **({DOUBT: guess.doubt} if guess.doubt else {}),
            **_unused(start, whole, dialect, overrides or {}),
            **_left_out(start, whole, dialect),
        },
    )


def _left_out(start: bytes, whole: bool, dialect: CsvDialect) -> dict[str, str]:
    """The lines above the header (titles, comments, a separator's), as they stand, if any."""
    if not dialect.skip_rows:
        return {}
    text = text_of(start, dialect.encoding, whole)
    lines = io.StringIO(text, newline="")
    above = [next(lines, "").rstrip("\r\n") for _ in range(dialect.skip_rows)]
    told = " ⏎ ".join(line for line in above if line)
    shown = told if len(told) <= _MOST_SHOWN else told[:_MOST_SHOWN] + "…"
    place = "header" if dialect.header else "rows"
    return {LEFT_OUT: f"{pluralize(str(len(above)), 'line')} above its {place}: {shown!r}"}


def _unused(
    start: bytes, whole: bool, dialect: CsvDialect, overrides: Mapping[str, object]
) -> dict[str, str]:
    """What of the user's rules the file's head does not have."""
    if "delimiter" not in overrides:
        return {}
    if dialect.delimiter in text_of(start, dialect.encoding, whole):
        return {}
    place = "it" if whole else f"its first {pluralize(str(len(start)), 'byte')}"
    return {UNUSED: f"delimiter {dialect.delimiter!r} does not occur in {place}"}


def _first_record(
    start: bytes, whole: bool, file: FileInfo, overrides: Mapping[str, object] | None
) -> tuple[Guess, Record, bytes] | None:
    """The dialect, the first record, and the text of the body; None where no record is whole."""
    try:
        guess = detect(start, file.path, overrides, whole)
        dialect = guess.dialect
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
    return guess, first, text[first.end if dialect.header else 0 :]


def header_names(dialect: CsvDialect, first: Record) -> tuple[str, ...]:
    """The header's names verbatim, or `col_1`, `col_2` …"""
    if dialect.header:
        return tuple(field.decode() for field in first.fields)
    return tuple(f"col_{number}" for number in range(1, len(first.fields) + 1))


@dataclass(frozen=True, slots=True)
class CsvContext:
    """A split's context: its file's dialect and its columns' fields, all different."""

    dialect: CsvDialect
    names: tuple[str, ...]


def _split(file: FileInfo, layout: CsvContext, below: bytes, whole: bool) -> Split:
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
    if not isinstance(layout, CsvContext):
        raise TypeError(f"{split.file.path}: not a split of delimited text")
    path, dialect = split.file.path, layout.dialect
    text = utf_8(pieces(storage, split.file), dialect.encoding, path)
    wanted = [name for name in layout.names if name in columns] or [layout.names[0]]
    parser = Parser(layout, wanted, path)
    for block in body(text, dialect, path):
        yield from parser.batches(block)


class Parser:
    """Turns blocks of one file into batches of the wanted columns."""

    def __init__(self, layout: CsvContext, wanted: Sequence[str], path: str) -> None:
        self._layout = layout
        self._wanted = list(wanted)
        self._path = path
        self._read = arrow_csv.ReadOptions(
            use_threads=False, block_size=_LARGEST_BLOCK_BYTES, column_names=layout.names
        )
        dialect = layout.dialect
        quote = plain_quote(dialect)
        self._parse = arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=quote or False,
            newlines_in_values=quote is not None,
        )
        marker = dialect.null_marker
        self._convert = arrow_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(self._wanted, pa.string()),
            include_columns=self._wanted,
            null_values=[] if marker is None else [marker],
            strings_can_be_null=marker is not None,
        )

    def batches(self, block: TextBlock) -> list[pa.RecordBatch]:
        """The block's rows.

        Raises:
            UnreadableTableError: a record has not as many fields as the header.
        """
        if not block.plain:
            return []
        plain = b"\n" + block.plain if block.plain.startswith(_BOM) else block.plain
        try:
            source = pa.BufferReader(plain)
            with arrow_csv.open_csv(source, self._read, self._parse, self._convert) as reader:
                return [compacted(batch) for batch in reader]
        except pa.ArrowInvalid as error:
            raise self._problem(block, error) from error

    def _problem(self, block: TextBlock, error: pa.ArrowInvalid) -> UnreadableTableError:
        """The error in the file's line numbers: Arrow counts those of the plain text."""
        width = len(self._layout.names)
        for record in records(block.text, self._layout.dialect, whole=True):
            count = len(record.fields)
            if count != width:
                reason = f"{pluralize(str(count), 'field')} where the header has {width}"
                return located(self._path, block.line, block.text, record.start, reason)
        return UnreadableTableError(f"{self._path}: line {block.line} or below: {error}")
