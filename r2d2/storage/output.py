"""Output files: a folder gets all of a command's files at one switch, or stays as it is.

All are written into a scratch folder beside their places, and brought to disk. Where the output
folder is new, one rename gives the scratch folder its name; else see `switch`.

A file that somebody else wrote is never replaced: r2d2's own are named by the folder's marker, or
known by their content, as a marker may be lost and those of an older r2d2 have none.

Files are only for their owner, unless `R2D2_UMASK` says otherwise.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

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

Check = Callable[[Path], Mapping[str, str]]
Recogniser = Callable[[bytes], bool]
"""A test of a file's content, or of a folder's names: True where r2d2 wrote it."""
Recognisers = Mapping[str, Recogniser]
"""A recogniser for each name of an output file or folder."""
NOT_OURS: Recognisers = {}
EARLIER = "earlier"
"""The folder in an output folder for what is kept of its earlier files."""
_Object = dict[str, msgspec.Raw]


class Marker(msgspec.Struct, forbid_unknown_fields=True):
    """The marker's content: names of files and folders beside it that r2d2 wrote."""

    written_by: Literal["r2d2"]
    files: list[str]
    folders: list[str] = []


def output_path(text: str) -> Path:
    """The path of an output folder or file, as it was typed.

    Raises:
        UsageError: it is empty, as an unset variable is, or a URL.
    """
    if not text.strip():
        raise UsageError("the place for output is empty; give a name, or `.` for this folder")
    if _URL.match(text):
        raise UsageError(f"{text}: output goes to a folder; give one, and copy it from there")
    return Path(text)


def check_apart(out: Path, lake: str) -> None:
    """Passes where the folder neither is the lake nor holds it.

    A switch of the folder's files gives each file in it another name for a moment, which changes
    its times: the lake's tables would be other ones than `find` saw.

    Raises:
        UsageError: it is, or does.
    """
    place, root = out.resolve(), Path(lake.removeprefix("file://")).resolve()
    if "://" not in lake.removeprefix("file://") and root.is_dir() and root.is_relative_to(place):
        what = "is the lake" if root == place else "holds the lake"
        raise UsageError(
            f"{out}: {what}; give the output a folder of its own, such as {out / 'run'}"
        )


def prepare(out: Path, files: Recognisers = NOT_OURS) -> None:
    """Makes ready for output to the folder: what a killed run left in it is finished or removed.

    Of the `files` that are to be written, none may be there that r2d2 did not write.

    Raises:
        UsageError: it is a URL, or no folder, or one of the files is somebody else's.
        R2D2Error: what was left cannot be finished.
    """
    output_path(str(out))
    if out.is_dir():
        settle(out)
        remove_leftovers(out)
    elif out.exists():
        raise UsageError(f"{out}: is there, and is no folder; give another name")
    remove_leftovers(out.resolve().parent)
    _refuse_others(out, [MARKER, *files] if files else [], files)


def prepare_file(path: Path, is_ours: Recogniser, what: str) -> None:
    """Makes ready for output to the file, which takes the place of none but its like.

    A marker's word is not enough here: it names all kinds of files that r2d2 writes.

    Raises:
        UsageError: it is a URL, or something else is there.
        R2D2Error: what was left of a killed run cannot be finished.
    """
    prepare(path.parent)
    if path.name.startswith(MARKER):
        raise UsageError(f"{path}: r2d2 keeps names that begin with {MARKER} to itself")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if os.path.lexists(path) and not is_ours(_content(path)):
        raise UsageError(f"{path}: is there, and is no {what}; give another name, or move it away")


def is_own(out: Path, name: str, is_ours: Recogniser | None = None) -> bool:
    """Whether r2d2 wrote what is there by this name, by the marker's word or its content."""
    marker = _marker(out)
    if name in marker.files or name in marker.folders:
        return True
    return is_ours is not None and is_ours(_content(out / name))


