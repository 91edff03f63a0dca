"""Output files: a folder gets all of a command's files at one switch, or stays as it is.

All are written into a scratch folder beside their places, and brought to disk. Where the output
folder is new, one rename gives the scratch folder its name; else see `switch`.

Files are only for their owner, unless `R2D2_UMASK` says otherwise.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from r2d2.errors import R2D2Error, UsageError
from r2d2.storage.scratch import ScratchFolder, remove_leftovers, sync, to_disk, uninterrupted
from r2d2.storage.switch import (
    MARKER,
    NEW,
    files_of,
    held,
    is_unsettled,
    link,
    switch,
)

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
    if out.is_dir():
        settle(out)
        remove_leftovers(out)
    remove_leftovers(out.resolve().parent)


def settle(out: Path) -> None:
    """Finishes the switch of a run that was killed in it.

    Raises:
        R2D2Error: a file cannot take its place, or nothing may be written here.
    """
    try:
        if is_unsettled(out.resolve()):
            with held(out.resolve()):
                pass
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
    place = out.resolve()
    try:
        made = _missing(place)
        place.parent.mkdir(parents=True, exist_ok=True, mode=_mode(0o777))
        scratch = ScratchFolder(place if place.is_dir() else place.parent)
        try:
            fresh = scratch.path / NEW
            fresh.mkdir()
            yield fresh
            _bring(place, scratch, check, marked)
        except BaseException:
            scratch.cleanup()
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()
            raise
    except OSError as error:
        raise _not_written(out, error) from error


def _bring(out: Path, scratch: ScratchFolder, check: Check | None, marked: bool) -> None:
    """Brings the scratch folder's files to disk, and into the folder."""
    fresh = scratch.path / NEW
    for path in fresh.rglob("*"):
        path.chmod(_mode(0o777 if path.is_dir() else 0o666))
    if out.is_dir():
        with held(out):
            moved = check() if check else {}
            for name, new_name in moved.items():
                source = out / name
                for path in files_of(source) if source.is_dir() else [Path()]:
                    link(source / path, fresh / new_name / path)
            if marked:
                _mark(out, fresh)
            switch(out, scratch, moved)
        return
    if marked:
        _mark(out, fresh)
    to_disk(fresh)
    with uninterrupted():
        fresh.chmod(_mode(0o777))
        os.rename(fresh, out)
        scratch.cleanup()
        sync(out.parent)


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


def _missing(out: Path) -> list[Path]:
    """The folders above `out` that are not there yet, the deepest first."""
    return [folder for folder in out.parents if not folder.exists()]


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
