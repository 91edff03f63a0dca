"""A lake in a bucket: `s3://`, `gs://`, `abfss://`, read by obstore.

A storage is its URL and settings without secrets; whoever uses it connects anew, so that it can be
sent to other processes and machines. Credentials come from the environment of each.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import pyarrow as pa

from r2d2.lake.object_file import RangeFile
from r2d2.lake.object_process import connection_of
from r2d2.model import FileInfo
from r2d2.storage.connection import Connection, Patience
from r2d2.storage.local import SMALL_FILE_BYTES, Listing
from r2d2.storage.object_listing import listing_of
from r2d2.storage.url import place_of, settings_of

# A slow line must bring one request's bytes within `Patience.request_s`.
PIECE_BYTES = 8 << 20
PIECES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """The objects below a prefix of a bucket.

    `run` names the connection that copies of this storage in one process share, with its count
    of requests and its knowledge that the store does not answer.
    """

    url: str
    patience: Patience = field(default_factory=Patience)
    settings: Mapping[str, str] = field(default_factory=settings_of, repr=False, compare=False)
    run: str = field(default_factory=lambda: uuid4().hex, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises UsageError for a URL that is none, or that holds a secret."""
        place_of(self.url)

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
        """How many requests were made in this process, not counting repetitions after failures."""
        return self._connection.requests

    @property
    def _connection(self) -> Connection:
        return connection_of(self.run, place_of(self.url), self.settings, self.patience)

    def _fetch(self, file: FileInfo, begin: int, end: int) -> bytes:
        connection = self._connection
        if end - begin <= PIECE_BYTES:
            return connection.get(file, begin, end) if begin < end else b""
        begins = range(begin, end, PIECE_BYTES)
        with ThreadPoolExecutor(PIECES_AT_ONCE) as pool:
            pieces = pool.map(lambda b: connection.get(file, b, min(b + PIECE_BYTES, end)), begins)
            return b"".join(pieces)
