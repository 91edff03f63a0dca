"""Text normalised so that a fast CSV parser can read it, in blocks of whole records.

Text is plain where every quote opens a field, closes one, or doubles another: all parsers read it
alike. Other records (a quote within a bare field, an escape) are scanned by `records` and written
anew, all quoted. Whether a quote opens or closes depends on how many stand before it; so the
positions where it would be wrong as either are found for all quotes at once, and only the records
around them cost more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from r2d2.arrays import array_of
from r2d2.errors import UnreadableTableError
from r2d2.formats.csv.records import (
    CsvDialect,
    CutOffError,
    MalformedError,
    Record,
    Scanner,
    line_count,
    records,
)

Positions = np.ndarray[tuple[int], np.dtype[np.intp]]
RECORD_BYTES = 64 << 20
# Below that many rows a dictionary costs more than it saves.
DICTIONARY_ROWS = 512
_BLANK_LINE = re.compile(rb"\A[\r\n]|\n\r?\n|\r\r")
_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")
_SAMPLE = 256
_DISTINCT = 128


def plain_text(text: bytes, dialect: CsvDialect, whole: bool) -> tuple[int, bytes]:
    """The end of the last whole record of `text`, and its whole records as plain text.

    Raises:
        MalformedError: a record that the grammar does not have.
    """
    if dialect.escape and (dialect.quote is None or dialect.escape.encode() in text):
        found = tuple(records(text, dialect, whole))
        end = len(text) if whole else found[-1].end if found else 0
        return end, b"".join(_quoted(record, dialect) for record in found)
    if dialect.quote is None or dialect.quote.encode() not in text:
        end = len(text) if whole else _last_break(text, 0, len(text))
        return end, text[:end]
    return _mended(text, dialect, whole)


def plain_quote(dialect: CsvDialect) -> str | None:
    """The quote of plain text: the dialect's, or one to write escaped fields anew with."""
    if dialect.quote is None and dialect.escape:
        return "'" if dialect.delimiter == '"' else '"'
    return dialect.quote


def _quoted(record: Record, dialect: CsvDialect) -> bytes:
    quote = (plain_quote(dialect) or "").encode()
    between = quote + dialect.delimiter.encode() + quote
    fields = [field.replace(quote, quote + quote) for field in record.fields]
    return quote + between.join(fields) + quote + b"\n"


def _mended(text: bytes, dialect: CsvDialect, whole: bool) -> tuple[int, bytes]:
    """The plain runs of records as they are, the records between them written anew."""
    quotes, wrong = _quotes(text, dialect)
    scanner = Scanner(text, dialect, whole)
    pieces: list[bytes] = []
    at = 0
    while True:
        first = int(np.searchsorted(quotes, at))
        suspects = wrong[first % 2]
        next_wrong = int(np.searchsorted(suspects, first))
        if next_wrong == len(suspects):
            end = _run_end(text, at, len(text), quotes[first:], whole)
            return end, b"".join((*pieces, text[at:end]))
        limit = int(quotes[suspects[next_wrong]])
        end = _run_end(text, at, limit, quotes[first:], whole=False)
        pieces.append(text[at:end])
        try:
            record = scanner.record(end)
        except CutOffError:
            return end, b"".join(pieces)
        pieces.append(_quoted(record, dialect))
        at = record.end


def _quotes(text: bytes, dialect: CsvDialect) -> tuple[Positions, tuple[Positions, Positions]]:
    """The quotes' positions, and which of them are wrong if quote 0 opens, or if quote 1 does."""
    characters = np.frombuffer(text, np.uint8)
    edges = np.zeros(256, np.bool_)
    edges[list(f"{dialect.delimiter}{dialect.quote}\r\n".encode())] = True
    quotes = np.flatnonzero(characters == ord(dialect.quote or ""))
    opens = edges[characters[quotes - 1]] | (quotes == 0)
    closes = edges[characters[np.minimum(quotes + 1, len(text) - 1)]]
    even = np.arange(len(quotes)) % 2 == 0
    return quotes, (
        np.flatnonzero(~np.where(even, opens, closes)),
        np.flatnonzero(~np.where(even, closes, opens)),
    )


def _run_end(text: bytes, at: int, limit: int, quotes: Positions, whole: bool) -> int:
    """The end of the last whole record of the plain run from `at` on, at most `limit`."""
    if whole:
        if len(quotes) % 2:
            raise MalformedError(int(quotes[-1]), "a quote is never closed")
        return len(text)
    end = _last_break(text, at, limit)
    while (before := int(np.searchsorted(quotes, end))) % 2:
        end = _last_break(text, at, int(quotes[before - 1]))
    return end


