"""Event logs in, applications out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from r2d2.progress import Progress, Silence
from r2d2.vmcost.events.application import application
from r2d2.vmcost.events.codecs import chunks, lines
from r2d2.vmcost.events.collect import CollectedEvents
from r2d2.vmcost.events.files import EventLog, find_logs
from r2d2.vmcost.events.problems import EventLogError, LeftOutLog, LogProblem
from r2d2.vmcost.model import Application


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
    logs = find_logs([Path(path) for path in paths])
    progress = progress or Silence()
    progress.begin("reading event logs", sum(map(_size_bytes, logs)))
    for log in logs:
        try:
            applications.append(_read(log))
        except EventLogError as error:
            refused.append(LeftOutLog(str(log.path), str(error)))
        except OSError as error:
            refused.append(LeftOutLog(str(log.path), f"cannot be read: {error.strerror}"))
        progress.advance(_size_bytes(log), len(applications[-1].tasks) if applications else 0)
    progress.end()
    kept, repeated = _once(applications)
    return EventLogs(tuple(kept), tuple(refused), tuple(repeated))


def _size_bytes(log: EventLog) -> int:
    return sum(file.stat().st_size for file in log.files if file.is_file())


def _read(log: EventLog) -> Application:
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
        for line in lines(chunks(file, facts.problems)):
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
