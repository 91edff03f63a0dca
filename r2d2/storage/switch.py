"""The switch of an output folder from its old files to new ones.

The new files wait in the folder's `SWITCH`, with a list of steps. A mirror is made beside the
folder: links to its files as they will be. One system call exchanges the names of the two, so that
a reader finds the mirror. Unseen, each file is moved to its place, and a second call exchanges the
names again: the folder stays the one it was, for those who stand in it. So a reader finds the old
files or the new ones, also where the process is killed, and the next command that opens the folder
goes on from there.

Where names cannot be exchanged (no Linux, NFS, a mount point, no right to write beside the folder)
the files are moved in sight, and a reader may find both after a kill, beside `SWITCH`.
Where a file cannot be moved, all go back.
"""

import ctypes
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from r2d2.storage.scratch import PREFIX, ScratchFolder, is_at, sync, to_disk, uninterrupted

MARKER = ".r2d2"
"""A file that names what r2d2 wrote into its folder."""
SWITCH = ".r2d2_switch"
"""A folder in which an output folder's new files wait for their places."""
MIRROR = ".r2d2_mirror"
"""A file in a mirror that names the files that are new in it."""
NEW = "new"
_OLD, _STEPS = "old", "steps.json"
# More links than this take longer than a reader would be misled.
_MOST_LINKS = 50_000
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def is_unsettled(out: Path) -> bool:
    """Whether a run was killed in its switch of the folder, or is in it."""
    left = (out / SWITCH, out / MIRROR, _beside(out))
    return any(os.path.lexists(path) for path in left)


@contextmanager
def held(out: Path) -> Iterator[None]:
    """While it lasts, no other run switches the folder, and no signal ends this one.

    A switch that was broken off is finished first.

    Raises:
        OSError: a file cannot take its place, or nothing may be written here.
    """
    with _locked(out), uninterrupted():
        _go_on(out)
        yield


def switch(out: Path, scratch: ScratchFolder, moved: Iterable[str]) -> None:
    """Puts the scratch folder's new files into their places.

    Files of the folder that are `moved` are removed: they are among the new ones. The folder must
    be `held`.

    Raises:
        OSError: a file cannot be moved; nothing is changed.
    """
    _prepare(out, scratch.path, moved)
    os.rename(scratch.path, out / SWITCH)
    scratch.release()
    sync(out)
    _go_on(out)


def _prepare(out: Path, scratch: Path, moved: Iterable[str]) -> None:
    """Keeps what is there, to be put back, and lists the steps."""
    names = files_of(scratch / NEW)
    for path in names:
        target = out / path
        if target.exists() and not target.is_file():
            raise OSError(0, f"{path} is there, and is no file")
        if os.path.lexists(target):
            link(target, scratch / _OLD / path)
    steps = {
        "placed": [path.as_posix() for path in names],
        "removed": [name for name in moved if Path(name) not in names],
    }
    (scratch / _STEPS).write_text(json.dumps(steps), encoding="utf-8")
    to_disk(scratch)


def _go_on(out: Path) -> None:
    """Does what is left of a switch, from wherever it was broken off."""
    mirror = _beside(out)
    if os.path.lexists(out / MIRROR):
        if mirror.is_dir():
            _finish_unseen(out, mirror)
        else:
            # Someone gave the mirror another name: it is whole.
            (out / MIRROR).unlink()
        return
    is_mirror = os.path.lexists(mirror / MIRROR)
    if not os.path.lexists(out / SWITCH):
        if is_mirror:
            _drop_mirror(out, mirror)
        return
    if is_mirror:
        _discard(mirror)
    if _make_mirror(out, mirror):
        _finish_unseen(out, mirror)
    else:
        _finish(out)


