"""A Parquet footer, read in one go and proven sound before its statistics are looked at.

pyarrow ends the process when it is asked for the metadata of a column chunk that contradicts the
schema (a flipped bit is enough), while its readers refuse such a chunk with an error. So every
chunk is first offered to a reader, over a source that refuses to give any data.
"""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import UnreadableTableError
from r2d2.model import FileInfo
from r2d2.report.words import by_number, pluralize
from r2d2.storage.local import Storage

TAIL_BYTES = 64 << 10


def tail_of(storage: Storage, file: FileInfo) -> bytes:
    """The file's last bytes, its footer among them: one read where that is at most 64 KiB.

    Raises:
        UnreadableTableError: the file is empty, cut off, or no Parquet file.
    """
    if file.size_bytes < 12:
        size = pluralize(str(file.size_bytes), "byte")
        are = by_number(file.size_bytes, "is", "are")
        raise UnreadableTableError(f"{file.path}: {size} {are} no Parquet file")
    tail = storage.read(file, start=-min(TAIL_BYTES, file.size_bytes))
    if tail[-4:] != b"PAR1":
        raise UnreadableTableError(f"{file.path}: no Parquet footer: cut off, or another format")
    needed = int.from_bytes(tail[-8:-4], "little") + 8
    if needed > file.size_bytes:
        raise UnreadableTableError(f"{file.path}: the Parquet footer is damaged")
    return tail if needed <= len(tail) else storage.read(file, start=-needed)


def sound_metadata(tail: bytes, size_bytes: int) -> pq.FileMetaData:
    """The metadata in a file's tail, each column chunk accepted by a reader.

    Raises:
        OSError: a chunk contradicts the schema, or the footer is damaged.
    """
    source = _TailOnly(tail, size_bytes)
    file = pq.ParquetFile(pa.PythonFile(source, mode="r"), buffer_size=4096, pre_buffer=False)
    source.sealed = True
    for group in range(file.metadata.num_row_groups):
        try:
            next(file.reader.iter_batches(1, row_groups=[group], use_threads=False), None)
        except _SealedError:
            continue
    return file.metadata


class _SealedError(OSError):
    """Data was asked for, so that the chunks' metadata must have been accepted."""


class _TailOnly:
    """A file of which only the last bytes are there, and once sealed none."""

    closed = False

    def __init__(self, tail: bytes, size_bytes: int) -> None:
        self._tail = tail
        self._size_bytes = size_bytes
        self._place = 0
        self.sealed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._place, self._size_bytes)[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, length: int = -1) -> bytes:
        if self.sealed:
            raise _SealedError("no data is read for metadata")
        start = self._place - (self._size_bytes - len(self._tail))
        if start < 0:
            raise OSError("the footer claims bytes before its own")
        piece = self._tail[start:] if length < 0 else self._tail[start : start + length]
        self._place += len(piece)
        return piece

    def close(self) -> Any:
        return None
