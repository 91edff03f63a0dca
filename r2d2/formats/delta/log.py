"""The files of a Delta log's newest version, and the files of the lake that paths in it name.

A version is a checkpoint and the commits after it. Log compactions are not read. The commits that
they sum up must be there anyway, and some writers made compactions that are no sum: with a file's
removal before its addition, it would live again.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from r2d2.errors import UnreadableTableError
from r2d2.model import FileInfo
from r2d2.storage.local import Storage

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(
    r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.[0-9A-Fa-f-]{36})?\.(?:parquet|json)"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://)?(.*)", re.DOTALL)
_SAME_SCHEME = {"s3a": "s3", "s3n": "s3", "abfs": "abfss"}
_VERSIONED = re.compile(r"(\d{20})\.(?!.*\.tmp$)")


@dataclass(frozen=True, slots=True)
class DeltaLog:
    """The files to replay, in order; `checksum` is the version's `.crc` where there is one."""

    version: int
    checkpoint: tuple[FileInfo, ...]
    commits: tuple[FileInfo, ...]
    sidecars: Mapping[str, FileInfo]
    checksum: FileInfo | None


def newest_log(files: Mapping[str, FileInfo]) -> DeltaLog:
    """The log of the newest version, from the names and sizes in `_delta_log` (paths below it).

    Raises:
        UnreadableTableError: a commit is missing or empty, so that the version is not known.
    """
    version = max((int(match[1]) for match, _ in _matches(_COMMIT, files)), default=-1)
    _check_nothing_newer(version, files)
    return log_at(files, version)


def log_at(files: Mapping[str, FileInfo], version: int) -> DeltaLog:
    """The log of that version, as long as its commits or a checkpoint of it are there.

    Raises:
        UnreadableTableError: a commit is missing or empty.
    """
    commits = {int(match[1]): file for match, file in _matches(_COMMIT, files)}
    checkpoints = _complete_checkpoints(files)
    start = max((number for number in checkpoints if number <= version), default=-1)
    _check_contiguous(range(start + 1, version + 1), commits)
    return DeltaLog(
        version,
        checkpoints.get(start, ()),
        tuple(commits[number] for number in range(start + 1, version + 1)),
        {path[10:]: file for path, file in files.items() if path.startswith("_sidecars/")},
        files.get(f"{version:020}.crc"),
    )


def _matches(
    pattern: re.Pattern[str], files: Mapping[str, FileInfo]
) -> Iterable[tuple[re.Match[str], FileInfo]]:
    for name, file in files.items():
        match = pattern.fullmatch(name)
        if match:
            yield match, file


def _complete_checkpoints(files: Mapping[str, FileInfo]) -> dict[int, tuple[FileInfo, ...]]:
    """One checkpoint per version; of one in parts all parts must be there, and none empty."""
    found: dict[int, tuple[FileInfo, ...]] = {}
    parts: defaultdict[tuple[int, int], dict[int, FileInfo]] = defaultdict(dict)
    for match, file in _matches(_CHECKPOINT, files):
        if not file.size_bytes:
            continue
        if match[2] is None:
            found[int(match[1])] = (file,)
        else:
            parts[int(match[1]), int(match[3])][int(match[2])] = file
    for (version, count), numbered in parts.items():
        if sorted(numbered) == list(range(1, count + 1)):
            found.setdefault(version, tuple(numbered[i] for i in sorted(numbered)))
    return found


def _check_nothing_newer(version: int, files: Mapping[str, FileInfo]) -> None:
    """A checksum or an unfinished checkpoint of a later version tells of a commit that is gone."""
    if version < 0:
        raise UnreadableTableError("_delta_log holds no commit")
    for name in files:
        match = _VERSIONED.match(name)
        if match and int(match[1]) > version:
            raise UnreadableTableError(
                f"_delta_log/{name} is of a version after {version}, the last that has a commit"
            )


def _check_contiguous(wanted: range, commits: Mapping[int, FileInfo]) -> None:
    for version in wanted:
        if version not in commits:
            raise UnreadableTableError(f"commit {version} is missing from _delta_log")
        if not commits[version].size_bytes:
            raise UnreadableTableError(f"commit {version} in _delta_log is empty (0 bytes)")


@dataclass(frozen=True, slots=True)
class Places:
    """Finds listed files by the paths of one table's log. `lake` lists what is not below it."""

    storage: Storage
    location: str
    files: Mapping[str, FileInfo]
    lake: Callable[[], Mapping[str, FileInfo]]

    def find(self, path: str) -> FileInfo:
        """The listed file of a decoded path, which is relative to the table or absolute.

        Raises:
            UnreadableTableError: the path leaves the lake, or the file is not there.
        """
        if ".." in path.split("/") or "\0" in path:
            raise UnreadableTableError(f"{path!r} in _delta_log: a path with `..` is refused")
        is_absolute = path.startswith("/") or _SCHEME.fullmatch(path)
        inside = self._below_root(path) if is_absolute else below(self.location, path)
        file = self.files.get(inside)
        if file is None and not inside.startswith(below(self.location, "")):
            file = self.lake().get(inside)
        if file is None:
            raise UnreadableTableError(f"{inside} is named in _delta_log and is missing")
        return file

    def _below_root(self, path: str) -> str:
        root, full = _canonical(self.storage.absolute("")), _canonical(path)
        root = root.rstrip("/") + "/"
        if not full.startswith(root):
            raise UnreadableTableError(f"{path} in _delta_log lies outside the lake: refused")
        return full.removeprefix(root)


def below(location: str, path: str) -> str:
    """The path relative to the lake of a path relative to the table."""
    return f"{location}/{path}" if location else path


def _canonical(path: str) -> str:
    """A path or URL in one spelling: local ones without scheme and links, `s3a` as `s3`."""
    match = _SCHEME.fullmatch(path)
    if match is None:
        return os.path.realpath(path)
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        return os.path.realpath("/" + rest.lstrip("/"))
    return f"{_SAME_SCHEME.get(scheme, scheme)}://{rest}"
