"""Where a lake's bytes are: a folder here, an object store in `object_store`.

Both answer the same four questions: what is there, a range of bytes, a seekable file, a full path.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from r2d2.errors import LakeError, UnreadableTableError
from r2d2.model import FileInfo

SMALL_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a lake in order of path, what was skipped by reason, and what is wrong."""

    files: tuple[FileInfo, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[tuple[str, str], ...] = ()


class Storage(Protocol):
    """What reads a lake's bytes; picklable, so that executors can read too."""

    url: str

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
    from r2d2.lake.object_store import ObjectStorage

    return ObjectStorage(lake)


def is_hidden(name: str) -> bool:
    """Whether a name is a side file's by the convention of Hadoop and Spark."""
    return name[0] in "._" and name not in ("_delta_log", ".hoodie")


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder. Symbolic links are never followed: what they lead to in the lake is listed itself."""

    url: str

    def list(self) -> Listing:
        """Every regular file below the root; hidden names are left out but for Delta's own."""
        files: list[FileInfo] = []
        skipped: Counter[str] = Counter()
        problems: list[tuple[str, str]] = []
        pending: list[tuple[str, bool]] = [("", False)]
        while pending:
            folder, in_table = pending.pop()
            try:
                entries = list(os.scandir(os.path.join(self.url, folder)))
            except OSError as error:
                if not folder:
                    raise LakeError(f"{self.url}: {error.strerror}") from error
                problems.append((folder, f"folder cannot be listed: {error.strerror}"))
                continue
            in_table = in_table or any(e.name == "_delta_log" for e in entries)
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if not in_table and is_hidden(entry.name):
                    skipped["name starts with _ or ."] += 1
                    continue
                try:
                    self._take(entry, path, in_table, files, skipped, problems, pending)
                except OSError as error:
                    problems.append((path, f"cannot be looked at: {error.strerror}"))
        return Listing(tuple(sorted(files, key=_path)), dict(skipped), tuple(sorted(problems)))

    def _take(
        self,
        entry: "os.DirEntry[str]",
        path: str,
        in_table: bool,
        files: "list[FileInfo]",
        skipped: "Counter[str]",
        problems: "list[tuple[str, str]]",
        pending: "list[tuple[str, bool]]",
    ) -> None:
        try:
            path.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode(errors="backslashreplace")
            problems.append((shown, "name is not UTF-8"))
            return
        if entry.is_symlink():
            reason = self._link_problem(path)
            if reason is None:
                skipped["symbolic link to what is listed itself"] += 1
            else:
                problems.append((path, reason))
        elif entry.is_dir(follow_symlinks=False):
            pending.append((path, in_table))
        else:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                files.append(FileInfo(path, status.st_size, str(status.st_mtime_ns)))
            else:
                skipped["not a regular file"] += 1

    def _link_problem(self, path: str) -> str | None:
        full = os.path.join(self.url, path)
        target = os.path.realpath(full)
        if os.path.commonpath([self.url, target]) != self.url:
            return "symbolic link that leaves the lake: refused"
        return None if os.path.exists(full) else "broken symbolic link"

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


def _path(file: FileInfo) -> str:
    return file.path
