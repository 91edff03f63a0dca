"""Avro's compression codecs: a block's bytes decompressed in bounded memory."""

import bz2
import lzma
import zlib
from collections.abc import Callable

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.report.words import pluralize

_LZMA_MEMORY_BYTES = 128 << 20


def decompressed(codec: str, content: bytes, most_bytes: int) -> bytes:
    """The block's content as it was before compression.

    >>> decompressed("null", b"as it is", most_bytes=100)
    b'as it is'

    Raises:
        UnreadableTableError: the bytes are damaged, the codec is unknown, or it is a bomb.
    """
    check_codec(codec)
    try:
        plain = _CODECS[codec](content, most_bytes + 1)
    except (zlib.error, lzma.LZMAError, pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableTableError(f"a {codec} block is damaged: {error}") from error
    if len(plain) > most_bytes:
        raise UnreadableTableError(
            f"a block of {pluralize(str(len(content)), 'byte')} blows up beyond {most_bytes}:"
            " refused as a bomb"
        )
    return plain


def check_codec(codec: str) -> None:
    """Raises UnreadableTableError where the codec is not one that Avro's specification names."""
    if codec not in _CODECS:
        raise UnreadableTableError(f"codec {codec!r} is not one of {', '.join(sorted(_CODECS))}")


def _null(content: bytes, most_bytes: int) -> bytes:
    return content[:most_bytes]


def _deflate(content: bytes, most_bytes: int) -> bytes:
    # What follows the stream's end is let be: some writers leave parts of zlib's checksum there.
    stream = zlib.decompressobj(-15)
    plain = stream.decompress(content, most_bytes)
    return _whole(plain, stream.eof, most_bytes)


def _bzip2(content: bytes, most_bytes: int) -> bytes:
    stream = bz2.BZ2Decompressor()
    plain = stream.decompress(content, most_bytes)
    return _whole(plain, stream.eof, most_bytes)


def _xz(content: bytes, most_bytes: int) -> bytes:
    stream = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY_BYTES)
    plain = stream.decompress(content, most_bytes)
    return _whole(plain, stream.eof, most_bytes)


def _zstandard(content: bytes, most_bytes: int) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        return bytes(stream.read(most_bytes))


def _snappy(content: bytes, most_bytes: int) -> bytes:
    """Snappy tells its length beforehand; Avro adds a checksum of the plain bytes."""
    size_bytes = _leading_length(content)
    if size_bytes >= most_bytes:
        return bytes(most_bytes)
    plain: bytes = pa.decompress(content[:-4], size_bytes, codec="snappy", asbytes=True)
    if zlib.crc32(plain) != int.from_bytes(content[-4:], "big"):
        raise ValueError("its checksum is another")
    return plain


def _leading_length(content: bytes) -> int:
    length = 0
    for place, byte in enumerate(content[:5]):
        length |= (byte & 127) << (7 * place)
        if byte < 128:
            return length
    raise ValueError("it begins with no length")


def _whole(plain: bytes, ended: bool, most_bytes: int) -> bytes:
    if not ended and len(plain) < most_bytes:
        raise ValueError("it is cut short")
    return plain


_CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "null": _null,
    "deflate": _deflate,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstandard": _zstandard,
    "snappy": _snappy,
}
