"""A lake in a local folder, and the protocol that it shares with object stores.

A folder's files are listed once: no link is followed, and what is no file is left out and told.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from r2d2.errors import DeniedError, LakeError, UnreadableTableError
from r2d2.model import FileInfo

_T = TypeVar("_T")
_R = TypeVar("_R")
REMOTE_THREADS = 64
"""A remote read mostly waits."""
AT_ONCE = 1024
"""So many answers may wait for the first of them."""

__all__ = ["NOT_LISTED", "Listing", "LocalStorage", "Storage", "is_hidden"]


SMALL_FILE_BYTES = 1 << 20
OWN_FILE_BYTES = 1 << 30
"""No record or note of r2d2's own is larger."""
NOT_LISTED = "folder cannot be listed"


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a lake in order of path, hidden ones too, and what is not among them.

    `left_out` are the (path, reason) of all that lies below the root and is no file in `files`: a
    link, a folder that cannot be listed, a FIFO, a name that cannot be used. `links` are further
    links, with the path of what each leads to in the lake, which is listed itself. `skipped` counts
    by reason what stands for nothing that a table could have. `linked` are files that have other
    names too (hard links), in the lake or elsewhere: to delete one frees nothing.
    """

    files: tuple[FileInfo, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    linked: frozenset[str] = frozenset()


class Storage(Protocol):
    """Reads a lake's bytes; picklable, so that executors can read too."""

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


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder. No symbolic link is followed: what it leads to in the lake is listed itself."""

    url: str

    def list(self) -> Listing:
        """Every regular file below the root, those with hidden names too."""
        return walk(self.url)

    def list_below(self, folder: str) -> Listing:
        """Those below one of its folders, their paths from the root on."""
        found = walk(f"{self.url}/{folder}")
        files = (FileInfo(f"{folder}/{f.path}", f.size_bytes, f.version) for f in found.files)
        left_out = tuple((f"{folder}/{path}", reason) for path, reason in found.left_out)
        links = {f"{folder}/{link}": target for link, target in found.links.items()}
        return Listing(tuple(files), left_out=left_out, links=links)

    def read(self, file: FileInfo, start: int = 0, length: int | None = None) -> bytes:
        """The bytes asked for, of the file as it was listed."""
        try:
            # Not `open`, whose objects take longer than the read of a small file.
            handle = os.open(f"{self.url}/{file.path}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if not _is_unchanged(os.fstat(handle), file):
                    raise UnreadableTableError(f"{file.path}: changed since it was listed")
                begin = max(0, file.size_bytes + start) if start < 0 else start
                end = file.size_bytes if length is None else min(begin + length, file.size_bytes)
                return _piece(handle, begin, end)
            finally:
                os.close(handle)
        except FileNotFoundError as error:
            raise UnreadableTableError(f"{file.path}: vanished since it was listed") from error
        except OSError as error:
            raise _unreadable(file, error) from error

    def open(self, file: FileInfo) -> Any:
        """A seekable file: in memory where it is small, read as needed where it is large."""
        if file.size_bytes <= SMALL_FILE_BYTES:
            return pa.BufferReader(self.read(file))
        self.read(file, length=0)
        try:
            return pa.OSFile(os.path.join(self.url, file.path))
        except OSError as error:
            raise _unreadable(file, error) from error

    def absolute(self, path: str) -> str:
        """The path on this machine."""
        return os.path.join(self.url, path)


def read_whole(storage: Storage, file: FileInfo, most_bytes: int = OWN_FILE_BYTES) -> bytes:
    """All bytes of a file that is small by its kind, and may say that it is huge.

    Raises:
        UnreadableTableError: it has more bytes than its kind may have, or cannot be read.
    """
    if file.size_bytes > most_bytes:
        told = f"{file.size_bytes} bytes are more than such a file has: it is not read"
        raise UnreadableTableError(f"{file.path}: {told}")
    return storage.read(file)


def in_order(storage: Storage, read: Callable[[_T], _R], wanted: Sequence[_T]) -> Iterator[_R]:
    """What `read` gives of each; many are read at once where the storage answers from afar."""
    if "://" not in storage.url:
        yield from map(read, wanted)
        return
    with ThreadPoolExecutor(REMOTE_THREADS) as pool:
        for start in range(0, len(wanted), AT_ONCE):
            yield from pool.map(read, wanted[start : start + AT_ONCE])


def version_of(status: os.stat_result) -> str:
    """The times at which the file's bytes, and its entry, changed last, in ns.

    A file that takes another's place may have its mtime (`cp -p`, `rsync -a`, a restored backup);
    its ctime nobody sets.
    """
    return f"{status.st_mtime_ns}.{status.st_ctime_ns}"


def snapshot_of(files: Iterable[FileInfo]) -> str:
    """The snapshot of a table that is these files, each as it was listed."""
    listed = "".join(f"{file.path}\0{file.size_bytes}\0{file.version}\n" for file in files)
    return "files:" + hashlib.sha256(listed.encode()).hexdigest()[:16]


def _unreadable(file: FileInfo, error: OSError) -> UnreadableTableError:
    kind = DeniedError if isinstance(error, PermissionError) else UnreadableTableError
    return kind(f"{file.path}: {error.strerror or error}")


def _is_unchanged(status: os.stat_result, file: FileInfo) -> bool:
    """Whether the file has the size and mtime it was listed with.

    Its ctime matters between runs alone: a backup that links to the file while a run reads it
    changes no byte.
    """
    mtime = file.version.partition(".")[0]
    return status.st_size == file.size_bytes and str(status.st_mtime_ns) == mtime


def _piece(handle: int, begin: int, end: int) -> bytes:
    pieces = []
    while begin < end:
        piece = os.pread(handle, end - begin, begin)
        if not piece:
            raise OSError(0, "shorter than it was listed")
        pieces.append(piece)
        begin += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def is_hidden(name: str) -> bool:
    """Whether a name is a side file's by the convention of Hadoop and Spark."""
    return name[:1] in ("_", ".")


