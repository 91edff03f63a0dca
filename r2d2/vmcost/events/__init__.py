"""Spark event logs in, applications out.

Plain, zstd, gzip, and lz4, snappy and lzf as Spark writes them; Spark 2.3 to 4.2. A log is one
file, the parts of a rolling log, or Databricks' hourly files:

- `eventlog_v2_ID/` of Spark 3.0 and later: `events_NUMBER_ID[.codec]`, beside `appstatus_ID`; a
  `.compact` part stands for all with its number and below.
- Databricks: `eventlog-2021-06-15--15-00.gz`, one an hour, and `eventlog`, the current one.
- In any folder: every other file is a log, and every folder is looked into.

Logs in an object store are copied first. What is wrong with a log is counted in its application's
problems (`problems` lists them) or, where no application comes out, is a reason.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from r2d2.errors import LakeError
from r2d2.model import FileInfo
from r2d2.progress import Progress, Silence
from r2d2.storage import storage_of
from r2d2.storage.local import Storage
from r2d2.storage.scratch import scratch_folder
from r2d2.vmcost.events.application import application
from r2d2.vmcost.events.codecs import chunks, lines
from r2d2.vmcost.events.collect import CollectedEvents
from r2d2.vmcost.events.problems import (
    EventLogError,
    LeftOutLog,
    LogProblem,
    LogProblemCounts,
    fault_text,
)
from r2d2.vmcost.model import Application

__all__ = [
    "EventLogError",
    "EventLogs",
    "LeftOutLog",
    "LogProblem",
    "fault_text",
    "fetched",
    "read_applications",
    "read_logs",
]

PIECE_BYTES = 8 << 20
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


@dataclass(frozen=True, slots=True)
class EventLogs:
    """The applications of some logs, in order of id, attempt and start, and the logs left out.

    `refused` are logs without an application. `repeated` are logs of an attempt of which another
    log has as many tasks, or more: they count in the application's problems and nowhere else.
    """

    applications: tuple[Application, ...]
    refused: tuple[LeftOutLog, ...]
    repeated: tuple[LeftOutLog, ...]


def read_applications(paths: Sequence[Path | str]) -> list[Application]:
    """The applications of the logs at the paths: files, rolling folders, folders of logs.

    Raises:
        EventLogError: a log cannot be read or tells of no application; `read_logs` would go on.
    """
    logs = read_logs(paths)
    if logs.refused:
        raise EventLogError("\n".join(f"{path}: {reason}" for path, reason in logs.refused))
    return list(logs.applications)


def read_logs(paths: Sequence[Path | str], progress: Progress | None = None) -> EventLogs:
    """The applications of the logs at the paths, and the logs that were left out.

    A log is read in pieces; what is kept of it grows with its tasks, 140 bytes each, alone. The
    order of its lines and parts does not matter.
    """
    applications: list[Application] = []
    refused: list[LeftOutLog] = []
    logs = _find_logs([Path(path) for path in paths])
    progress = progress or Silence()
    progress.begin("reading event logs", sum(map(_size_bytes, logs)))
    for log in logs:
        told = _TellsBytes(progress)
        try:
            applications.append(_read(log, told.advance))
        except EventLogError as error:
            refused.append(LeftOutLog(str(log.path), str(error)))
        except OSError as error:
            reason = error.strerror or str(error)
            refused.append(LeftOutLog(str(log.path), f"cannot be read: {reason}"))
        except Exception as error:  # noqa: BLE001  one log's fault must not cost the others
            refused.append(LeftOutLog(str(log.path), fault_text(error)))
        rows = len(applications[-1].tasks) if applications else 0
        progress.advance(max(0, _size_bytes(log) - told.size_bytes), rows)
    progress.end()
    kept, repeated = _once(applications)
    return EventLogs(tuple(kept), tuple(refused), tuple(repeated))


def _find_logs(paths: Sequence[Path]) -> list[EventLog]:
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


def _size_bytes(log: EventLog) -> int:
    return sum(file.stat().st_size for file in log.files if file.is_file())


@dataclass(slots=True)
class _TellsBytes:
    """Hands the bytes of one log on to the progress, and sums them."""

    progress: Progress
    size_bytes: int = 0

    def advance(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        self.progress.advance(size_bytes, 0)


def _read(log: EventLog, advance: Callable[[int], None]) -> Application:
    """The log's application.

    Raises:
        EventLogError: there is none.
        OSError: a file cannot be opened or read.
    """
    if log.reason:
        raise EventLogError(log.reason)
    facts = CollectedEvents()
    facts.problems.update(log.problems)
    for file in log.files:
        before = facts.lines
        for line in lines(chunks(file, facts.problems, advance)):
            facts.read(line)
        facts.problems[LogProblem.FILE_EMPTY] += facts.lines == before
    return application(facts, log.files, log.path.stem)


def _once(applications: Sequence[Application]) -> tuple[list[Application], list[LeftOutLog]]:
    """The fullest reading of each attempt, in order, and the other ones."""
    readings: dict[tuple[str, int, str, int], list[Application]] = {}
    for each in applications:
        attempt = each.attempt or ""
        key = (each.id, len(attempt), attempt, each.started_ms)
        readings.setdefault(key, []).append(each)
    kept, repeated = [], []
    for _, same in sorted(readings.items()):
        fullest, *others = sorted(same, key=_fullness)
        repeated += [LeftOutLog(each.files[0], _same_as(fullest)) for each in others]
        kept.append(_repeated(fullest, len(others)) if others else fullest)
    return kept, repeated


def _fullness(app: Application) -> tuple[int, bool, tuple[str, ...]]:
    return -len(app.tasks), not app.ended_told, app.files


def _same_as(kept: Application) -> str:
    attempt = f" attempt {kept.attempt}" if kept.attempt else ""
    return f"application {kept.id}{attempt} is read from {kept.files[0]}"


def _repeated(app: Application, times: int) -> Application:
    problems = {**app.problems, LogProblem.APPLICATION_READ_TWICE.value: times}
    return replace(app, problems=dict(sorted(problems.items())))


@dataclass(frozen=True, slots=True)
class LocalLogs:
    """Paths of logs on this machine; `origin` puts the places' names for copies in a text."""

    paths: tuple[Path, ...]
    origin: Callable[[str], str]


