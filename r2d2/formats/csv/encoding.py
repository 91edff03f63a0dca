"""A text's encoding, by its byte-order mark or its content; and its text as UTF-8 bytes, strictly.

Without a byte-order mark a file is UTF-8 where it is valid UTF-8, else Latin-1. Latin-1 and not
windows-1252: it maps bytes to characters one to one, and the bytes 0x80 to 0x9F, which other
8-bit encodings use for letters, become control characters that no real text holds. So two texts
that differ never become equal by the guess among files of unknown encoding. A file whose bytes
look like no Western text (Cyrillic, Greek, Chinese …) is not guessed at.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from r2d2.errors import UnreadableTableError
from r2d2.formats.csv.records import ASCII, line_count

UTF_8 = "utf-8"
LATIN_1 = "iso8859-1"
_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = {
    b"PK\x03\x04": "a zip archive or Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x1f\x8b": "gzip data; name it .gz",
    b"\x28\xb5\x2f\xfd": "zstd data; name it .zst",
    b"BZh": "bzip2 data",
    b"PAR1": "Parquet data",
    b"%PDF": "a PDF document",
    b"SQLite format": "an SQLite database",
}
HIGH = re.compile(rb"[\x80-\xff]")
_UTF_8_CHARACTERS = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH_RUNS = re.compile(rb"[\x80-\xff]{4,}")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
REMEDY = "Set `encoding` for it"
WINDOW_BYTES = 64 << 10


def encoding_of(head: bytes, whole: bool = True) -> str:
    """The encoding by mark or by content; ASCII where nothing tells yet.

    Raises:
        UnreadableTableError: the bytes are no text, or text of an encoding that must be named.
    """
    marked = marked_encoding(head)
    if marked:
        return marked
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise UnreadableTableError(f"no text but {what}")
    if head.isascii():
        if head[1:4:2] == b"\0\0" or head[0:3:2] == b"\0\0":
            raise UnreadableTableError(f"UTF-16 without its mark? {REMEDY}")
        return ASCII
    return eight_bit(head, whole)


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte-order mark tells."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def eight_bit(sample: bytes, whole: bool) -> str:
    """UTF-8 (if damaged, where most of it is UTF-8 all the same), or Latin-1.

    Raises:
        UnreadableTableError: it looks like neither.
    """
    try:
        codecs.getincrementaldecoder(UTF_8)().decode(sample, whole)
    except UnicodeDecodeError as error:
        high = len(HIGH.findall(sample))
        if 2 * _length(_UTF_8_CHARACTERS, sample) > high:
            return UTF_8
        if _CONTROL.search(sample) or 2 * _length(_HIGH_RUNS, sample) > high:
            raise UnreadableTableError(
                f"neither UTF-8 (byte 0x{sample[error.start]:02x}) nor Western text. {REMEDY}"
            ) from error
        return LATIN_1
    return UTF_8


def _length(pattern: re.Pattern[bytes], sample: bytes) -> int:
    return sum(map(len, pattern.findall(sample)))


def utf_8(pieces: Iterable[bytes], encoding: str, path: str) -> Iterator[bytes]:
    """The text as valid UTF-8 without its mark, in pieces that split no character.

    Raises:
        UnreadableTableError: with the line, for bytes that the encoding does not have.
    """
    source = iter(pieces)
    first, line, before = next(source, b""), 1, b""
    if encoding == ASCII:
        while first and first.isascii():
            yield first
            line += _breaks(first, before)
            before = first
            first = next(source, b"")
        if not first:
            return
        encoding, first = _decide(first, source, path)
    yield from _decoded(chain([first], source, [b""]), encoding, path, line, before)


def _decide(first: bytes, source: Iterator[bytes], path: str) -> tuple[str, bytes]:
    """The encoding by the window from the first byte above 127 on, wherever the pieces end."""
    found = HIGH.search(first)
    start = found.start() if found else 0
    whole = False
    while len(first) - start < WINDOW_BYTES and not whole:
        more = next(source, b"")
        first += more
        whole = not more
    window = first[start : start + WINDOW_BYTES]
    try:
        return eight_bit(window, whole and len(first) - start <= WINDOW_BYTES), first
    except UnreadableTableError as error:
        raise UnreadableTableError(f"{path}: {error}") from error


def _decoded(
    pieces: Iterable[bytes], encoding: str, path: str, line: int, before: bytes
) -> Iterator[bytes]:
    """The pieces as UTF-8; the last of them is empty. `before` is the text that went before."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    for piece in pieces:
        state = decoder.getstate()
        try:
            if encoding == UTF_8 and piece and not state[0] and piece.isascii():
                text = piece
            else:
                text = decoder.decode(piece, not piece).encode()
        except UnicodeError as error:
            if isinstance(error, UnicodeDecodeError):
                decoder.setstate(state)
                sound = piece[: max(0, error.start - len(state[0]))]
                line += _breaks(decoder.decode(sound).encode(), before)
            raise UnreadableTableError(f"{path}: line {line}: {_problem(error)}") from error
        if text:
            yield text if before else text.removeprefix(codecs.BOM_UTF8)
            line += _breaks(text, before)
            before = text


def _breaks(text: bytes, before: bytes) -> int:
    return line_count(text) - (text.startswith(b"\n") and before.endswith(b"\r"))


def _problem(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return f"byte 0x{byte:02x} is not {error.encoding}: {error.reason}. {REMEDY}"
    return f"{error}. {REMEDY}"


def text_of(head: bytes, encoding: str, whole: bool) -> str:
    """The head as text, without its mark and without the character that its end cuts through.

    Raises:
        UnreadableTableError: bytes that the encoding does not have.
    """
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        return decoder.decode(head, whole).removeprefix("\ufeff")
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = 1 + line_count(head[:start])
        raise UnreadableTableError(f"line {line}: {_problem(error)}") from error
