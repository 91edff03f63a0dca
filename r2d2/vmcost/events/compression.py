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
ZSTD_PIECE_BYTES = 512
"""A block of 4 bytes may stand for 128 kB of one byte: 512 bytes give 16 MB at most."""


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
    while piece := file.read(PIECE_BYTES):
        yield piece


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    """Members one after the other, as of `gzip` and of Databricks."""
    member = zlib.decompressobj(wbits=31)
    for piece in _plain(file):
        rest = piece
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            try:
                yield member.decompress(rest, PIECE_BYTES)
            except zlib.error as error:
                raise DamagedError from error
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        yield member.flush()
        raise TruncatedError


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    """Frames one after the other; the last has no end where the driver died.

    pyarrow's stream loses what it has decompressed of such a frame, this one does not.
    """
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    begun = False
    for piece in _plain(file):
        for place in range(0, len(piece), ZSTD_PIECE_BYTES):
            rest = piece[place : place + ZSTD_PIECE_BYTES]
            while rest:
                if frame.eof:
                    frame, begun = decompressor.decompressobj(), False
                try:
                    yield frame.decompress(rest)
                except zstandard.ZstdError as error:
                    raise DamagedError from error
                begun = True
                rest = frame.unused_data if frame.eof else b""
    if begun and not frame.eof:
        raise TruncatedError


_CODECS: dict[bytes, Callable[[BinaryIO], Iterator[bytes]]] = {
    b"\x28\xb5\x2f\xfd": _zstd,
    b"\x1f\x8b": _gzip,
    b"LZ4Block": lz4_blocks,
    b"\x82SNAPPY\x00": snappy_chunks,
    b"ZV\x00": lzf_chunks,
    b"ZV\x01": lzf_chunks,
}
