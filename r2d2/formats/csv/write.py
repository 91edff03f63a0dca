"""Delimited text written back in a known dialect, so that its fields are read as they were."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from r2d2.errors import NotWritableError, TableError
from r2d2.formats.compression import codec_of, head, pieces
from r2d2.formats.csv.dialect import ASCII, CsvDialect
from r2d2.formats.csv.encoding import HIGH, WINDOW_BYTES, eight_bit, text_of
from r2d2.formats.csv.fast_path import after_lines, first_record
from r2d2.formats.csv.read import HEAD_BYTES, CsvContext, header_names, inspect
from r2d2.formats.errors import translated
from r2d2.formats.layout import Layout
from r2d2.model import FileInfo, Table
from r2d2.storage.local import Storage

ROWS_AT_ONCE = 1 << 13


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file."""
    file, context = table.files[0], table.splits[0].context
    if not isinstance(context, CsvContext):
        raise TypeError(f"{table.location}: not a table of delimited text")
    return Layout(
        table.format,
        pa.schema([(name, pa.string()) for name in context.names]),
        file.path.rpartition("/")[2],
        compression=codec_of(file.path) or "none",
        options=_options(storage, file, context),
    )


def _options(storage: Storage, file: FileInfo, known: CsvContext) -> dict[str, Any]:
    dialect = known.dialect
    start, whole = head(storage, file, HEAD_BYTES)
    text = text_of(start, dialect.encoding, whole).encode()
    begin = after_lines(text, dialect.skip_rows) or 0
    first = first_record(text[begin:], dialect, whole, file.path)
    names = header_names(dialect, first) if first else known.names
    return {
        **({} if names == known.names else {"names": list(names)}),
        "dialect": asdict(dialect),
        "encoding": encoding_of_file(storage, file, dialect),
        "above": text[:begin].decode(),
        "newline": _line_end(text[begin:], first.end if first else 0),
        "mark": start.startswith(codecs.BOM_UTF8),
        "is_detected": _is_detected(storage, file, known),
    }


def _line_end(text: bytes, end: int) -> str:
    record = text[:end]
    return next((mark for mark in ("\r\n", "\n", "\r") if record.endswith(mark.encode())), "\n")


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
        encoding = str(options["encoding"])
        self._file = TextFile(
            path,
            codecs.lookup("utf-8" if encoding == ASCII else encoding).name,
            layout.compression,
            bool(options["mark"]),
        )
        self._file.write(str(options["above"]))
        if self._dialect.header:
            names = options.get("names", layout.file_schema.names)
            self._write([pa.array([name], pa.string()) for name in names])

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            self._write(batch.slice(start, ROWS_AT_ONCE).columns)

    def close(self) -> None:
        """Completes the file."""
        self._file.close()

    def _write(self, columns: Sequence[pa.Array]) -> None:
        marker = self._dialect.null_marker
        fields = []
        for column in columns:
            if column.null_count and marker is None:
                raise NotWritableError("NULL, for which its dialect has no marker")
            text = column.fill_null(marker) if column.null_count else column
            fields.append(written(text, self._dialect, is_alone=len(columns) == 1))
        lines = pc.binary_join_element_wise(*fields, self._dialect.delimiter)
        whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
        self._file.write(pc.binary_join(whole, self._newline)[0].as_py() + self._newline)


def written(text: pa.Array, dialect: CsvDialect, is_alone: bool = False) -> pa.Array:
    """Each text as a field: quoted or escaped where the bare text would be read otherwise.

    `is_alone`: in a table of one column an empty line would be no record.

    Raises:
        NotWritableError: the dialect has neither quote nor escape, and a text needs one.
    """
    ordinary = dialect.delimiter + "\r\n"
    special = ordinary + (dialect.quote or "") + (dialect.escape or "")
    wanting = pc.match_substring_regex(text, "[" + re.escape(special) + "]")
    if is_alone:
        wanting = pc.or_(wanting, pc.equal(text, ""))
    if not pc.any(wanting).as_py():
        return text
    escape, quote = dialect.escape, dialect.quote
    escaped = text
    if escape is not None:
        for character in escape + (quote or ordinary):
            escaped = pc.replace_substring(escaped, character, escape + character)
    elif quote is not None:
        escaped = pc.replace_substring(escaped, quote, quote + quote)
    if quote is not None:
        escaped = pc.binary_join_element_wise(quote, escaped, quote, "")
    elif escape is None or (is_alone and pc.any(pc.equal(text, "")).as_py()):
        raise NotWritableError("a text with delimiter or line break, which cannot be quoted")
    return pc.if_else(wanting, escaped, text)


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
