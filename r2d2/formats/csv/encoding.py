"""A text's encoding: told by its mark, or by its content.

Without a byte-order mark a file is UTF-8 where it is valid UTF-8, else Latin-1. Latin-1 and not
windows-1252: it maps bytes to characters one to one, and the bytes 0x80 to 0x9F, which other
8-bit encodings use for letters, become control characters that no real text holds. So two texts
that differ never become equal by the guess among files of unknown encoding. A file whose bytes
look like no Western text (Cyrillic, Greek, Chinese …) is not guessed at.
"""

import codecs
import re

from r2d2.errors import UnreadableTableError
from r2d2.formats.csv.dialect import ASCII

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


REMEDY = "Set `encoding` for it"


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
