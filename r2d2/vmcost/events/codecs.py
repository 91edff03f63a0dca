"""The lines of an event log, decompressed a bounded piece at a time.

Spark names a compressed log by its codec, but names get lost: the first bytes decide. Besides gzip
and zstd there are the block formats that Spark's Java libraries write around LZ4, Snappy and LZF:

- lz4-java's `LZ4BlockOutputStream`: "LZ4Block", a byte of method and level, compressed length,
  length, checksum (little endian), data; a block of length 0 ends a stream, another may follow.
- xerial's `SnappyOutputStream`: a head of 16 bytes, then length (big endian) and data of each
  chunk; where streams were put together the head comes again.
- ning's `LZFOutputStream`: "ZV", 0 or 1, length; where compressed (1) also the length before.

No package in use reads LZF itself. A control byte below 32 is followed by that many literals and
one; else its upper three bits are the length of a copy, 7 for a length byte that follows, and its
lower five with the next byte the distance back to it. Format: LibLZF 3.6, `lzf_d.c`.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO

import pyarrow as pa
import xxhash
import zstandard

from r2d2.vmcost.events.problems import EventLogError, LogProblem, LogProblemCounts

PIECE_BYTES = 2**20
GZIP_PIECE_BYTES = 4_096
"""Deflate packs 1,032 bytes in one at most: these give 4 MB. In a damaged file they are lost."""
ZSTD_PIECE_BYTES = 512
"""A block of 4 bytes may stand for 128 kB of one byte: these give 16 MB at most."""
MOST_LINE_BYTES = 64 * 2**20
"""Spark's own reader takes no text beyond 20 million characters; plans of queries come near."""
MOST_BLOCK_BYTES = 32 * 2**20
"""lz4-java's largest; Spark's own default is 32 kB."""
_LZ4_HEAD = Struct("<8sBiiI")
_LZ4_STORED, _LZ4_COMPRESSED = 0x10, 0x20
_LZ4_SEED, _LZ4_CHECK = 0x9747B28C, 0x0FFFFFFF
_SNAPPY_HEAD = b"\x82SNAPPY\x00"
_SNAPPY_VERSIONS_BYTES = 8


class TruncatedError(Exception):
    """The stream stops before its end; all that came before was given."""


class DamagedError(Exception):
    """The stream cannot be read on; all that came before was given."""


def lines(chunks: Iterable[bytes], most_bytes: int = MOST_LINE_BYTES) -> Iterator[bytes | None]:
    """The lines without their end; None for each that is longer, of which nothing is kept."""
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            size += len(piece)
            yield b"".join((*begun, piece)) if size <= most_bytes else None
            begun, size = [], 0
        size += len(rest)
        begun = [*begun, rest] if size <= most_bytes else []
    if size:
        yield b"".join(begun) if size <= most_bytes else None


def chunks(
    path: Path, problems: LogProblemCounts, advance: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """The file's content, decompressed; damage is counted and ends it.

    `advance` is told of the file's bytes that were read, now and then.

    Raises:
        OSError: it cannot be opened or read.
        EventLogError: it is an archive.
    """
    with path.open("rb") as file:
        decompress = _codec(file.peek(16)[:16])
        told = 0
        try:
            for chunk in decompress(file):
                yield chunk
                if advance and file.tell() - told >= PIECE_BYTES:
                    advance(file.tell() - told)
                    told = file.tell()
        except TruncatedError:
            problems[LogProblem.FILE_TRUNCATED] += 1
        except DamagedError:
            problems[LogProblem.FILE_DAMAGED] += 1


def _codec(head: bytes) -> Callable[[BinaryIO], Iterator[bytes]]:
    if head[:4] == b"PK\x03\x04":
        raise EventLogError("a zip archive: unpack it first")
    for magic, codec in _READERS.items():
        if head.startswith(magic):
            return codec
    return _plain


def _plain(file: BinaryIO) -> Iterator[bytes]:
    yield from _pieces(file, PIECE_BYTES)


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    while piece := file.read(size):
        yield piece


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    """Members one after the other, as of `gzip` and of Databricks."""
    member = zlib.decompressobj(wbits=31)
    for piece in _pieces(file, GZIP_PIECE_BYTES):
        rest = piece
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            try:
                yield member.decompress(rest)
            except zlib.error as error:
                raise DamagedError from error
            rest = member.unused_data
    if not member.eof:
        yield member.flush()
        raise TruncatedError


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    """Frames one after the other; the last has no end where the driver died.

    pyarrow's stream loses what it has decompressed of such a frame, this one does not.
    """
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    for piece in _pieces(file, ZSTD_PIECE_BYTES):
        rest = piece
        while rest:
            if frame.eof:
                frame = decompressor.decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError as error:
                raise DamagedError from error
            rest = frame.unused_data
    if not frame.eof:
        raise TruncatedError


def lz4_blocks(file: BinaryIO) -> Iterator[bytes]:
    """The content of lz4-java's blocks."""
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
    """The content of xerial's chunks."""
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
    """The content of ning's chunks."""
    while head := _some(file, 5):
        if head[:2] != b"ZV" or head[2] > 1:
            raise DamagedError
        stored = int.from_bytes(head[3:5], "big")
        if head[2] == 0:
            yield _all(file, stored)
        else:
            size = int.from_bytes(_all(file, 2), "big")
            yield lzf(_all(file, stored), size)


_READERS: dict[bytes, Callable[[BinaryIO], Iterator[bytes]]] = {
    b"\x28\xb5\x2f\xfd": _zstd,
    b"\x1f\x8b": _gzip,
    b"LZ4Block": lz4_blocks,
    b"\x82SNAPPY\x00": snappy_chunks,
    b"ZV\x00": lzf_chunks,
    b"ZV\x01": lzf_chunks,
}


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
        plain: bytes = pa.Codec(codec).decompress(data, size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise DamagedError from error
    return plain


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


def lzf(data: bytes, size: int) -> bytes:
    """The chunk of `size` bytes that was compressed.

    Raises:
        DamagedError: it is no such chunk.
    """
    out = bytearray()
    place = 0
    try:
        while place < len(data):
            control = data[place]
            if control < 32:
                out += data[place + 1 : place + 2 + control]
                place += 2 + control
                continue
            length = control >> 5
            if length == 7:
                place += 1
                length += data[place]
            back = ((control & 31) << 8 | data[place + 1]) + 1
            place += 2
            _copy(out, back, length + 2)
    except IndexError as error:
        raise DamagedError from error
    if len(out) != size:
        raise DamagedError
    return bytes(out)


def _copy(out: bytearray, back: int, length: int) -> None:
    """Appends what stands `back` bytes before the end; it may run into itself."""
    start = len(out) - back
    if start < 0:
        raise DamagedError
    if back >= length:
        out += out[start : start + length]
    else:
        piece = out[start:]
        out += (piece * (length // back + 1))[:length]
