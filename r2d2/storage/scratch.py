"""Scratch folders, and the end by Ctrl-C or SIGTERM, which removes them.

A scratch folder is locked while its process lives, so that the next run removes what a killed one
left. The lock is the system's (flock): it ends with the process, however that ends. Where a file
system has no locks, nothing of others is removed.

At a signal the process ends from the signal's handler, but never within a switch of files: an
exception could be swallowed by whatever runs just then, and work in other threads would hold it up.
"""

import fcntl
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from r2d2.errors import EXIT_INTERRUPTED, EXIT_TERMINATED

PREFIX = ".r2d2-"
_LOOK_S = 0.01
_open: "dict[Path, ScratchFolder]" = {}
_EXIT_CODES = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}
_LOCK = threading.Lock()
_switches: list[int] = []
_received: list[int] = []
_advice: list[str] = []


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
            # Another run may take it for a leftover before it is locked: then there is a new one.
            try:
                handle = os.open(self.path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            if _is_locked(handle) and is_at(handle, self.path):
                break
            os.close(handle)
        self._handle: int | None = handle
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


def _is_locked(handle: int) -> bool:
    """Whether the folder is this process's, as far as its file system has locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def to_disk(folder: Path) -> None:
    """Has the system write every file and folder in it to disk."""
    for path in folder.rglob("*"):
        if not path.is_symlink() and (path.is_file() or path.is_dir()):
            sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Has the system write the file or folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def end_on_signals() -> None:
    """From now on the two signals end this process, with their exit codes and no traceback."""
    for number in _EXIT_CODES:
        signal.signal(number, _end)


def end_quietly() -> None:
    """Ends this process from one of its threads, after the switch that is going on."""
    while _switches:
        time.sleep(_LOOK_S)
    remove_scratch()
    os._exit(0)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal that comes within ends the process only afterwards."""
    _switches.append(1)
    try:
        yield
    finally:
        _switches.pop()
        if _received and not _switches:
            _exit(_received[0])


@contextmanager
def advice_if_ended(text: str) -> Iterator[None]:
    """A signal that ends the process within says this, too."""
    _advice.append(text)
    try:
        yield
    finally:
        _advice.pop()


def _end(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if not _switches:
        _exit(number)


def _exit(number: int) -> None:
    if not _LOCK.acquire(blocking=False):
        return
    remove_scratch()
    name = "interrupted" if number == signal.SIGINT else "terminated"
    os.write(2, f"r2d2: {'; '.join([name, *_advice[-1:]])}\n".encode())
    os._exit(_EXIT_CODES[signal.Signals(number)])
