"""Files that r2d2 writes into a lake: each durable, none over another, none out of the lake."""

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Protocol
from uuid import uuid4

from r2d2.errors import LakeError, R2D2Error
from r2d2.lake.deletions import HEAD, HOME
from r2d2.model import FileInfo
from r2d2.storage.local import Listing, LocalStorage, Storage, version_of
from r2d2.storage.output import mode_of
from r2d2.storage.scratch import PREFIX, sync

SELF_TEST = f"{HOME}/selftest"


class PlaceError(R2D2Error):
    """A path leads out of the lake, or something is where nothing may be."""


class LakePlace(Protocol):
    """A lake that can be written; paths are relative to its root."""

    @property
    def storage(self) -> Storage:
        """The lake, as it is read."""

    def listing(self, below: str) -> Listing:
        """All files below a folder, their paths from the lake's root on; none where it is not."""

    def put_new(self, path: str, content: bytes) -> None:
        """Writes a file, durably and whole or not at all.

        Raises:
            FileExistsError: there is one.
        """

    def replace(self, path: str, content: bytes) -> None:
        """Writes a file of r2d2's own in the place of an older one, at once."""

    def remove(self, path: str) -> None:
        """Deletes one file by its name; nothing happens where there is none."""

    def remove_empty(self, path: str) -> None:
        """Removes a folder of r2d2's own, and those in it, as far as they are empty."""

    def file(self, path: str) -> FileInfo | None:
        """The file as it is now; None where there is none."""

    def building(self) -> AbstractContextManager[Path]:
        """A folder on this machine: files written in it become the lake's, none over another."""

    def test(self, verb: str) -> None:
        """Passes where the storage refuses what it must; files for that are removed again.

        Raises:
            PlaceError: it does not, so that this verb could lose rows.
        """

    def clock(self) -> datetime:
        """The storage's own time, as it gave it to the newest file of the journal."""


class LocalPlace:
    """A lake in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.storage = LocalStorage(str(self.root))

    def path(self, path: str) -> Path:
        """The path on this machine; no link on the way leads elsewhere.

        Raises:
            PlaceError: it leads out of the lake.
        """
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\0" in path:
            raise PlaceError(f"{path!r} is no place within the lake")
        full = self.root.joinpath(*parts)
        above = full.parent
        if above.resolve() != above:
            raise PlaceError(f"{path}: a link on the way leads elsewhere")
        return full

    def listing(self, below: str) -> Listing:
        """All files below a folder, their paths from the lake's root on."""
        folder = self.path(below)
        if not os.path.lexists(folder):
            return Listing(())
        if folder.is_symlink() or not folder.is_dir():
            return Listing((), left_out=((below, "no folder"),))
        try:
            return self.storage.list_below(below)
        except LakeError as error:
            raise LakeError(f"{error}; let this user read it, or take one who may") from error

    def put_new(self, path: str, content: bytes) -> None:
        """Writes a file: beside its place, to disk, and then a link that never replaces."""
        target = self.path(path)
        self.make_folder(str(PurePosixPath(path).parent))
        try:
            self._link(self._written(target, content), target)
        except FileNotFoundError:  # another runner took it for what a killed one left
            self._link(self._written(target, content), target)
        sync(target.parent)

    @staticmethod
    def _link(waiting: Path, target: Path) -> None:
        try:
            os.link(waiting, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(waiting)

    def replace(self, path: str, content: bytes) -> None:
        """Writes a file, and renames it over an older one."""
        target = self.path(path)
        self.make_folder(str(PurePosixPath(path).parent))
        os.replace(self._written(target, content), target)
        sync(target.parent)

    def _written(self, target: Path, content: bytes) -> Path:
        waiting = target.with_name(f"{PREFIX}{uuid4().hex}")
        try:
            self._write(waiting, content)
        except OSError as error:
            error.filename = str(target)
            raise
        return waiting

    def _write(self, waiting: Path, content: bytes) -> None:
        handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode_of(0o666))
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        except BaseException:
            with suppress(OSError):
                os.unlink(waiting)
            raise
        finally:
            os.close(handle)

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it, each durably."""
        if path == ".":
            return
        full = self.path(path)
        if full.is_dir() and not full.is_symlink():
            return
        self.make_folder(str(PurePosixPath(path).parent))
        with suppress(FileExistsError):
            full.mkdir(mode=mode_of(0o777))
        sync(full.parent)

    def remove(self, path: str) -> None:
        """Deletes one file by its name."""
        full = self.path(path)
        with suppress(FileNotFoundError):
            os.unlink(full)
            sync(full.parent)

    def remove_empty(self, path: str) -> None:
        """Removes a folder and those in it, of r2d2's own, as far as they are empty."""
        if not path.startswith(f"{HOME}/"):
            raise PlaceError(f"{path}: r2d2 removes no folder but its own")
        for folder, _, _ in os.walk(self.path(path), topdown=False):
            try:
                os.rmdir(folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    raise

    def clock(self) -> datetime:
        """The file system's time: the last change of the head."""
        return datetime.fromtimestamp(os.stat(self.path(HEAD)).st_mtime, UTC)

    def file(self, path: str) -> FileInfo | None:
        """The file as it is now; None where there is none."""
        with suppress(FileNotFoundError, NotADirectoryError):
            status = os.lstat(self.path(path))
            return FileInfo(path, status.st_size, version_of(status))
        return None

    @contextmanager
    def building(self) -> Iterator[Path]:
        """The lake itself."""
        yield self.root

    def test(self, verb: str) -> None:
        """Passes where a file is never written over another, and somebody may write at all."""
        if is_read_only(self.root):
            told = "its permissions let nobody write there, which holds for root as well"
            raise PlaceError(f"`{verb}` is refused in {self.root}: {told}")
        path = f"{SELF_TEST}/{uuid4().hex}"
        try:
            self.put_new(path, b"1")
        except OSError as error:
            error.filename = str(self.root / HOME)
            raise
        try:
            self.put_new(path, b"2")
        except FileExistsError:
            return
        finally:
            self.remove(path)
        raise PlaceError(f"`{verb}` is refused: this file system lets a link replace a file")

    def exists(self, path: str) -> bool:
        """Whether anything is there, a broken link too."""
        return os.path.lexists(self.path(path))


def is_read_only(folder: Path) -> bool:
    """Whether the folder's permissions let nobody write in it, not that root could all the same.

    Whoever took all rights to write away did not want tables to leave.
    """
    return not folder.stat().st_mode & 0o222