def walk(root: str) -> Listing:
    """Every regular file below the root, and what else is there.

    Raises:
        LakeError: the root itself cannot be listed.
    """
    steps = _Walk(root)
    steps.take_all()
    files = sorted(steps.files, key=lambda file: file.path)
    left_out, linked = tuple(sorted(steps.left_out)), frozenset(steps.linked)
    return Listing(tuple(files), {}, left_out, steps.links, linked)


class _Walk:
    """The files and problems found so far, and the folders still to be listed."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files: list[FileInfo] = []
        self.links: dict[str, str] = {}
        self.linked: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self.pending: list[str] = [""]

    def take_all(self) -> None:
        while self.pending:
            folder = self.pending.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as listed:
                    entries = list(listed)
            except OSError as error:
                if not folder:
                    raise LakeError(f"{self.root}: {error.strerror}") from error
                self.left_out.append((folder, f"{NOT_LISTED}: {error.strerror}"))
                continue
            for entry in entries:
                self.take(entry, f"{folder}/{entry.name}" if folder else entry.name)

    def take(self, entry: "os.DirEntry[str]", path: str) -> None:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        if shown != path:
            self.left_out.append((shown, "name is not UTF-8"))
        else:
            try:
                self._take_well_named(entry, path)
            except OSError as error:
                self.left_out.append((path, f"cannot be looked at: {error.strerror}"))

    def _take_well_named(self, entry: "os.DirEntry[str]", path: str) -> None:
        if entry.is_symlink():
            self._take_link(path)
        elif entry.is_dir(follow_symlinks=False):
            self.pending.append(path)
        else:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                self.files.append(FileInfo(path, status.st_size, version_of(status)))
                if status.st_nlink > 1:
                    self.linked.append(path)
            else:
                self.left_out.append((path, "not a regular file"))

    def _take_link(self, path: str) -> None:
        full = os.path.join(self.root, path)
        target = os.path.realpath(full)
        if os.path.commonpath([self.root, target]) != self.root:
            self.left_out.append((path, "symbolic link that leaves the lake: refused"))
        elif not os.path.exists(full):
            self.left_out.append((path, "broken symbolic link"))
        else:
            self.links[path] = os.path.relpath(target, self.root) if target != self.root else ""
