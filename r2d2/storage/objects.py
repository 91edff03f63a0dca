"""A lake in a bucket: `s3://`, `gs://`, `abfss://`, read by obstore.

A storage is its URL and settings without secrets; whoever uses it connects anew, so that it can be
sent to other processes and machines. Credentials come from the environment of each.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import pyarrow as pa

from r2d2.model import FileInfo
from r2d2.storage.connection import Connection, Patience, connection_of, patience_of
from r2d2.storage.local import SMALL_FILE_BYTES, Listing
from r2d2.storage.object_listing import listing_of
from r2d2.storage.url import object_url, settings_of

# A slow line must bring one request's bytes within `Patience.request_s`.
PIECE_BYTES = 8 << 20
PIECES_AT_ONCE = 4
LEAST_BYTES = 64 << 10
MOST_AHEAD_BYTES = 8 << 20
# From here on a request's transfer takes longer than its way there and back.
LARGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """The objects below a prefix of a bucket.

    `run` names the connection that copies of this storage in one process share, with its count
    of requests and its knowledge that the store does not answer.
    """

    url: str
    patience: Patience = field(default_factory=patience_of)
    settings: Mapping[str, str] = field(default_factory=settings_of, repr=False, compare=False)
    run: str = field(default_factory=lambda: uuid4().hex, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises UsageError for a URL that is none, or that holds a secret."""
        object_url(self.url)

    def list(self) -> Listing:
        """Every object below the prefix with its ETag, in one pass."""
        return listing_of(self.url, self._connection, self.settings)

    def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start` (negative: from the end), at most `length` of them.

        One request for each 8 MiB; none for no bytes.
        """
        begin = max(0, file.size_bytes + start) if start < 0 else start
        end = file.size_bytes if length is None else min(begin + length, file.size_bytes)
        return self._fetch(file, begin, end)

    def open(self, file: FileInfo) -> Any:
        """A seekable file: in memory where it is small, fetched as it is read where it is large."""
        if file.size_bytes <= SMALL_FILE_BYTES:
            return pa.BufferReader(self.read(file))
        source = RangeFile(partial(self._fetch, file), file.size_bytes)
        return pa.PythonFile(source, mode="r")

    def absolute(self, path: str) -> str:
        """The URL, not quoted: for libraries that take keys as they are."""
        return f"{self.url.rstrip('/')}/{path}"

    @property
    def requests(self) -> int:
        """The number of requests made in this process, without repetitions after failures."""
        return self._connection.requests

    @property
    def _connection(self) -> Connection:
        return connection_of(self.run, object_url(self.url), self.settings, self.patience)

    def _fetch(self, file: FileInfo, begin: int, end: int) -> bytes:
        connection = self._connection
        if end - begin <= PIECE_BYTES:
            return connection.get(file, begin, end) if begin < end else b""
        begins = range(begin, end, PIECE_BYTES)
        with ThreadPoolExecutor(PIECES_AT_ONCE) as pool:
            pieces = pool.map(lambda b: connection.get(file, b, min(b + PIECE_BYTES, end)), begins)
            return b"".join(pieces)


class RangeFile:
    """A seekable file for `pa.PythonFile`, over `fetch(begin, end)`.

    A small read that goes on where the last one ended fetches ahead as much as was fetched so far,
    so that small column chunks side by side come together, and half of all fetched bytes are used.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size_bytes: int) -> None:
        """A file at its beginning; nothing is fetched yet."""
        self._fetch = fetch
        self._size_bytes = size_bytes
        self._position = 0
        self._begin = 0
        self._content = memoryview(b"")
        self._run_bytes = 0
        self.closed = False

    def read(self, size: int | None = -1) -> memoryview:
        """At most `size` bytes from the position on; all of them if it is None or negative."""
        left = max(0, self._size_bytes - self._position)
        size = left if size is None or size < 0 else min(size, left)
        if size and not self._begin <= self._position <= self._end - size:
            self._fill(size)
        offset = self._position - self._begin
        self._position += size
        return self._content[offset : offset + size]

    @property
    def _end(self) -> int:
        return self._begin + len(self._content)

    def _fill(self, size: int) -> None:
        """Brings in `size` bytes from the position on, after what is at hand already."""
        if self._begin <= self._position <= self._end and self._run_bytes:
            at_hand = self._content[self._position - self._begin :]
            ahead = min(self._run_bytes, MOST_AHEAD_BYTES) if size < LARGE_BYTES else 0
        else:
            at_hand, ahead, self._run_bytes = memoryview(b""), 0, 0
        start = self._position + len(at_hand)
        wanted = max(LEAST_BYTES, size - len(at_hand) + ahead)
        fetched = self._fetch(start, min(start + wanted, self._size_bytes))
        self._run_bytes += len(fetched)
        self._content = memoryview(b"".join((at_hand, fetched)) if at_hand else fetched)
        self._begin = self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to an offset from the beginning, the position or the end."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def close(self) -> None:
        """Lets go of what was fetched."""
        self._content = memoryview(b"")
        self.closed = True

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """False."""
        return False
