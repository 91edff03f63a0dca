"""Tables in a folder of this machine: renamed into quarantine on the same file system, and back.

A table that has a folder of its own goes in one rename; else each of its files does. A rename never
replaces anything. Quarantine has a folder for each runner: one that takes over renames it, so that
an older runner, which may only sleep, finds nothing under the names it knows.
"""

import ctypes
import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from r2d2.deletion.movers.mover import QUARANTINE, Moved, MoveError, PersonNeededError, Whereabouts
from r2d2.deletion.place import LocalPlace, is_read_only
from r2d2.lake.deletions import HOME, Data, Deletion
from r2d2.model import FileInfo, Format, Table
from r2d2.storage.local import version_of
from r2d2.storage.scratch import sync

_AT_FDCWD, _RENAME_NOREPLACE = -100, 1


class RenameMover:
    """Moves tables of a local lake by rename."""

    name = "rename"
    keeps_place = False

    def __init__(self, place: LocalPlace) -> None:
        self.place = place

    def reason_against(self, entry: Data, table: Table) -> str | None:
        """Why this table cannot be renamed, None where it can."""
        if entry["table"] == ".":
            return "it is the lake's own folder"
        if table.format == Format.DELTA:
            return "a Delta table is deleted by a commit to its log, not by a rename"
        device, mounts = os.stat(self.place.root).st_dev, _mount_points()
        if any(_is_at_or_below(mount, self.place.root / HOME) for mount in mounts):
            return f"{HOME} is on a file system of its own: a rename does not lead there"
        for unit in _units(entry):
            try:
                reason = _reason_against_unit(unit, self.place.path(unit), device, mounts)
            except FileNotFoundError:
                return f"{unit} vanished since the lake was listed"
            if reason is not None:
                return reason
        return None

    def noted(self, entry: Data, table: Table) -> Data:
        """Nothing: names say all."""
        return {}

    def prepare(self, deletion: Deletion) -> None:
        """Makes the folders in quarantine that the table's files are renamed into."""
        home = _home(deletion)
        for unit in _units(deletion.record["entry"]):
            self.place.make_folder(str(PurePosixPath(home, unit).parent))

    def located(self, deletion: Deletion) -> Deletion:
        """The deletion with the epoch of its newest folder in quarantine."""
        epochs = self._epochs(deletion)
        full = [epoch for epoch in epochs if self._has_files(deletion, epoch)]
        return replace(deletion, epoch=max(full or epochs)) if epochs else deletion

    def _has_files(self, deletion: Deletion, epoch: int) -> bool:
        folder = self.place.path(f"{QUARANTINE}/{deletion.id}/{epoch}")
        return any(names for _, _, names in os.walk(folder))

    def _epochs(self, deletion: Deletion) -> list[int]:
        with suppress(FileNotFoundError):
            names = os.listdir(self.place.path(f"{QUARANTINE}/{deletion.id}"))
            return [int(name) for name in names if name.isdecimal()]
        return []

    def look(self, deletion: Deletion) -> Whereabouts:
        """Where the files are; a file that was replaced by another is among the others."""
        home, paths = _home(deletion), _paths(deletion)
        live = frozenset(path for path in paths if self.place.file(path) is not None)
        kept = {path: self.place.file(f"{home}/{path}") for path in paths}
        damaged = damaged_of(deletion, kept)
        moved = frozenset(p for p, file in kept.items() if file is not None) - damaged
        others = tuple(self._others(deletion, paths))
        table, gone = deletion.table, paths - live - moved
        if not deletion.moved:  # a job's mark that its owner removed holds no rows
            gone &= {path for path, *_ in deletion.record["entry"]["files"]}
        if not live and not others and self.place.exists(table):
            others = (table,)
        return Whereabouts(live, moved, gone, others, damaged=damaged & gone)

    def _others(self, deletion: Deletion, paths: frozenset[str]) -> Iterator[str]:
        location = str(deletion.record["entry"]["table"])
        for above in PurePosixPath(location).parents[:-1]:
            if self.place.file(str(above)) is not None and not self.place.path(str(above)).is_dir():
                yield str(above)
                return
        if _is_folder(deletion.record["entry"]) and self.place.exists(location):
            listing = self.place.listing(location)
            found = [*(f.path for f in listing.files), *listing.links]
            yield from (path for path in found if path not in paths)
            yield from (path for path, _ in listing.left_out if path not in paths)

    def take_over(self, deletion: Deletion, epoch: int) -> Deletion:
        """The deletion in a folder of the new runner's."""
        old, new = self.located(deletion), replace(deletion, epoch=epoch)
        if old.epoch != epoch and self.place.exists(_home(old)):
            rename_new(self.place.path(_home(old)), self.place.path(_home(new)))
        return new

    def changed(self, table: Table) -> str | None:
        """The first of the table's files that is not as it was listed."""
        return next((f.path for f in table.files if self.place.file(f.path) != f), None)

    def move(self, deletion: Deletion) -> None:
        """Renames the table's folder, or each of its files."""
        home = _home(deletion)
        for unit in _units(deletion.record["entry"]):
            try:
                rename_new(self.place.path(unit), self.place.path(f"{home}/{unit}"))
            except FileNotFoundError as error:
                raise MoveError(f"{unit} vanished while it was to be moved") from error

    def back(self, deletion: Deletion) -> None:
        """Renames the folder, or each file that was moved, back to where nothing is."""
        home = _home(deletion)
        for unit in _moved_units(deletion):
            source, target = self.place.path(f"{home}/{unit}"), self.place.path(unit)
            if not os.path.lexists(source):
                continue
            self.place.make_folder(str(PurePosixPath(unit).parent))
            try:
                rename_new(source, target)
            except FileExistsError as error:
                told = f"{unit}: something else is at the old place of {deletion.id}"
                raise PersonNeededError(
                    f"{told}: move it away, or keep the table deleted"
                ) from error

    def moved_table(self, deletion: Deletion, table: Table) -> Table:
        """The table with its files in quarantine."""
        home = _home(deletion)

        def moved(file: FileInfo) -> FileInfo:
            found = self.place.file(f"{home}/{file.path}")
            if found is None or found.size_bytes != file.size_bytes:
                raise MoveError(f"{file.path} is not what was moved")
            return found

        files = tuple(map(moved, table.files))
        splits = tuple(replace(split, file=moved(split.file)) for split in table.splits)
        return replace(table, files=files, splits=splits)

    def digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each file in quarantine, all of them."""
        home = _home(deletion)
        files = self.place.listing(home).files
        return {
            file.path.removeprefix(f"{home}/"): digest_of(self.place.path(file.path))
            for file in files
        }

    def live_digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each file of the deletion at its old place."""
        found = {}
        for path in sorted(_paths(deletion)):
            with suppress(FileNotFoundError, NotADirectoryError):
                found[path] = digest_of(self.place.path(path))
        return found

    def delete(self, deletion: Deletion, path: str) -> None:
        """Deletes one file of quarantine by its name."""
        self.place.remove(f"{_home(deletion)}/{path}")

    @contextmanager
    def rebuilding(self, deletion: Deletion) -> Iterator[Path]:
        """The runner's folder in quarantine."""
        home = _home(deletion)
        self.place.make_folder(home)
        yield self.place.path(home)

    def clear(self, deletion: Deletion) -> None:
        """Deletes by name the files of the deletion that are in folders of older runners."""
        paths = {path for path, *_ in deletion.record["entry"]["files"]} | {*deletion.moved}
        for epoch in self._epochs(deletion):
            if epoch < deletion.epoch:
                for path in paths:
                    self.place.remove(f"{QUARANTINE}/{deletion.id}/{epoch}/{path}")
        self.place.remove_empty(f"{QUARANTINE}/{deletion.id}")