@contextmanager
def fetched(places: Sequence[str]) -> Iterator[LocalLogs]:
    """The places as paths: what is on this machine as it is, objects below a URL as copies.

    Raises:
        LakeError: a store cannot be listed, or has nothing there.
        UnreadableTableError: an object cannot be read.
    """
    with scratch_folder() as scratch:
        names: dict[str, str] = {}
        paths = []
        for number, place in enumerate(places):
            path = Path(place)
            if "://" in place:
                path = _copied(place, scratch / str(number))
                names[str(path)] = place.rstrip("/")
            paths.append(path)
        yield LocalLogs(tuple(paths), lambda text: _renamed(text, names))


def _renamed(text: str, names: dict[str, str]) -> str:
    for path, name in names.items():
        text = text.replace(path, name)
    return text


def _copied(url: str, folder: Path) -> Path:
    """The folder, with all objects below the URL; or in it the one that the URL names."""
    try:
        storage = storage_of(url)
        files = storage.list().files
    except LakeError:
        parent, _, name = url.rstrip("/").rpartition("/")
        if parent.endswith(("/", ":")):
            raise
        storage = storage_of(parent)
        files = tuple(file for file in storage.list().files if file.path == name)
        if not files:
            raise
        _copy(storage, files[0], folder / name)
        return folder / name
    for file in files:
        _copy(storage, file, folder / file.path)
    return folder


def _copy(storage: Storage, file: FileInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as copy:
        for start in range(0, file.size_bytes, PIECE_BYTES):
            copy.write(storage.read(file, start, PIECE_BYTES))
