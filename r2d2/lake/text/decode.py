"""Text of any encoding as UTF-8 bytes, strictly: what cannot be decoded is an error."""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from r2d2.errors import UnreadableTableError
from r2d2.formats.csv.dialect import ASCII
from r2d2.formats.csv.encoding import HIGH, REMEDY, UTF_8, eight_bit
from r2d2.formats.csv.records import line_count

WINDOW_BYTES = 64 << 10


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