def _make_mirror(out: Path, mirror: Path) -> bool:
    """Whether there is now a mirror of the folder as it will be."""
    steps = _steps(out / SWITCH)
    # One file is switched by its own move; a marker beside it says what it said.
    is_one = len({*steps["placed"], *steps["removed"]} - {MARKER}) < 2
    if is_one or not sys.platform.startswith("linux") or out == out.parent:
        return False
    waiting = {n for n in steps["placed"] if os.path.lexists(out / SWITCH / NEW / n)}
    try:
        mirror.mkdir(mode=0o700)
    except OSError:
        return False
    try:
        (mirror / MIRROR).write_text(json.dumps(steps["placed"]), encoding="utf-8")
        _link_all(out, mirror, waiting, {SWITCH, *steps["removed"]})
        for name in waiting:
            (mirror / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(out / SWITCH / NEW / name, mirror / name)
        _same_rights(out, mirror)
        for folder, _, _ in os.walk(mirror):
            sync(Path(folder))
    except OSError:
        _discard(mirror)
        return False
    return True


def _link_all(out: Path, mirror: Path, without: Iterable[str], not_below: Iterable[str]) -> None:
    """Links every file of the folder into the mirror, but those named.

    Raises:
        OSError: a file cannot be linked, or there are too many.
    """
    skipped = {out / name for name in (*without, *not_below)}
    folders, links = [], 0
    for place, names, files in os.walk(out, onerror=_raise):
        folder = Path(place)
        at = mirror / folder.relative_to(out)
        folders.append((folder, at))
        inside = [n for n in names if not (folder / n).is_symlink()]
        inside = [n for n in inside if folder / n not in skipped and not n.startswith(PREFIX)]
        for name in {*files, *names} - {*inside}:
            if name.startswith(PREFIX) or folder / name in skipped:
                continue
            os.link(folder / name, at / name, follow_symlinks=False)
        for name in inside:
            (at / name).mkdir()
        names[:] = inside
        links += len(files)
        if links > _MOST_LINKS:
            raise OSError(0, "too many files to link")
    for folder, at in reversed(folders[1:]):
        _same_rights(folder, at)


def _finish_unseen(out: Path, mirror: Path) -> None:
    """Finishes the switch while readers see the mirror in the folder's place."""
    # Another run that opens the mirror as the folder waits for the end, too.
    with _locked(mirror):
        if not os.path.lexists(out / MIRROR):
            try:
                exchange(out, mirror)
            except OSError:
                _discard(mirror)
                _finish(out)
                return
        try:
            if os.path.lexists(mirror / SWITCH):
                _finish(mirror)
        finally:
            exchange(out, mirror)
            _drop_mirror(out, mirror)


def _drop_mirror(out: Path, mirror: Path) -> None:
    """Removes the mirror; what others wrote there while it was seen goes into the folder."""
    placed = set(json.loads((mirror / MIRROR).read_text(encoding="utf-8")))
    for path in files_of(mirror):
        if path.as_posix() in placed or path == Path(MIRROR):
            continue
        with suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(mirror / path), os.lstat(out / path)):
                continue
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(mirror / path, out / path)
    _discard(mirror)


def exchange(one: Path, other: Path) -> None:
    """Gives each folder the other's name, at once.

    Raises:
        OSError: the system, or the file system, cannot.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(0, "no system call exchanges names here")
    names = os.fsencode(one), os.fsencode(other)
    if call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))
    sync(one.parent)


def _finish(out: Path) -> None:
    """Moves every file of the switch to its place; puts all back where one cannot be moved.

    What a run did of it before it was killed is done already, and is not done again.
    """
    waiting = out / SWITCH
    steps = _steps(waiting)
    try:
        for name in steps["placed"]:
            if os.path.lexists(waiting / NEW / name):
                _make_folders(waiting / NEW, out, Path(name))
                os.replace(waiting / NEW / name, out / name)
    except OSError:
        for name in steps["placed"]:
            if not os.path.lexists(waiting / NEW / name):
                (out / name).unlink(missing_ok=True)
            if os.path.lexists(waiting / _OLD / name):
                with suppress(OSError):
                    os.replace(waiting / _OLD / name, out / name)
        _discard(waiting)
        raise
    for name in steps["removed"]:
        _remove(out / name)
    sync(out)
    _discard(waiting)


def _make_folders(source: Path, target: Path, path: Path) -> None:
    """Makes the folders above the path in the target, with their rights in the source."""
    for folder in reversed(path.parents[:-1]):
        if not (target / folder).is_dir():
            (target / folder).mkdir()
            (target / folder).chmod((source / folder).stat().st_mode & 0o777)


def _steps(waiting: Path) -> dict[str, list[str]]:
    steps: dict[str, list[str]] = json.loads((waiting / _STEPS).read_text(encoding="utf-8"))
    return steps


def _discard(folder: Path) -> None:
    """Removes a folder, first under a leftover's name: the half of one must not be used."""
    done = folder.with_name(f"{PREFIX}done-{os.getpid()}")
    shutil.rmtree(done, ignore_errors=True)
    os.rename(folder, done)
    shutil.rmtree(done, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _beside(out: Path) -> Path:
    return out.parent / f"{MIRROR}-{out.name}"


def _same_rights(folder: Path, other: Path) -> None:
    about = folder.stat()
    with suppress(OSError):
        os.chown(other, about.st_uid, about.st_gid)
    shutil.copystat(folder, other)


def _raise(error: OSError) -> None:
    raise error


def link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where a file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def files_of(folder: Path) -> list[Path]:
    """Every file below the folder, relative to it."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder) for path in found)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """While it lasts, no other run switches the folder; as far as the file system has locks."""
    handle = _lock(out)
    try:
        yield
    finally:
        os.close(handle)


def _lock(out: Path) -> int:
    while True:
        handle = os.open(out, os.O_RDONLY)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        # It may be a mirror that stood here while another run's switch lasted.
        if is_at(handle, out):
            return handle
        os.close(handle)
