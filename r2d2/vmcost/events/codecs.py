"""The bytes of a log whatever its compression, a bounded piece at a time.

Spark names a compressed log by its codec, but names get lost: the first bytes tell.
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from r2d2.vmcost.events.block_streams import lz4_blocks, lzf_chunks, snappy_chunks
from r2d2.vmcost.events.broken import DamagedError, TruncatedError
from r2d2.vmcost.events.problems import Problem, Problems
from r2d2.vmcost.events.refusal import EventLogError

PIECE_BYTES = 2**20
GZIP_PIECE_BYTES = 4_096
"""Deflate packs 1,032 bytes in one at most: these give 4 MB. In a damaged file they are lost."""
ZSTD_PIECE_BYTES = 512
"""A block of 4 bytes may stand for 128 kB of one byte: these give 16 MB at most."""


def chunks(path: Path, problems: Problems) -> Iterator[bytes]:
    """What the file holds, decompressed; what is broken is counted and ends it.

    Raises:
        OSError: it cannot be opened or read.
        EventLogError: it is an archive.
    """
    with path.open("rb") as file:
        decompress = _codec(file.peek(16)[:16])
        try:
            yield from decompress(file)
        except TruncatedError:
            problems[Problem.FILE_TRUNCATED] += 1
        except DamagedError:
            problems[Problem.FILE_DAMAGED] += 1


def _codec(head: bytes) -> Callable[[BinaryIO], Iterator[bytes]]:
    if head[:4] == b"PK\x03\x04":
        raise EventLogError("a zip archive: unpack it first")
    for magic, codec in _CODECS.items():
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


_CODECS: dict[bytes, Callable[[BinaryIO], Iterator[bytes]]] = {
    b"\x28\xb5\x2f\xfd": _zstd,
    b"\x1f\x8b": _gzip,
    b"LZ4Block": lz4_blocks,
    b"\x82SNAPPY\x00": snappy_chunks,
    b"ZV\x00": lzf_chunks,
    b"ZV\x01": lzf_chunks,
}