def _reason_against_unit(unit: str, found: Path, device: int, mounts: list[Path]) -> str | None:
    if is_read_only(found.parent):
        return f"nobody may write in the folder of {unit}, by its permissions"
    if found.lstat().st_dev != device:
        return f"{unit} is on another file system than the lake's folder"
    if mount := next((m for m in mounts if _is_at_or_below(m, found)), None):
        return f"{mount} is mounted in {unit}"
    if any(HOME in names for _, names, _ in os.walk(found)):
        return f"{unit} has a folder {HOME}: it is a lake of its own"
    return None


def _mount_points() -> list[Path]:
    """Where file systems are mounted, bound folders too; none where the system does not tell."""
    try:
        told = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    names = (line.split(" ")[4] for line in told.splitlines())
    return [Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), n)) for n in names]


def _is_at_or_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _home(deletion: Deletion) -> str:
    return f"{QUARANTINE}/{deletion.id}/{deletion.epoch}"


def _is_folder(entry: Data) -> bool:
    location = str(entry["table"])
    return all(path.startswith(f"{location}/") for path, *_ in entry["files"])


def _units(entry: Data) -> list[str]:
    """What is renamed: the table's own folder, or each of its files."""
    if _is_folder(entry):
        return [str(entry["table"])]
    return [path for path, *_ in entry["files"]]


def _moved_units(deletion: Deletion) -> list[str]:
    """What is renamed back; a copy that was rebuilt in quarantine may have other files."""
    entry = deletion.record["entry"]
    return _units(entry) if _is_folder(entry) or not deletion.moved else sorted(deletion.moved)


def _paths(deletion: Deletion) -> frozenset[str]:
    """The files of the deletion: those in quarantine, or those that are to go there."""
    if deletion.moved:
        return frozenset(deletion.moved)
    entry = deletion.record["entry"]
    inside = entry["inside"] if _is_folder(entry) else ()
    return frozenset([*(path for path, *_ in entry["files"]), *inside])


def damaged_of(deletion: Deletion, found: Mapping[str, FileInfo | None]) -> frozenset[str]:
    """The files in quarantine, by path, that are there with other sizes than were journalled."""
    moved = deletion.moved
    there = ((path, file) for path, file in found.items() if file is not None and path in moved)
    return frozenset(path for path, file in there if file.size_bytes != moved[path][0])


def digest_of(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a regular file that nobody writes to.

    Raises:
        PersonNeededError: it is another thing.
        MoveError: it is written to.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise PersonNeededError(f"{path}: no regular file")
        digest = hashlib.file_digest(file, "sha256")
        after = os.fstat(file.fileno())
        if version_of(before) != version_of(after):
            raise MoveError(f"{path} is written to while it is read")
    return before.st_size, digest.hexdigest()


def rename_new(source: Path, target: Path) -> None:
    """Renames to a name that nothing has, durably.

    Raises:
        FileExistsError: something has it.
        OSError: as for the system's reason.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    number = errno.ENOSYS
    if call is not None:
        names = os.fsencode(source), os.fsencode(target)
        if not call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE):
            number = 0
        else:
            number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):
        _rename_without_flags(source, target)
    elif number:
        raise OSError(number, os.strerror(number), str(source))
    sync(target.parent)
    sync(source.parent)


def _rename_without_flags(source: Path, target: Path) -> None:
    """A file gets a second name before it loses the first; a folder never replaces a full one."""
    if stat.S_ISDIR(source.lstat().st_mode):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        os.rename(source, target)
        return
    os.link(source, target, follow_symlinks=False)
    os.unlink(source)