def _last_break(text: bytes, at: int, limit: int) -> int:
    """The start of the line after the last certain line break from `at` to `limit`, or `at`."""
    certain = limit - 1 if limit == len(text) else limit
    return max(text.rfind(b"\n", at, limit) + 1, text.rfind(b"\r", at, max(certain, 0)) + 1, at)


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Whole records as they stand from line `line` of the file on, and as plain text."""

    text: bytes
    line: int
    plain: bytes


def body(pieces: Iterator[bytes], dialect: CsvDialect, path: str) -> Iterator[TextBlock]:
    """The blocks below the header, or below the skipped lines where the dialect has none.

    Raises:
        UnreadableTableError: text that is no record, or a record too long for honest data.
    """
    text, whole = next(pieces, b""), False
    while (start := _body_start(text, dialect, whole, path)) is None:
        if whole:
            return
        text, whole = _more(text, pieces, 1, path)
    line = 1 + line_count(text[:start])
    text = text[start:]
    while not whole or text:
        block = _block(text, line, dialect, whole, path)
        if block.text:
            yield block
            line += line_count(block.text)
            text = text[len(block.text) :]
        if not whole:
            text, whole = _more(text, pieces, line, path)


def _body_start(text: bytes, dialect: CsvDialect, whole: bool, path: str) -> int | None:
    start = after_lines(text, dialect.skip_rows)
    if start is None or not dialect.header:
        return start
    first = first_record(text[start:], dialect, whole, path)
    return None if first is None else start + first.end


def after_lines(text: bytes, count: int) -> int | None:
    r"""The start of the line after `count` lines; None where the text ends before.

    >>> after_lines(b"title\r\n\r\nid\n", 2)
    9
    """
    at = 0
    for _ in range(count):
        ends = [found for found in (text.find(b"\n", at), text.find(b"\r", at)) if found >= 0]
        if not ends or min(ends) + 1 == len(text):
            return None
        at = min(ends) + (2 if text.startswith(b"\r\n", min(ends)) else 1)
    return at


def first_record(text: bytes, dialect: CsvDialect, whole: bool, path: str) -> Record | None:
    """The first record below the skipped lines; None where the text ends before it does.

    Raises:
        UnreadableTableError: the record is malformed.
    """
    try:
        return next(records(text, dialect, whole), None)
    except MalformedError as error:
        line = 1 + dialect.skip_rows
        raise located(path, line, text, error.position, str(error)) from error


def _more(text: bytes, pieces: Iterator[bytes], line: int, path: str) -> tuple[bytes, bool]:
    if len(text) > RECORD_BYTES:
        raise UnreadableTableError(
            f"{path}: line {line}: a record longer than {RECORD_BYTES >> 20} MiB"
            " (is a quote never closed?)"
        )
    piece = next(pieces, b"")
    return text + piece, not piece


def _block(text: bytes, line: int, dialect: CsvDialect, whole: bool, path: str) -> TextBlock:
    try:
        end, plain = plain_text(text, dialect, whole)
    except MalformedError as error:
        raise located(path, line, text, error.position, str(error)) from error
    return TextBlock(text[:end], line, plain)


@dataclass(frozen=True, slots=True)
class TextTraits:
    """What of a file's text parsers are known to take differently.

    `plain`: each quote opens a field, closes one or doubles another. `ends` are the kinds of line
    ends. `controls`: it holds U+0080 to U+009F, which not every decoder of Latin-1 takes.
    """

    plain: bool
    ends: frozenset[str]
    blank_lines: bool
    controls: bool
    nul: bool
    quotes: bool


def line_ends(text: bytes) -> frozenset[str]:
    r"""The kinds of line ends in the text.

    >>> sorted(line_ends(b"a\r\nb\rc"))
    ['\r', '\r\n']
    """
    both = text.count(b"\r\n")
    counts = {"\r\n": both, "\n": text.count(b"\n") - both, "\r": text.count(b"\r") - both}
    return frozenset(end for end, count in counts.items() if count)


def traits_of(pieces: Iterator[bytes], dialect: CsvDialect, path: str) -> TextTraits:
    """The traits of the header and the records below it; all of the text is read.

    Raises:
        UnreadableTableError: text that is no record.
    """
    plain, blank, controls, nul, quotes = True, False, False, False, False
    ends = set[str]()
    for block in body(pieces, replace(dialect, header=False), path):
        text = block.text
        ends |= line_ends(text)
        plain &= text == block.plain
        blank |= bool(_BLANK_LINE.search(text))
        controls |= bool(_CONTROL.search(text))
        nul |= b"\0" in text
        quotes |= bool(dialect.quote) and (dialect.quote or "").encode() in text
    return TextTraits(plain, frozenset(ends), blank, controls, nul, quotes)


def located(path: str, line: int, text: bytes, position: int, reason: str) -> UnreadableTableError:
    """The error that names file, line and reason, for a position in text that starts at `line`."""
    return UnreadableTableError(f"{path}: line {line + line_count(text[:position])}: {reason}")


def compacted(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same values, in dictionaries where a sample over the batch shows that they recur."""
    if batch.num_rows < DICTIONARY_ROWS:
        return batch
    rows = np.linspace(0, batch.num_rows - 1, _SAMPLE, dtype=np.int64)
    sample = batch.take(array_of(rows, pa.int64()))
    columns = [
        column.dictionary_encode() if len(some.unique()) <= _DISTINCT else column
        for column, some in zip(batch.columns, sample.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
