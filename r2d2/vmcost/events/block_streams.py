"""The block formats that Spark's Java libraries write around LZ4, Snappy and LZF.

- lz4-java's `LZ4BlockOutputStream`: "LZ4Block", a byte of method and level, compressed length,
  length, checksum (little endian), data; a block of length 0 ends a stream, another may follow.
- xerial's `SnappyOutputStream`: a head of 16 bytes, then length (big endian) and data of each
  chunk; where streams were put together the head comes again.
- ning's `LZFOutputStream`: "ZV", 0 or 1, length; where compressed (1) also the length before.
"""

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO

import pyarrow as pa
import xxhash

from r2d2.vmcost.events.broken import DamagedError, TruncatedError
from r2d2.vmcost.events.lzf import lzf

MOST_BLOCK_BYTES = 32 * 2**20
"""lz4-java's largest; Spark's own default is 32 kB."""
_LZ4_HEAD = Struct("<8sBiiI")
_LZ4_STORED, _LZ4_COMPRESSED = 0x10, 0x20
_LZ4_SEED, _LZ4_CHECK = 0x9747B28C, 0x0FFFFFFF
_SNAPPY_HEAD = b"\x82SNAPPY\x00"
_SNAPPY_VERSIONS_BYTES = 8


def lz4_blocks(file: BinaryIO) -> Iterator[bytes]:
    """What lz4-java's blocks hold."""
    ended = False
    while head := _some(file, _LZ4_HEAD.size):
        magic, token, stored, size, check = _LZ4_HEAD.unpack(head)
        if magic != b"LZ4Block" or stored < 0 or not 0 <= size <= MOST_BLOCK_BYTES:
            raise DamagedError
        if stored > MOST_BLOCK_BYTES + MOST_BLOCK_BYTES // 255 + 16:
            raise DamagedError
        ended = size == 0
        if ended:
            continue
        data = _all(file, stored)
        if token & 0xF0 == _LZ4_COMPRESSED:
            data = _decompressed("lz4_raw", data, size)
        elif token & 0xF0 != _LZ4_STORED or stored != size:
            raise DamagedError
        if xxhash.xxh32_intdigest(data, _LZ4_SEED) & _LZ4_CHECK != check:
            raise DamagedError
        yield data
    if not ended:
        raise TruncatedError


def snappy_chunks(file: BinaryIO) -> Iterator[bytes]:
    """What xerial's chunks hold."""
    while head := _some(file, 4):
        if head == _SNAPPY_HEAD[:4]:
            _all(file, len(_SNAPPY_HEAD) - 4 + _SNAPPY_VERSIONS_BYTES)
            continue
        stored = int.from_bytes(head, "big")
        if stored > 2 * MOST_BLOCK_BYTES:
            raise DamagedError
        data = _all(file, stored)
        size = _snappy_length(data)
        if size > MOST_BLOCK_BYTES:
            raise DamagedError
        yield _decompressed("snappy", data, size)


def lzf_chunks(file: BinaryIO) -> Iterator[bytes]:
    """What ning's chunks hold."""
    while head := _some(file, 5):
        if head[:2] != b"ZV" or head[2] > 1:
            raise DamagedError
        stored = int.from_bytes(head[3:5], "big")
        if head[2] == 0:
            yield _all(file, stored)
        else:
            size = int.from_bytes(_all(file, 2), "big")
            yield lzf(_all(file, stored), size)


def _snappy_length(data: bytes) -> int:
    """The length before compression: the number of 7-bit groups that a raw block begins with."""
    length = 0
    for place, byte in enumerate(data[:5]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return length
    raise DamagedError


def _decompressed(codec: str, data: bytes, size: int) -> bytes:
    try:
        found: bytes = pa.Codec(codec).decompress(data, size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise DamagedError from error
    return found


def _some(file: BinaryIO, size: int) -> bytes:
    """As many bytes, or none at the end."""
    data = file.read(size)
    if data and len(data) < size:
        raise TruncatedError
    return data


def _all(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise TruncatedError
    return data
