"""Avro's compression codecs: a block's bytes decompressed in bounded memory.

ORC's compressed messages: chunks, decompressed in bounded memory.

A file's bytes in pieces, decompressed where its name says so, in bounded memory.
"""

import bz2
import lzma
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.formats.errors import translated
from r2d2.model import FileInfo
from r2d2.storage.local import SMALL_FILE_BYTES, Storage
from r2d2.text_tables import pluralize

_LZMA_MEMORY_BYTES = 128 << 20


def decompressed(codec: str, content: bytes, most_bytes: int) -> bytes:
    """The block's content as it was before compression.

    >>> decompressed("null", b"as it is", most_bytes=100)
    b'as it is'

    Raises:
        UnreadableTableError: the bytes are damaged, the codec is unknown, or it is a bomb.
    """
    check_codec(codec)
    with translated(UnreadableTableError, f"a {codec} block is damaged"):
        plain = _CODECS[codec](content, most_bytes + 1)
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
MOST_CHUNK_BYTES = 1 << 23
# Some writers keep the least and greatest text of each column whole.
MOST_FOOTER_BYTES = 256 << 20
_NONE, _ZLIB, _SNAPPY, _LZ4, _ZSTD = 0, 1, 2, 4, 5


def plain(content: bytes, compression: int, most_chunk_bytes: int) -> bytes:
    """The message; each of its chunks has a head of its length and whether it is as it was.

    Raises:
        UnreadableTableError: the bytes are damaged, the codec is unknown, or it is a bomb.
    """
    if compression == _NONE:
        return content
    if most_chunk_bytes > MOST_CHUNK_BYTES:
        raise UnreadableTableError("its end is damaged")
    found = bytearray()
    at = 0
    while at < len(content):
        head = int.from_bytes(content[at : at + 3], "little")
        at += 3 + (head >> 1)
        chunk = content[at - (head >> 1) : at]
        found += chunk if head & 1 else _chunk(compression, chunk, most_chunk_bytes)
        if len(found) > MOST_FOOTER_BYTES:
            raise UnreadableTableError(f"its footer has more than {MOST_FOOTER_BYTES} bytes")
    return bytes(found)


def _chunk(compression: int, chunk: bytes, most_bytes: int) -> bytes:
    if compression in (_ZLIB, _ZSTD):
        return decompressed("deflate" if compression == _ZLIB else "zstandard", chunk, most_bytes)
    if compression not in (_SNAPPY, _LZ4):
        raise UnreadableTableError(f"its compression (number {compression}) is not supported")
    codec = pa.Codec("snappy" if compression == _SNAPPY else "lz4_raw")

    def suffices(size_bytes: int) -> bool:
        try:
            codec.decompress(chunk, size_bytes)
        except (pa.ArrowException, OSError):
            return False
        return True

    # These do not tell how long the content is, and leave the rest of a larger buffer as it was.
    size_bytes = bisect_left(range(most_bytes), True, key=suffices)
    return bytes(codec.decompress(chunk, size_bytes, asbytes=True))


PIECE_BYTES = 2 << 20
# Honest tables shrink by ten or twenty; beyond both limits a file is taken for a bomb.
BOMB_RATIO = 200
BOMB_BYTES = 1 << 30
_CODEC_OF_ENDING = {".gz": "gzip", ".zst": "zstd"}


def codec_of(path: str) -> str | None:
    """The compression that a file's name promises.

    >>> codec_of("a/B.CSV.GZ"), codec_of("b.csv")
    ('gzip', None)
    """
    return _CODEC_OF_ENDING.get(path[path.rfind(".") :].lower())


def inner_name(path: str) -> str:
    """The file's name as it would be without compression, in lower case.

    >>> inner_name("a/B.CSV.GZ")
    'b.csv'
    """
    name = path[path.rfind("/") + 1 :].lower()
    return name[: name.rfind(".")] if codec_of(name) else name


def pieces(storage: Storage, file: FileInfo, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """The decompressed bytes in order, none of the pieces empty or longer than `piece_bytes`.

    Raises:
        UnreadableTableError: bytes are damaged, missing, or blow up beyond what is honest.
    """
    if file.size_bytes <= min(SMALL_FILE_BYTES, piece_bytes):
        content = storage.read(file)
        if codec_of(file.path) is None:
            if content:
                yield content
            return
        yield from _read(file, pa.BufferReader(content), piece_bytes)
        return
    yield from _read(file, storage.open(file), piece_bytes)
    storage.read(file, length=0)


def head(storage: Storage, file: FileInfo, length: int) -> tuple[bytes, bool]:
    """The first decompressed bytes, at least `length` of them where there are, and if it is all."""
    if codec_of(file.path) is None:
        content = storage.read(file, 0, length)
        return content, len(content) >= file.size_bytes
    found = bytearray()
    for piece in pieces(storage, file, length):
        found += piece
        if len(found) > length:
            return bytes(found), False
    return bytes(found), True


def _read(file: FileInfo, source: Any, piece_bytes: int) -> Iterator[bytes]:
    codec = codec_of(file.path)
    total = 0
    with (
        translated(UnreadableTableError, file.path),
        closing(pa.CompressedInputStream(source, codec) if codec else source) as stream,
    ):
        while piece := stream.read(piece_bytes):
            total += len(piece)
            if total > max(BOMB_BYTES, BOMB_RATIO * file.size_bytes):
                raise UnreadableTableError(
                    f"{file.size_bytes} bytes blow up to {total}: refused as a bomb"
                )
            yield piece
