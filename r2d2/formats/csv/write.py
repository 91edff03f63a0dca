"""Delimited text written back in a known dialect, so that its fields are read as they were."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from r2d2.errors import NotWritableError, TableError
from r2d2.formats.compression import codec_of, head, pieces
from r2d2.formats.csv.encoding import HIGH, WINDOW_BYTES, eight_bit, text_of, utf_8
from r2d2.formats.csv.fast_path import TextBlock, after_lines, body, first_record
from r2d2.formats.csv.quoting import QuotingTally, written
from r2d2.formats.csv.read import HEAD_BYTES, WIDE_HEAD_BYTES, CsvContext, inspect
from r2d2.formats.csv.records import ASCII, CsvDialect
from r2d2.formats.errors import translated
from r2d2.formats.layout import Layout
from r2d2.model import FileInfo, Split, Table
from r2d2.storage.local import Storage

ROWS_AT_ONCE = 1 << 13


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's files, which are of one form; all of them are read.

    Raises:
        NotWritableError: the files differ in form, or readers would take a copy for other values.
    """
    heads = [_head_of(storage, split) for split in table.splits]
    first = heads[0]
    for other in heads[1:]:
        if other.form != first.form:
            raise NotWritableError(
                f"{table.location}: {other.file.path} has another header, title, mark or dialect"
                f" than {first.file.path}, and a copy would have one for all"
            )
    encodings = {encoding_of_file(storage, each.file, each.context.dialect) for each in heads}
    if len(encodings - {ASCII}) > 1:
        raise NotWritableError(f"{table.location}: its files are of several encodings")
    file, context, dialect = first.file, first.context, first.context.dialect
    tally = _tallied(storage, heads)
    quoting = tally.quoting(table.location, context.names)
    is_file = table.location == file.path
    if quoting.empty_lines and not is_file:
        raise NotWritableError(
            f"{table.location}: it has empty lines, which polars reads as rows, and a copy might"
            " have other files"
        )
    return Layout(
        table.format,
        pa.schema([(name, pa.string()) for name in context.names]),
        file.path.rpartition("/")[2],
        compression=codec_of(file.path) or "none",
        options={
            "dialect": asdict(dialect),
            "encoding": max(encodings - {ASCII}, default=ASCII),
            "above": first.above,
            **({} if first.header is None else {"header": first.header}),
            **({"first_row": list(first.first_row)} if first.first_row and is_file else {}),
            "newline": tally.newline or _line_end(first.header or ""),
            "mark": first.mark,
            "is_detected": _is_detected(storage, file, context),
            **{key: value for key, value in asdict(quoting).items() if value},
        },
        not_restored=tuple(tally.not_restored()),
    )


def _tallied(storage: Storage, heads: "Sequence[_Head]") -> QuotingTally:
    """The quoting of all files; fields are looked at only if a file has quotes."""
    first = heads[0].context
    for by_field in (False, True):
        tally = QuotingTally(first.dialect, len(first.names), by_field)
        if all(tally.add(_body(storage, each), each.file.path) for each in heads):
            break
    return tally


def _body(storage: Storage, known: "_Head") -> Iterator[TextBlock]:
    path, dialect = known.file.path, known.context.dialect
    return body(utf_8(pieces(storage, known.file), dialect.encoding, path), dialect, path)


def _line_end(header: str) -> str:
    return next((mark for mark in ("\r\n", "\n", "\r") if header.endswith(mark)), "\n")


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands above a file's rows, verbatim, and how the file is read."""

    file: FileInfo
    context: CsvContext
    above: str
    header: str | None
    mark: bool
    first_row: tuple[str, tuple[str, ...]] | None

    @property
    def form(self) -> tuple[object, ...]:
        """What all files of a table have in common."""
        dialect = replace(self.context.dialect, encoding="")
        return dialect, self.context.names, self.above, self.header, self.mark


def _head_of(storage: Storage, split: Split) -> _Head:
    context = split.context
    if not isinstance(context, CsvContext):
        raise TypeError(f"{split.file.path}: not a split of delimited text")
    dialect = context.dialect
    for length in (HEAD_BYTES, WIDE_HEAD_BYTES):
        start, whole = head(storage, split.file, length)
        text = text_of(start, dialect.encoding, whole).encode()
        begin = after_lines(text, dialect.skip_rows) or 0
        first = first_record(text[begin:], dialect, whole, split.file.path)
        if first is not None or whole:
            break
    line = text[begin : begin + first.end].decode() if first else None
    mark = start.startswith(codecs.BOM_UTF8)
    above = text[:begin].decode()
    if dialect.header or first is None or line is None:
        return _Head(split.file, context, above, line, mark, None)
    fields = tuple(field.decode() for field in first.fields)
    row = text[begin + first.start : begin + first.end].decode()
    return _Head(split.file, context, above, None, mark, (row, fields))


