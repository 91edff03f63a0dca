"""The files of `_delta_log` that make the newest version: a checkpoint and the commits after it.

Log compactions are not read. The commits that they sum up must be there anyway, and some writers
made compactions that are no sum: with a file's removal before its addition, it would live again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from r2d2.errors import UnreadableTableError
from r2d2.model import FileInfo

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(
    r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.[0-9A-Fa-f-]{36})?\.(?:parquet|json)"
)
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
    commits = {int(match[1]): file for match, file in _matches(_COMMIT, files)}
    checkpoints = _complete_checkpoints(files)
    version = max(commits, default=-1)
    _check_nothing_newer(version, files)
    start = max(checkpoints, default=-1)
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
