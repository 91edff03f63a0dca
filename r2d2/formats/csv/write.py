"""The layout of delimited text: its dialect, its line ends, and the lines above its header."""

import codecs
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from r2d2.errors import TableError
from r2d2.formats.csv import read as csv
from r2d2.formats.csv.dialect import ASCII, Dialect
from r2d2.formats.csv.encoding import HIGH, eight_bit
from r2d2.formats.hive import Partition
from r2d2.formats.layout import Layout
from r2d2.lake.text.blocks import after_lines, first_record
from r2d2.lake.text.decode import WINDOW_BYTES, text_of
from r2d2.lake.text.decompress import codec_of, head, pieces
from r2d2.lake.text.parse import Layout as TextLayout
from r2d2.model import FileInfo, Table
from r2d2.storage.local import Storage


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file."""
    file, context = table.files[0], table.splits[0].context
    inner = context.inner if isinstance(context, Partition) else context
    if not isinstance(inner, TextLayout):
        raise TypeError(f"{table.location}: not a table of delimited text")
    return Layout(
        table.format,
        pa.schema([(name, pa.string()) for name in inner.names]),
        file.path.rpartition("/")[2],
        compression=codec_of(file.path) or "none",
        options=_options(storage, file, inner),
    )


def _options(storage: Storage, file: FileInfo, known: TextLayout) -> dict[str, Any]:
    dialect = known.dialect
    start, whole = head(storage, file, csv.HEAD_BYTES)
    text = text_of(start, dialect.encoding, whole).encode()
    begin = after_lines(text, dialect.skip_rows) or 0
    first = first_record(text[begin:], dialect, whole, file.path)
    return {
        "dialect": asdict(dialect),
        "encoding": _encoding(storage, file, dialect),
        "above": text[:begin].decode(),
        "newline": _line_end(text[begin:], first.end if first else 0),
        "mark": start.startswith(codecs.BOM_UTF8),
        "is_detected": _is_detected(storage, file, known),
    }


def _line_end(text: bytes, end: int) -> str:
    record = text[:end]
    return next((mark for mark in ("\r\n", "\n", "\r") if record.endswith(mark.encode())), "\n")


def _encoding(storage: Storage, file: FileInfo, dialect: Dialect) -> str:
    """The encoding, told at the first byte above 127 where the head holds none."""
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


def _is_detected(storage: Storage, file: FileInfo, known: TextLayout) -> bool:
    """Whether the file is read so without settings, as its copy must be then."""
    try:
        found = csv.inspect(storage, file.path, [file])
    except TableError:
        return False
    return found.splits[0].context == known
