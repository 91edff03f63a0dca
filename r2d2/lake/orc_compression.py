"""ORC's compressed messages: chunks, decompressed in bounded memory."""

from bisect import bisect_left

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.formats.compression import decompressed

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
