"""A dialect, and the records of delimited text by its exact grammar, character by character.

The grammar, stricter than Python's `csv`: a field that starts with the quote ends at the next
quote that is neither doubled nor escaped, and a delimiter, a line break or the end must follow;
anywhere else a quote is an ordinary character. An escape makes a quote, an escape and, outside
quotes, a delimiter or line break ordinary; before anything else it is ordinary itself.
CR LF, LF and CR end a record; an empty line is no record.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from r2d2.settings.find import dialect_fields
from r2d2.text_tables import pluralize

# What the head of a file holds until a byte above 127 is met: then UTF-8 or Latin-1 is decided.
ASCII = "ascii"


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The rules by which a file's text becomes fields.

    `quote` and `escape` are None where the file has none. `skip_rows` counts the lines above the
    header (titles, comments, `sep=`). A field equal to `null_marker`, quoted or not, is NULL.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    encoding: str = ASCII
    header: bool = True
    skip_rows: int = 0
    null_marker: str | None = None

    def describe(self) -> str:
        """The dialect in one line.

        >>> Dialect(delimiter="\\t", quote=None, skip_rows=2).describe()
        "delimiter '\\\\t', no quotes, header below 2 lines, ascii"
        """
        parts = [
            f"delimiter {self.delimiter!r}",
            "no quotes" if self.quote is None else f"quote {self.quote!r}",
            "" if self.escape is None else f"escape {self.escape!r}",
            "header" if self.header else "no header",
            self.encoding,
            "" if self.null_marker is None else f"{self.null_marker!r} is NULL",
        ]
        if self.skip_rows:
            parts[3] += f" below {pluralize(str(self.skip_rows), 'line')}"
        return ", ".join(part for part in parts if part)


def overridden(dialect: CsvDialect, overrides: Mapping[str, object]) -> CsvDialect:
    """The dialect with what the user's settings fix.

    Raises:
        UsageError: a key is unknown, or its value is not one it can have.
    """
    return replace(dialect, **dialect_fields(overrides)) if overrides else dialect


class MalformedError(ValueError):
    """Text that the grammar does not have, at `position`."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


@dataclass(frozen=True, slots=True)
class Record:
    """One record's fields and where it starts and ends, its line break included."""

    fields: tuple[bytes, ...]
    start: int
    end: int


class CutOffError(Exception):
    """The text ends within a record, and more may follow."""


def records(text: bytes, dialect: CsvDialect, whole: bool) -> Iterator[Record]:
    """The whole records at the text's start; unless it is `whole`, an unfinished one is left.

    Raises:
        MalformedError: a quote is never closed, or text follows a closing quote.
    """
    scanner = Scanner(text, dialect, whole)
    at = 0
    while at < len(text):
        if text[at] in b"\r\n":
            at += 1
            continue
        try:
            record = scanner.record(at)
        except CutOffError:
            return
        yield record
        at = record.end


def line_count(text: bytes) -> int:
    r"""The number of line breaks.

    >>> line_count(b"a\r\nb\rc\n")
    3
    """
    count = text.count(b"\n")
    if b"\r" in text:
        count += text.count(b"\r") - text.count(b"\r\n")
    return count


class Scanner:
    """Reads one record at a time from a text that, unless it is `whole`, may go on."""

    def __init__(self, text: bytes, dialect: CsvDialect, whole: bool) -> None:
        self._text = text
        self._whole = whole
        self._delimiter = ord(dialect.delimiter)
        self._quote = dialect.quote.encode() if dialect.quote else b""
        self._escape = dialect.escape.encode() if dialect.escape else b""
        delimiter = dialect.delimiter.encode()
        self._stop = _any_of(delimiter + b"\r\n" + self._escape)
        self._inner_stop = _any_of(self._quote + self._escape or delimiter)
        self._bare = self._quote + self._escape + delimiter + b"\r\n"
        self._quoted = self._quote + self._escape

    def record(self, start: int) -> Record:
        """The record from `start` on.

        Raises:
            MalformedError: a quote is never closed, or text follows a closing quote.
            CutOffError: the text ends before the record does.
        """
        text, at = self._text, start
        fields: list[bytes] = []
        while True:
            opens = self._quote and text.startswith(self._quote, at)
            field, at = self._quoted_field(at) if opens else self._bare_field(at)
            fields.append(field)
            if at == len(text):
                if not self._whole:
                    raise CutOffError
                return Record(tuple(fields), start, at)
            if text[at] != self._delimiter:
                return Record(tuple(fields), start, self._after_break(at))
            at += 1

    def fields(self, record: Record) -> Iterator[tuple[bytes, bytes]]:
        """The record's fields as they stand in the text, each with its value."""
        at = record.start
        for value in record.fields:
            opens = self._quote and self._text.startswith(self._quote, at)
            _, end = self._quoted_field(at) if opens else self._bare_field(at)
            yield self._text[at:end], value
            at = end + 1

    def _after_break(self, at: int) -> int:
        if self._text[at] == 13:
            if at + 1 == len(self._text) and not self._whole:
                raise CutOffError
            if self._text.startswith(b"\n", at + 1):
                return at + 2
        return at + 1

    def _bare_field(self, at: int) -> tuple[bytes, int]:
        pieces: list[bytes] = []
        start = at
        while found := self._stop.search(self._text, at):
            at = found.start()
            if found.group() != self._escape:
                break
            start, at = self._unescape(start, at, self._bare, pieces)
        else:
            at = len(self._text)
        return b"".join((*pieces, self._text[start:at])), at

    def _quoted_field(self, at: int) -> tuple[bytes, int]:
        opening, pieces = at, list[bytes]()
        start = at = at + 1
        while found := self._inner_stop.search(self._text, at):
            at = found.start()
            if found.group() == self._escape:
                start, at = self._unescape(start, at, self._quoted, pieces)
            elif self._text.startswith(self._quote, at + 1):
                pieces.append(self._text[start : at + 1])
                start = at = at + 2
            else:
                pieces.append(self._text[start:at])
                return b"".join(pieces), self._closed(at + 1)
        if self._whole:
            raise MalformedError(opening, "a quote is never closed")
        raise CutOffError

    def _closed(self, at: int) -> int:
        if at < len(self._text) and self._text[at] not in (self._delimiter, 10, 13):
            raise MalformedError(at, "text follows a closing quote")
        return at

    def _unescape(
        self, start: int, at: int, special: bytes, pieces: list[bytes]
    ) -> tuple[int, int]:
        """The start of the next piece and the position to search from, after the escape at `at`."""
        if at + 1 == len(self._text):
            if not self._whole:
                raise CutOffError
            return start, at + 1
        if self._text[at + 1] in special:
            pieces.append(self._text[start:at])
            return at + 1, at + 2
        return start, at + 1


def _any_of(characters: bytes) -> re.Pattern[bytes]:
    return re.compile(b"[" + re.escape(characters) + b"]")
