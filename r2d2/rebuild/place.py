"""A table's place in a folder: that it is free, and that what is whole is moved there."""

import os
from pathlib import Path, PurePosixPath

from r2d2.formats.layout import Layout, NotWritableError


def free_place(layout: Layout, place: Path, location: str) -> Path:
    """Where in `place` the table belongs.

    Raises:
        NotWritableError: the location leads out of the place, or something is there already.
    """
    parts = PurePosixPath(location).parts
    if location.startswith("/") or ".." in parts or "\0" in location or not location:
        raise NotWritableError(f"{location!r} is no place within a lake")
    target = place.joinpath(*parts)
    if not target.resolve().is_relative_to(place.resolve()):
        raise NotWritableError(f"{location} leads out of {place} by a link")
    if layout.is_folder and not parts and not layout.partition_columns:
        raise NotWritableError(f"{place}: its own root is no place for a table")
    if not layout.is_folder and not parts:
        raise NotWritableError(f"{location!r} is no file's name")
    taken = _taken(layout, target)
    if taken is not None:
        raise NotWritableError(f"{taken} is there already: nothing is overwritten")
    return target


def _taken(layout: Layout, target: Path) -> Path | None:
    """What stands in the table's way."""
    if not os.path.lexists(target):
        return None
    if not layout.is_folder or not target.is_dir():
        return target
    shares = bool(layout.partition_columns) and layout.file_name != ""
    for entry in sorted(target.iterdir()):
        if not shares or "=" in entry.name:
            return entry
    return None


def moved_in(staged: Path, target: Path) -> list[Path]:
    """Moves what is whole to its place, and says which files are there now.

    Raises:
        NotWritableError: the place was taken meanwhile.
        OSError: it cannot be moved.
    """
    files = [path for path in staged.rglob("*") if path.is_file()] if staged.is_dir() else [staged]
    for path in files:
        _sync(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not staged.is_dir():
        _link(staged, target)
        moved = [target]
    elif not target.exists() or not any(target.iterdir()):
        # A folder takes the place of an empty one, and of nothing else.
        os.rename(staged, target)
        moved = [target / path.relative_to(staged) for path in files]
    else:
        _move_each(staged, target)
        moved = [target / path.relative_to(staged) for path in files]
    _sync(target.parent)
    return moved


def _link(staged: Path, target: Path) -> None:
    """Gives the file its second name, which fails where the name is taken."""
    try:
        os.link(staged, target)
    except FileExistsError as error:
        raise NotWritableError(f"{target} is there already: nothing is overwritten") from error


def _move_each(staged: Path, target: Path) -> None:
    moved: list[Path] = []
    try:
        for folder in sorted(staged.iterdir()):
            if os.path.lexists(target / folder.name):
                raise NotWritableError(f"{target / folder.name} is there already")
            os.rename(folder, target / folder.name)
            moved.append(folder)
    except (OSError, NotWritableError):
        for folder in moved:
            os.rename(target / folder.name, folder)
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
