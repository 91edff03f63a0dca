"""Where a lake's bytes are: a folder here, an object store in `object_store`.

Both answer the same four questions: what is there, a range of bytes, a seekable file, a full path.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from r2d2.errors import LakeError, UnreadableTableError
from r2d2.lake.walk import Listing, is_hidden, walk
from r2d2.model import FileInfo

__all__ = ["Listing", "LocalStorage", "Storage", "is_hidden", "storage_of"]

SMALL_FILE_BYTES = 1 << 20


class Storage(Protocol):
    """What reads a lake's bytes; picklable, so that executors can read too."""

    @property
    def url(self) -> str:
        """The lake as the user gave it; it never holds a secret."""

    def list(self) -> Listing:
        """Every file below the root, once."""

    def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start` (negative: from the end), at most `length` of them."""

    def open(self, file: FileInfo) -> Any:
        """A seekable file that pyarrow reads."""

    def absolute(self, path: str) -> str:
        """The full path or URL of a path relative to the root."""


def storage_of(lake: str) -> Storage:
    """The storage that reads `lake`: a folder's path, or the URL of a bucket's prefix."""
    scheme, separator, _ = lake.partition("://")
    if not separator or scheme == "file":
        root = Path(lake.removeprefix("file://") if separator else lake)
        if not root.is_dir():
            raise LakeError(f"{lake}: no such folder; give the folder that holds the tables")
        return LocalStorage(str(root.resolve()))
    from r2d2.storage.objects import ObjectStorage

    return ObjectStorage(lake)


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder. No symbolic link is followed: what it leads to in the lake is listed itself."""

    url: str

    def list(self) -> Listing:
        """Every regular file below the root; hidden names are left out but for Delta's own."""
        return walk(self.url)

    def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
        """The bytes asked for, of the file as it was listed."""
        try:
            with open(os.path.join(self.url, file.path), "rb", buffering=0) as handle:
                if self._version(handle.fileno()) != (file.size_bytes, file.version):
                    raise UnreadableTableError(f"{file.path}: changed since it was listed")
                begin = max(0, file.size_bytes + start) if start < 0 else start
                end = file.size_bytes if length is None else min(begin + length, file.size_bytes)
                return b"".join(_pieces(handle.fileno(), begin, end))
        except FileNotFoundError as error:
            raise UnreadableTableError(f"{file.path}: vanished since it was listed") from error
        except OSError as error:
            raise UnreadableTableError(f"{file.path}: {error.strerror}") from error

    def open(self, file: FileInfo) -> Any:
        """A seekable file: in memory where it is small, read as needed where it is large."""
        if file.size_bytes <= SMALL_FILE_BYTES:
            return pa.BufferReader(self.read(file))
        self.read(file, length=0)
        try:
            return pa.OSFile(os.path.join(self.url, file.path))
        except OSError as error:
            raise UnreadableTableError(f"{file.path}: {error.strerror or error}") from error

    def absolute(self, path: str) -> str:
        """The path on this machine."""
        return os.path.join(self.url, path)

    @staticmethod
    def _version(handle: int) -> tuple[int, str]:
        status = os.fstat(handle)
        return status.st_size, str(status.st_mtime_ns)


def _pieces(handle: int, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        piece = os.pread(handle, end - begin, begin)
        if not piece:
            raise OSError(0, "shorter than it was listed")
        yield piece
        begin += len(piece)
