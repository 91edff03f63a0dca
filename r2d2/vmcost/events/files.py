"""The files of a log: one file, the parts of a rolling log, Databricks' hourly files.

- `eventlog_v2_ID/` of Spark 3.0 and later: `events_NUMBER_ID[.codec]`, beside `appstatus_ID`; a
  `.compact` part stands for all with its number and below.
- Databricks: `eventlog-2021-06-15--15-00.gz`, one an hour, and `eventlog`, the current one.
- In any folder: every other file is a log, and every folder is looked into.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from r2d2.vmcost.events.problems import LogProblem, LogProblemCounts

_PART = re.compile(r"events_(\d+)_(.+?)(\.(?:zstd|zst|lz4|snappy|lzf|gz))?(\.compact)?")
_HOURLY = re.compile(r"eventlog(-\d{4}-\d\d-\d\d--\d\d-\d\d)?(\.\w+)?")
_IGNORED = re.compile(r"[._].*|appstatus_.*|.*\.crc")


@dataclass(frozen=True, slots=True)
class EventLog:
    """A log: its path, its files in order, and the problems of these; or the reason for none."""

    path: Path
    files: tuple[Path, ...]
    problems: LogProblemCounts = field(default_factory=LogProblemCounts)
    reason: str = ""


def find_logs(paths: Sequence[Path]) -> list[EventLog]:
    """Every log at the paths, once, in order; folders without one have a reason instead."""
    logs: list[EventLog] = []
    parts: dict[Path, list[Path]] = {}
    for path in paths:
        if os.path.isdir(path):
            logs += _in_folder(path)
        elif _PART.fullmatch(path.name):
            parts.setdefault(path.parent, []).append(path)
        else:
            logs.append(EventLog(path, (path,)))
    for folder, files in parts.items():
        logs += _rolling(folder, files)
    once = {tuple(map(os.path.realpath, log.files or (log.path,))): log for log in logs}
    return sorted(once.values(), key=lambda log: str(log.path))


def _in_folder(folder: Path) -> Iterable[EventLog]:
    try:
        entries = sorted(each for each in folder.iterdir() if not _IGNORED.fullmatch(each.name))
    except OSError as error:
        yield EventLog(folder, (), reason=f"cannot be listed: {error.strerror}")
        return
    files = [entry for entry in entries if entry.is_file()]
    parts = [file for file in files if _PART.fullmatch(file.name)]
    hourly = [file for file in files if _HOURLY.fullmatch(file.name)]
    yield from _rolling(folder, parts)
    if hourly:
        yield EventLog(folder, tuple(sorted(hourly, key=_hour)))
    yield from (EventLog(file, (file,)) for file in files if file not in {*parts, *hourly})
    folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    for inner in folders:
        yield from _in_folder(inner)
    if not files and not folders:
        yield EventLog(folder, (), reason="no event log in this folder")


def _hour(file: Path) -> tuple[bool, str]:
    """Hours in order, the current file last."""
    match = _HOURLY.fullmatch(file.name)
    return match is None or match[1] is None, file.name


def _rolling(folder: Path, files: Sequence[Path]) -> Iterable[EventLog]:
    """The rolling logs of which these are parts; in Spark's own folders there is one."""
    logs: dict[str, dict[tuple[int, bool], list[Path]]] = {}
    for file in sorted(set(files)):
        if match := _PART.fullmatch(file.name):
            key = int(match[1]), match[4] is not None
            logs.setdefault(match[2], {}).setdefault(key, []).append(file)
    for name, parts in sorted(logs.items()):
        yield _of_parts(folder if len(logs) == 1 else folder / name, parts)


def _of_parts(path: Path, parts: dict[tuple[int, bool], list[Path]]) -> EventLog:
    """The log of parts by number and whether they are compact."""
    problems = LogProblemCounts()
    first = max((number for number, compact in parts if compact), default=None)
    if first is not None:
        problems[LogProblem.PARTS_COMPACTED] += 1
        compact = (first, True)
        parts = {key: files for key, files in parts.items() if key[0] > first or key == compact}
    numbers = {number for number, _ in parts}
    lowest = 1 if first is None else first
    problems[LogProblem.PART_MISSING] += max(numbers) - lowest + 1 - len(numbers)
    problems[LogProblem.PART_REPEATED] += sum(len(files) - 1 for files in parts.values())
    return EventLog(path, tuple(files[0] for _, files in sorted(parts.items())), problems)
