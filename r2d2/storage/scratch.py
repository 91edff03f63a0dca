"""Scratch folders: locked while their process lives, so that what a killed run left is removed.

The lock is the system's (flock): it ends with the process, however that ends. Where a file system
has no locks, nothing of others is removed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from r2d2.storage.interruption import before_the_end

PREFIX = ".r2d2-"
_open: "dict[Path, ScratchFolder]" = {}


class ScratchFolder:
    """A folder that only this user may read; removed by `cleanup`, by a signal, or by a later run.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, within: Path | None = None) -> None:
        """A folder in `within`, or where the system has its temporary files."""
        place = within or Path(tempfile.gettempdir())
        remove_leftovers(place)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
            handle = os.open(self.path, os.O_RDONLY)
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another run may have taken it for a leftover before it was locked.
            if _is_at(handle, self.path):
                break
            os.close(handle)
        self._handle: int | None = handle
        if not _open:
            before_the_end(remove_scratch)
        _open[self.path] = self

    def cleanup(self) -> None:
        """Removes the folder and all in it, if it is still there."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Gives the folder up: it stays, and is no scratch folder any more."""
        _open.pop(self.path, None)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def scratch_folder(within: Path | None = None) -> Iterator[Path]:
    """A scratch folder, removed at the end."""
    folder = ScratchFolder(within)
    try:
        yield folder.path
    finally:
        folder.cleanup()


def remove_scratch() -> None:
    """Removes the scratch folders of this process, which is about to end."""
    for folder in list(_open.values()):
        folder.cleanup()


def remove_leftovers(place: Path) -> None:
    """Removes this user's scratch folders in the place whose process has ended."""
    with suppress(OSError), os.scandir(place) as entries:
        names = [entry.path for entry in entries if entry.name.startswith(PREFIX)]
        for name in names:
            with suppress(OSError):
                _remove_if_left(name)


def _remove_if_left(name: str) -> None:
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(name)
    finally:
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False
