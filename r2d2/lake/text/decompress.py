"""A file's bytes in pieces, decompressed where its name says so, in bounded memory."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.model import FileInfo
from r2d2.storage.local import SMALL_FILE_BYTES, Storage

PIECE_BYTES = 2 << 20
# Honest tables shrink by ten or twenty; beyond both limits a file is taken for a bomb.
BOMB_RATIO = 200
BOMB_BYTES = 1 << 30
_CODECS = {".gz": "gzip", ".zst": "zstd"}


def codec_of(path: str) -> str | None:
    """The compression that a file's name promises.

    >>> codec_of("a/B.CSV.GZ"), codec_of("b.csv")
    ('gzip', None)
    """
    return _CODECS.get(path[path.rfind(".") :].lower())


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
    try:
        with closing(pa.CompressedInputStream(source, codec) if codec else source) as stream:
            while piece := stream.read(piece_bytes):
                total += len(piece)
                if total > max(BOMB_BYTES, BOMB_RATIO * file.size_bytes):
                    growth = f"{file.size_bytes} bytes blow up to {total}"
                    raise UnreadableTableError(f"{file.path}: {growth}: refused as a bomb")
                yield piece
    except (OSError, pa.ArrowException) as error:
        raise UnreadableTableError(f"{file.path}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
