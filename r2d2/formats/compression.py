"""Compression: blocks by a codec's name, whole text files by their names' endings.

Whatever is decompressed takes bounded memory: what blows up beyond it is refused as a bomb.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.formats.errors import translated
from r2d2.model import FileInfo
from r2d2.storage.local import SMALL_FILE_BYTES, Storage
from r2d2.text_tables import pluralize

_LZMA_MEMORY_BYTES = 128 << 20
PIECE_BYTES = 2 << 20
# Honest tables shrink by ten or twenty; beyond both limits a file is taken for a bomb.
BOMB_RATIO = 200
BOMB_BYTES = 1 << 30
_CODEC_OF_ENDING = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Codec:
    """Both directions; what is decompressed may be cut off at the given number of bytes."""

    decompress: Callable[[bytes, int], bytes]
    compress: Callable[[bytes], bytes]


def decompressed(codec: str, content: bytes, most_bytes: int) -> bytes:
    """The block's content as it was before compression.

    >>> decompressed("null", b"as it is", most_bytes=100)
    b'as it is'

    Raises:
        UnreadableTableError: the bytes are damaged, the codec is unknown, or it is a bomb.
    """
    check_codec(codec)
    with translated(UnreadableTableError, f"a {codec} block is damaged"):
        plain = CODECS[codec].decompress(content, most_bytes + 1)
    if len(plain) > most_bytes:
        raise UnreadableTableError(
            f"a block of {pluralize(str(len(content)), 'byte')} blows up beyond {most_bytes}:"
            " refused as a bomb"
        )
    return plain


def check_codec(codec: str) -> None:
    """Raises UnreadableTableError where the codec is not one that Avro's specification names."""
    if codec not in CODECS:
        raise UnreadableTableError(f"codec {codec!r} is not one of {', '.join(sorted(CODECS))}")


def _cut_off(content: bytes, most_bytes: int) -> bytes:
    return content[:most_bytes]


def _inflated(content: bytes, most_bytes: int) -> bytes:
    # What follows the stream's end is let be: some writers leave parts of zlib's checksum there.
    stream = zlib.decompressobj(-15)
    return _whole(stream.decompress(content, most_bytes), stream.eof, most_bytes)


def _deflated(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(content) + stream.flush()


def _from_bzip2(content: bytes, most_bytes: int) -> bytes:
    stream = bz2.BZ2Decompressor()
    return _whole(stream.decompress(content, most_bytes), stream.eof, most_bytes)


def _from_xz(content: bytes, most_bytes: int) -> bytes:
    stream = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY_BYTES)
    return _whole(stream.decompress(content, most_bytes), stream.eof, most_bytes)


def _whole(plain: bytes, ended: bool, most_bytes: int) -> bytes:
    if not ended and len(plain) < most_bytes:
        raise ValueError("it is cut short")
    return plain


def _from_zstandard(content: bytes, most_bytes: int) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        return bytes(stream.read(most_bytes))


def _to_zstandard(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def _from_snappy(content: bytes, most_bytes: int) -> bytes:
    """Snappy gives its length beforehand; Avro adds a checksum of the plain bytes."""
    size_bytes = _leading_length(content)
    if size_bytes >= most_bytes:
        return bytes(most_bytes)
    plain = bytes(pa.decompress(content[:-4], size_bytes, codec="snappy", asbytes=True))
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


def _to_snappy(content: bytes) -> bytes:
    packed = bytes(pa.compress(content, codec="snappy", asbytes=True))
    return packed + zlib.crc32(content).to_bytes(4, "big")


CODECS = {
    "null": Codec(_cut_off, bytes),
    "deflate": Codec(_inflated, _deflated),
    "bzip2": Codec(_from_bzip2, bz2.compress),
    "xz": Codec(_from_xz, lzma.compress),
    "zstandard": Codec(_from_zstandard, _to_zstandard),
    "snappy": Codec(_from_snappy, _to_snappy),
}
"""The codecs by Avro's names for them."""


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