def earlier_place(out: Path, content: bytes) -> str:
    """A new place in `EARLIER`, relative to the folder, for what this content belongs to."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    places = (f"{EARLIER}/{digest}" + (f"-{n}" if n > 1 else "") for n in range(1, 1 << 20))
    return next(place for place in places if not (out / place).exists())


def json_with(*keys: str) -> Recogniser:
    """Recognises JSON: an object that has these keys, or a list whose first item is one."""

    def is_like(content: bytes) -> bool:
        try:
            data: Any = msgspec.json.decode(content, type=list[msgspec.Raw] | _Object)
            if isinstance(data, list):
                data = msgspec.json.decode(data[0], type=_Object)
            return bool(data.keys() >= set(keys))
        except (msgspec.DecodeError, IndexError, UnicodeDecodeError, RecursionError):
            return False

    return is_like


def text_with(beginning: str) -> Recogniser:
    """Recognises a text by its beginning, such as a header."""
    return lambda content: content.startswith(beginning.encode())


def folder_of(name: str) -> Recogniser:
    """Recognises a folder by a pattern that every name in it matches."""
    pattern = re.compile(name)
    return lambda content: all(map(pattern.fullmatch, os.fsdecode(content).splitlines()))


def _refuse_others(out: Path, names: Iterable[str], files: Recognisers) -> None:
    """Passes where nothing is there by these names that somebody else wrote.

    Raises:
        UsageError: something is.
    """
    if not out.is_dir():
        return
    for name in names:
        path, is_ours = out / name, {**_ALWAYS, **files}.get(name)
        there = path.is_file() or path.is_dir() or path.is_symlink()
        if there and not is_own(out, name, is_ours):
            remedy = "move it away, or have the output go elsewhere"
            raise UsageError(f"{path}: is there, and r2d2 did not write it; {remedy}")


RESIDUAL_FILES = folder_of(r"[0-9a-f]{32}\.parquet")
"""Recognises the folder of what recipes keep aside."""
_ALWAYS: Recognisers = {
    MARKER: json_with("written_by"),
    EARLIER: folder_of(r"[0-9a-f]{12}(-\d+)?"),
}


def _content(path: Path) -> bytes:
    """The file's bytes, or the folder's names, a line each; of anything else, none's."""
    with suppress(OSError):
        if path.is_dir():
            return os.fsencode("\n".join(os.listdir(path)))
        if path.is_file():
            return path.read_bytes()
    return b"\0"


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
    out: Path,
    texts: Mapping[str, str],
    check: Check | None = None,
    *,
    files: Recognisers = NOT_OURS,
    marked: bool = True,
) -> None:
    """Writes each text under its name into the folder, all or none: see `new_files`."""
    with new_files(out, check, files=files, marked=marked) as folder:
        for name, text in texts.items():
            Path(folder, name).write_text(text, encoding="utf-8", newline="")


@contextmanager
def new_files(
    out: Path,
    check: Check | None = None,
    *,
    files: Recognisers = NOT_OURS,
    marked: bool = True,
) -> Iterator[Path]:
    """A scratch folder whose files become those of `out` when all went well.

    They take the place of r2d2's own: of those that the folder's marker names, and of `files` by
    content.

    `check` is called before the switch, while no other run may switch: it may refuse by raising,
    and returns the files that must go elsewhere within `out`, each with its new name. It gets the
    scratch folder, and may add to it. A marker,
    unless it is not wanted, names all of them: so they are no tables where the folder lies in a
    lake.

    Raises:
        UsageError: `out` is a URL, or has a file of somebody else's where a new one goes.
        R2D2Error: it cannot be written.
    """
    prepare(out, files)
    mode_of(0)
    place = out.resolve()
    try:
        made = _missing(place)
        make_folders(place.parent)
        scratch = ScratchFolder(place if place.is_dir() else place.parent)
        try:
            fresh = scratch.path / NEW
            fresh.mkdir()
            yield fresh
            _bring(place, scratch, check, files, marked)
        except BaseException:
            scratch.cleanup()
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()
            raise
    except OSError as error:
        raise _not_written(out, error) from error


def _bring(
    out: Path, scratch: ScratchFolder, check: Check | None, files: Recognisers, marked: bool
) -> None:
    """Brings the scratch folder's files to disk, and into the folder."""
    fresh = scratch.path / NEW
    for path in fresh.rglob("*"):
        path.chmod(mode_of(0o777 if path.is_dir() else 0o666))
    if out.is_dir():
        with held(out):
            moved = check(fresh) if check else {}
            names = {path.name for path in fresh.iterdir()}
            _refuse_others(out, sorted({*names, *([MARKER] if marked else [])}), files)
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
        fresh.chmod(mode_of(0o777))
        os.rename(fresh, out)
        scratch.cleanup()
        sync(out.parent)


def _mark(out: Path, fresh: Path) -> None:
    """Writes the marker: it names what is new, and what the folder's marker names already."""
    before = _marker(out)
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
    (fresh / MARKER).chmod(mode_of(0o666))


def _marker(out: Path) -> Marker:
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((out / MARKER).read_bytes(), type=Marker)
    return Marker("r2d2", [])


def _missing(out: Path) -> list[Path]:
    """The folders above `out` that are not there yet, the deepest first."""
    return [folder for folder in out.parents if not folder.exists()]


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it that are not there, each for whom R2D2_UMASK lets."""
    for each in (*reversed(_missing(folder)), folder):
        each.mkdir(exist_ok=True, mode=mode_of(0o777))


def mode_of(most: int) -> int:
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


# Made once: to make it takes half as long as a line.
_line = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
