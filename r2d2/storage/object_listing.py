"""The listing of an object store's prefix in one pass, whatever the keys are called."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from r2d2.errors import LakeError, UnreadableTableError
from r2d2.model import FileInfo
from r2d2.storage.connection import (
    CONCURRENT_READS,
    Connection,
    endpoint_of,
    unlistable,
    version_of,
)
from r2d2.storage.local import Listing, is_hidden
from r2d2.storage.url import name_problem

PAGE_KEYS = 1000


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
