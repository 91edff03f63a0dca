"""Output files: a folder gets all of a command's files at one switch, or stays as it is.

All are written into a scratch folder beside their places, and brought to disk. Where the output
folder is new, one rename gives the scratch folder its name. Else one rename makes it the output
folder's `SWITCH`; then each file is moved to its place, and where one cannot be, all go back. If
the process is killed between, the next command that opens the folder finishes the switch.

Files are only for their owner, unless `R2D2_UMASK` says otherwise.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from r2d2.errors import R2D2Error, UsageError
from r2d2.storage.interruption import uninterrupted
from r2d2.storage.scratch import PREFIX, ScratchFolder, remove_leftovers

MARKER = ".r2d2"
"""A file that names what r2d2 wrote into its folder."""
SWITCH = ".r2d2_switch"
"""A folder in which an output folder's new files wait for their places."""
_NEW, _OLD, _STEPS = "new", "old", "steps.json"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

Check = Callable[[], Mapping[str, str]]


class Marker(msgspec.Struct, forbid_unknown_fields=True):
    """The marker's content: names of files and folders beside it that r2d2 wrote."""

    written_by: Literal["r2d2"]
    files: list[str]
    folders: list[str] = []


def prepare(out: Path) -> None:
    """Makes ready for output to the folder: what a killed run left in it is finished or removed.

    Raises:
        UsageError: it is a URL.
        R2D2Error: what was left cannot be finished.
    """
    if _URL.match(str(out)):
        raise UsageError(f"{out}: output goes to a folder; give one, and copy it from there")
    try:
        remove_leftovers(out.parent)
        if out.is_dir():
            remove_leftovers(out)
            settle(out)
    except OSError as error:
        raise _not_written(out, error) from error


def write_files(
    out: Path, texts: Mapping[str, str], check: Check | None = None, *, marked: bool = True
) -> None:
    """Writes each text under its name into the folder, all or none: see `new_files`."""
    with new_files(out, check, marked=marked) as folder:
        for name, text in texts.items():
            Path(folder, name).write_text(text, encoding="utf-8", newline="")


@contextmanager
def new_files(out: Path, check: Check | None = None, *, marked: bool = True) -> Iterator[Path]:
    """A scratch folder whose files become those of `out` when all went well.

    `check` is called before the switch, while no other run may switch: it may refuse by raising,
    and returns the files that must go elsewhere within `out`, each with its new name. A marker,
    unless it is not wanted, names all of them: so they are no tables where the folder lies in a
    lake.

    Raises:
        UsageError: `out` is a URL.
        R2D2Error: it cannot be written.
    """
    prepare(out)
    _mode(0)
    try:
        made = _missing(out)
        out.parent.mkdir(parents=True, exist_ok=True, mode=_mode(0o777))
        scratch = ScratchFolder(out if out.is_dir() else out.parent)
        try:
            fresh = scratch.path / _NEW
            fresh.mkdir()
            yield fresh
            _switch(out, scratch, check, marked)
        except BaseException:
            scratch.cleanup()
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()
            raise
    except OSError as error:
        raise _not_written(out, error) from error


def settle(out: Path) -> None:
    """Finishes the switch of a run that was killed in it.

    Raises:
        R2D2Error: a file cannot take its place, or nothing may be written here.
    """
    if os.path.lexists(out / SWITCH):
        with _locked(out), uninterrupted():
            if os.path.lexists(out / SWITCH):
                try:
                    _finish(out)
                except OSError as error:
                    raise _not_written(out, error) from error


def _switch(out: Path, scratch: ScratchFolder, check: Check | None, marked: bool) -> None:
    fresh = scratch.path / _NEW
    if not out.is_dir() and marked:
        _mark(out, fresh)
    for path in _files(fresh):
        (fresh / path).chmod(_mode(0o666))
    _to_disk(fresh)
    if not out.is_dir():
        with uninterrupted():
            fresh.chmod(_mode(0o777))
            os.rename(fresh, out)
            scratch.cleanup()
            _sync(out.parent)
        return
    with _locked(out), uninterrupted():
        if os.path.lexists(out / SWITCH):
            _finish(out)
        _prepare_switch(out, scratch.path, check() if check else {}, marked)
        os.rename(scratch.path, out / SWITCH)
        scratch.release()
        _sync(out)
        _finish(out)


