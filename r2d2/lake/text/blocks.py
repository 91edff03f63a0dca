"""A file's text cut into blocks of whole records."""

from collections.abc import Iterator
from dataclasses import dataclass

from r2d2.errors import UnreadableTableError
from r2d2.formats.csv.dialect import Dialect
from r2d2.formats.csv.fast_path import plain_text
from r2d2.formats.csv.records import MalformedError, Record, line_count, records

RECORD_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records as they stand from line `line` of the file on, and as plain text."""

    text: bytes
    line: int
    plain: bytes


def body(pieces: Iterator[bytes], dialect: Dialect, path: str) -> Iterator[Block]:
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


def _body_start(text: bytes, dialect: Dialect, whole: bool, path: str) -> int | None:
    start = after_lines(text, dialect.skip_rows)
    if start is None or not dialect.header:
        return start
    first = first_record(text[start:], dialect, whole, path)
    return None if first is None else start + first.end


def after_lines(text: bytes, count: int) -> int | None:
    r"""Where the line after `count` lines starts; None where the text ends before.

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


def first_record(text: bytes, dialect: Dialect, whole: bool, path: str) -> Record | None:
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


def _block(text: bytes, line: int, dialect: Dialect, whole: bool, path: str) -> Block:
    try:
        end, plain = plain_text(text, dialect, whole)
    except MalformedError as error:
        raise located(path, line, text, error.position, str(error)) from error
    return Block(text[:end], line, plain)


def located(path: str, line: int, text: bytes, position: int, reason: str) -> UnreadableTableError:
    """The error that names file, line and reason, for a position in text that starts at `line`."""
    return UnreadableTableError(f"{path}: line {line + line_count(text[:position])}: {reason}")