def encoding_of_file(storage: Storage, file: FileInfo, dialect: CsvDialect) -> str:
    """The encoding, decided at the first byte above 127 where the head holds none."""
    if dialect.encoding != ASCII:
        return dialect.encoding
    window = b""
    for piece in pieces(storage, file):
        found = HIGH.search(piece)
        if window or found:
            window += piece if window or not found else piece[found.start() :]
        if len(window) >= WINDOW_BYTES:
            return eight_bit(window[:WINDOW_BYTES], False)
    return eight_bit(window, True) if window else ASCII


def _is_detected(storage: Storage, file: FileInfo, known: CsvContext) -> bool:
    """Whether the file is read so without settings, as its copy must be then."""
    try:
        found = inspect(storage, file.path, file)
    except TableError:
        return False
    return found.splits[0].context == known


class CsvSink:
    """A file of delimited text: the lines above, the header, the records."""

    def __init__(self, layout: Layout, path: Path) -> None:
        options = layout.options
        self._dialect = CsvDialect(**options["dialect"])
        self._newline = str(options["newline"])
        self._quoted = frozenset(options.get("quoted", ()))
        self._empty_quoted = frozenset(options.get("empty_quoted", ()))
        self._empty_lines = int(options.get("empty_lines", 0))
        encoding = str(options["encoding"])
        self._file = TextFile(
            path,
            codecs.lookup("utf-8" if encoding == ASCII else encoding).name,
            layout.compression,
            bool(options["mark"]),
        )
        self._file.write(str(options["above"]))
        if "header" in options:
            header = str(options["header"])
            self._file.write(header if header[-1:] in ("\r", "\n") else header + self._newline)
        elif self._dialect.header:  # a plan of old tells the names alone
            names = options.get("names", layout.file_schema.names)
            self._write([pa.array([name], pa.string()) for name in names])

        self._first_row: Sequence[str] | None = None
        if "first_row" in options:
            line, self._first_row = options["first_row"]
            self._file.write(line if line[-1] in "\r\n" else line + self._newline)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows, but for the one that is the first already."""
        if self._first_row is not None:
            batch = self._without_first(batch, self._first_row)
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            self._write(batch.slice(start, ROWS_AT_ONCE).columns)

    def _without_first(self, batch: pa.RecordBatch, row: Sequence[str]) -> pa.RecordBatch:
        """The rows without one that is the file's first: readers take its fields for names."""
        marker = self._dialect.null_marker
        same = pa.array(np.ones(batch.num_rows, np.bool_))
        for column, value in zip(batch.columns, row, strict=True):
            text = column if marker is None else column.fill_null(marker)
            same = pc.and_(same, pc.fill_null(pc.equal(text, value), False))
        place = pc.index(same, True).as_py()
        if place < 0:
            return batch
        self._first_row = None
        return batch.take(pa.array(np.delete(np.arange(batch.num_rows), place)))

    def close(self) -> None:
        """Completes the file; empty lines, wherever they were, are its last."""
        self._file.write(self._newline * self._empty_lines)
        self._file.close()

    def _write(self, columns: Sequence[pa.Array]) -> None:
        marker = self._dialect.null_marker
        fields = []
        for place, column in enumerate(columns):
            if column.null_count and marker is None:
                raise NotWritableError("NULL, for which its dialect has no marker")
            text = column.fill_null(marker) if column.null_count else column
            # In a table of one column an empty line would be no record.
            is_empty_quoted = place in self._empty_quoted or len(columns) == 1
            fields.append(written(text, self._dialect, place in self._quoted, is_empty_quoted))
        lines = pc.binary_join_element_wise(*fields, self._dialect.delimiter)
        whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
        self._file.write(pc.binary_join(whole, self._newline)[0].as_py() + self._newline)


class TextFile:
    """Text in, encoded and compressed bytes out; `mark`: UTF-8 begins with its byte-order mark."""

    def __init__(self, path: Path, encoding: str, compression: str, mark: bool) -> None:
        self._encoding = encoding
        self._encoder = codecs.getincrementalencoder(encoding)("strict")
        with translated(NotWritableError, path.name):
            file = pa.OSFile(str(path), "wb")
            plain = compression == "none"
            self._stream = file if plain else pa.CompressedOutputStream(file, compression)
            self._file = file
            if mark:
                self._stream.write(codecs.BOM_UTF8)

    def write(self, text: str) -> None:
        """Adds the text.

        Raises:
            NotWritableError: a character that the encoding does not have; a full disk.
        """
        try:
            content = self._encoder.encode(text)
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise NotWritableError(f"{character!r} is not {self._encoding}") from error
        with translated(NotWritableError):
            self._stream.write(content)

    def close(self) -> None:
        """Completes the file."""
        with translated(NotWritableError):
            self._stream.close()
            self._file.close()