def _mark(out: Path, fresh: Path) -> None:
    """Writes the marker: it names what is new, and what the folder's marker names already."""
    before = Marker("r2d2", [])
    with suppress(OSError, msgspec.DecodeError):
        before = msgspec.json.decode((out / MARKER).read_bytes(), type=Marker)
    files = {path.name for path in fresh.iterdir() if not path.is_dir()}
    folders = {path.name for path in fresh.iterdir() if path.is_dir()}
    text = json_text(
        {
            "written_by": "r2d2",
            "files": sorted({*before.files, *files} - {MARKER}),
            "folders": sorted({*before.folders, *folders}),
        }
    )
    (fresh / MARKER).write_text(text, encoding="utf-8")
    (fresh / MARKER).chmod(_mode(0o666))


def _prepare_switch(out: Path, scratch: Path, moved: Mapping[str, str], marked: bool) -> None:
    """Keeps what is there: to be put back, or (`moved`) to be found under its new name."""
    for name, new_name in moved.items():
        source = out / name
        for path in _files(source) if source.is_dir() else [Path()]:
            _link(source / path, scratch / _NEW / new_name / path)
    if marked:
        _mark(out, scratch / _NEW)
    names = _files(scratch / _NEW)
    for path in names:
        target = out / path
        if target.is_dir() and not target.is_symlink():
            raise IsADirectoryError(0, f"{path} is a folder there")
        if os.path.lexists(target):
            _link(target, scratch / _OLD / path)
    steps = {
        "placed": [path.as_posix() for path in names],
        "removed": [name for name in moved if Path(name) not in names],
    }
    (scratch / _STEPS).write_text(json.dumps(steps), encoding="utf-8")
    _to_disk(scratch)


def _finish(out: Path) -> None:
    """Moves every file of the switch to its place; puts all back where one cannot be moved.

    What a run did of it before it was killed is done already, and is not done again.
    """
    switch = out / SWITCH
    steps = json.loads((switch / _STEPS).read_text(encoding="utf-8"))
    try:
        for name in steps["placed"]:
            if (switch / _NEW / name).exists():
                (out / name).parent.mkdir(parents=True, exist_ok=True, mode=_mode(0o777))
                os.replace(switch / _NEW / name, out / name)
    except OSError:
        for name in steps["placed"]:
            if not (switch / _NEW / name).exists():
                (out / name).unlink(missing_ok=True)
            if os.path.lexists(switch / _OLD / name):
                with suppress(OSError):
                    os.replace(switch / _OLD / name, out / name)
        _discard(switch)
        raise
    for name in steps["removed"]:
        _remove(out / name)
    _sync(out)
    _discard(switch)


def _discard(switch: Path) -> None:
    """Removes the switch, first under a leftover's name: the half of one is not to be finished."""
    done = switch.with_name(f"{PREFIX}done")
    shutil.rmtree(done, ignore_errors=True)
    os.rename(switch, done)
    shutil.rmtree(done, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where a file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _files(folder: Path) -> list[Path]:
    """Every file below the folder, relative to it."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder) for path in found)


def _missing(out: Path) -> list[Path]:
    """The folders above `out` that are not there yet, the deepest first."""
    return [folder for folder in out.parents if not folder.exists()]


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """While it lasts, no other run switches the folder; as far as the file system has locks."""
    handle = os.open(out, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(most: int) -> int:
    """The permissions of a new file or folder.

    Raises:
        UsageError: `R2D2_UMASK` is no umask.
    """
    stated = os.environ.get("R2D2_UMASK", "077")
    try:
        return most & ~int(stated, 8) & 0o777
    except ValueError as error:
        raise UsageError(f"R2D2_UMASK={stated}: give an octal umask, such as 022") from error


def _not_written(out: Path, error: OSError) -> R2D2Error:
    return R2D2Error(f"{out}: cannot be written: {error.strerror or error}")


def json_text(data: object) -> str:
    """The data as JSON, keys in order; an item of a top-level list takes a line."""
    if isinstance(data, dict) and data:
        parts = (f"{_line(key)}: {_listed(data[key])}" for key in sorted(data))
        return "{\n" + ",\n".join(parts) + "\n}\n"
    return _listed(data) + "\n"


def _listed(data: object) -> str:
    if not isinstance(data, list | tuple) or not data:
        return _line(data)
    return "[\n " + ",\n ".join(map(_line, data)) + "\n]"


def _line(data: object) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False)
