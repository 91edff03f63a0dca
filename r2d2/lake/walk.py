"""A folder's files, listed once: no link followed, no hidden name, nothing that is not a file."""

import os
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from r2d2.errors import LakeError
from r2d2.model import FileInfo


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a lake in order of path, what was skipped by reason, and what is wrong."""

    files: tuple[FileInfo, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[tuple[str, str], ...] = ()


def is_hidden(name: str) -> bool:
    """Whether a name is a side file's by the convention of Hadoop and Spark."""
    return name[:1] in ("_", ".") and name not in ("_delta_log", ".hoodie")


def walk(root: str) -> Listing:
    """Every regular file below the root.

    Hidden names are left out but inside a Delta table, where the log decides what counts.

    Raises:
        LakeError: the root itself cannot be listed.
    """
    steps = _Walk(root)
    steps.take_all()
    files = sorted(steps.files, key=lambda file: file.path)
    return Listing(tuple(files), dict(steps.skipped), tuple(sorted(steps.problems)))


class _Walk:
    """What was found so far, and the folders still to be listed."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files: list[FileInfo] = []
        self.skipped: Counter[str] = Counter()
        self.problems: list[tuple[str, str]] = []
        self.pending: list[tuple[str, bool]] = [("", False)]

    def take_all(self) -> None:
        while self.pending:
            folder, in_table = self.pending.pop()
            try:
                entries = list(os.scandir(os.path.join(self.root, folder)))
            except OSError as error:
                if not folder:
                    raise LakeError(f"{self.root}: {error.strerror}") from error
                self.problems.append((folder, f"folder cannot be listed: {error.strerror}"))
                continue
            in_table = in_table or any(entry.name == "_delta_log" for entry in entries)
            for entry in entries:
                self.take(entry, f"{folder}/{entry.name}" if folder else entry.name, in_table)

    def take(self, entry: "os.DirEntry[str]", path: str, in_table: bool) -> None:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        if not in_table and is_hidden(entry.name):
            self.skipped["name starts with _ or ."] += 1
        elif shown != path:
            self.problems.append((shown, "name is not UTF-8"))
        else:
            try:
                self._take_well_named(entry, path, in_table)
            except OSError as error:
                self.problems.append((path, f"cannot be looked at: {error.strerror}"))

    def _take_well_named(self, entry: "os.DirEntry[str]", path: str, in_table: bool) -> None:
        if entry.is_symlink():
            problem = self._link_problem(path)
            if problem is None:
                self.skipped["symbolic link to what is listed itself"] += 1
            else:
                self.problems.append((path, problem))
        elif entry.is_dir(follow_symlinks=False):
            self.pending.append((path, in_table))
        else:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                self.files.append(FileInfo(path, status.st_size, str(status.st_mtime_ns)))
            else:
                self.skipped["not a regular file"] += 1

    def _link_problem(self, path: str) -> str | None:
        full = os.path.join(self.root, path)
        target = os.path.realpath(full)
        if os.path.commonpath([self.root, target]) != self.root:
            return "symbolic link that leaves the lake: refused"
        return None if os.path.exists(full) else "broken symbolic link"
