"""A lake in a bucket: `s3://`, `gs://`, `abfss://`, read by obstore.

A storage is its URL and settings without secrets; whoever uses it connects anew, so that it can be
sent to other processes and machines. Credentials come from the environment of each. Its prefix is
listed in one pass, whatever the keys are called.
"""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import pyarrow as pa

from r2d2.errors import LakeError, UnreadableTableError
from r2d2.model import FileInfo
from r2d2.storage.connection import (
    CONCURRENT_READS,
    Connection,
    Patience,
    connection_of,
    endpoint_of,
    patience_of,
    unlistable,
    version_of,
)
from r2d2.storage.local import SMALL_FILE_BYTES, Listing, is_hidden
from r2d2.storage.url import name_problem, object_url, settings_of

# A slow line must bring one request's bytes within `Patience.request_s`.
PIECE_BYTES = 8 << 20
PIECES_AT_ONCE = 4
LEAST_BYTES = 64 << 10
MOST_AHEAD_BYTES = 8 << 20
# From here on a request's transfer takes longer than its way there and back.
LARGE_BYTES = 1 << 20
PAGE_KEYS = 1000


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


def listing_of(url: str, connection: Connection, settings: Mapping[str, str]) -> Listing:
    """All objects below the prefix; those whose names cannot be used are problems.

    Raises:
        LakeError: the store does not list them.
    """
    from obstore.exceptions import BaseError, InvalidPathError

    address = connection.address
    try:
        files = _listed(connection)
    except InvalidPathError as error:
        culprit = _culprit(str(error))
        if not address.is_s3:
            raise LakeError(f"{url}: cannot be listed because of {culprit!r}; rename it") from None
        files = _listed_by_pyarrow(url, connection, settings)
        files.append(FileInfo(culprit.removeprefix(address.key("")), 0, ""))
    except (BaseError, FileNotFoundError) as error:
        raise unlistable(url, address, error, connection.patience.silence_s) from None
    connection.count(max(1, -(-len(files) // PAGE_KEYS)))
    if address.prefix and not files:
        raise LakeError(f"{url}: no objects there; check the name")
    return _sorted_out(files, connection)


def _listed(connection: Connection) -> list[FileInfo]:
    # A thread of its own: the caller's may have an event loop already.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _listed_while_it_advances(connection)).result()


async def _listed_while_it_advances(connection: Connection) -> list[FileInfo]:
    """All objects; a store that tells the same for ever, or ends in the middle, is told apart."""
    import obstore

    start = len(connection.address.key(""))
    prefix = connection.address.prefix or None
    files: list[FileInfo] = []
    names: set[str] = set()
    last = None
    pages = obstore.list(connection.store, prefix, chunk_size=PAGE_KEYS)
    while page := await _next_page(pages, connection):
        found = [FileInfo(meta["path"][start:], meta["size"], version_of(meta)) for meta in page]
        before, last = len(names), page[-1]["path"]
        names.update(file.path for file in found)
        if len(names) == before and len(found) >= PAGE_KEYS:
            raise _broken(connection, "the store tells the same objects again and again")
        files += found
    if last is not None and len(files) % PAGE_KEYS == 0:
        connection.count(1)
        after = obstore.list(connection.store, prefix, offset=last, chunk_size=1)
        more = await _next_page(after, connection)
        if any(meta["path"] != last for meta in more):
            raise _broken(connection, f"it ended after {len(files)} objects, and there are more")
    return files


async def _next_page(pages: Any, connection: Connection) -> Sequence[Any]:
    """The next page; none at the end."""
    try:
        return list(await asyncio.wait_for(anext(pages), connection.patience.listing_s))
    except StopAsyncIteration:
        return ()
    except TimeoutError:
        limit_s = connection.patience.listing_s
        raise _broken(connection, f"it brought no object for {limit_s:g} s") from None


def _broken(connection: Connection, reason: str) -> LakeError:
    address = connection.address
    return LakeError(
        f"{address.scheme}://{address.bucket}/{address.prefix}: the listing does not advance:"
        f" {reason}; try again, or ask who runs the store"
    )


def _culprit(message: str) -> str:
    """The key at which obstore's listing failed."""
    found = re.search(r'Path "(.*?)"(?:: Enc| cont)', message, re.S)
    return found[1] if found else ""


def _listed_by_pyarrow(
    url: str, connection: Connection, settings: Mapping[str, str]
) -> list[FileInfo]:
    """The listing by pyarrow, without ETags: obstore gives up at a key that is no path to it."""
    from pyarrow import fs

    root = connection.address.bucket + "/" + connection.address.key("")
    try:
        selector = fs.FileSelector(root.rstrip("/"), recursive=True)
        found = _pyarrow_store(connection, settings).get_file_info(selector)
    except OSError as error:
        silence_s = connection.patience.silence_s
        raise unlistable(url, connection.address, error, silence_s) from None
    return [
        FileInfo(info.path[len(root) :], info.size, version_of(_meta(info)))
        for info in found
        if info.type == fs.FileType.File
    ]


def _pyarrow_store(connection: Connection, settings: Mapping[str, str]) -> Any:
    from pyarrow import fs

    values = {**settings, **os.environ}
    return fs.S3FileSystem(
        endpoint_override=endpoint_of(values),
        region=values.get("AWS_REGION") or values.get("AWS_DEFAULT_REGION"),
        anonymous=values.get("AWS_SKIP_SIGNATURE", "").lower() in ("true", "1"),
        connect_timeout=connection.patience.connect_s,
        request_timeout=connection.patience.silence_s,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )


def _meta(info: Any) -> dict[str, Any]:
    return {"e_tag": None, "last_modified": info.mtime, "size": info.size}


def _sorted_out(found: Sequence[FileInfo], connection: Connection) -> Listing:
    """The files whose names are unique; obstore cuts a `/` off a key's ends, as folders have."""
    times = Counter(file.path for file in found)
    folders = {path[: cut.start()] for path in times for cut in re.finditer("/", path)}
    problems = {path: reason for path in times if (reason := name_problem(path))}
    for path, count in times.items():
        if count > 1 and path not in problems and path not in folders:
            problems[path] = "several objects have this name but for a `/` at its ends; rename them"
    named = [file for file in found if file.path not in problems]
    markers = _markers([file for file in named if not file.size_bytes], folders, connection)
    files = sorted((f for f in named if f.path not in markers), key=lambda file: file.path)
    shown = sorted((_printable(path), reason) for path, reason in problems.items())
    return Listing(tuple(files), {"folder marker": len(markers)} if markers else {}, tuple(shown))


def _markers(empty: Sequence[FileInfo], folders: set[str], connection: Connection) -> set[str]:
    """The empty objects that stand for folders: with files below, or else not there as files."""
    known = {file.path for file in empty if file.path in folders}
    unsure = [f for f in empty if f.path not in known and not is_hidden(_name(f.path))]
    if not unsure:
        return known
    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        there = pool.map(lambda file: _is_there(connection, file), unsure)
        return known | {file.path for file, found in zip(unsure, there, strict=True) if not found}


def _is_there(connection: Connection, file: FileInfo) -> bool:
    try:
        return connection.holds(file)
    except UnreadableTableError:
        return True


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _printable(path: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", path)
