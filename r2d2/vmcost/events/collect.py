"""The events of one log, decoded line by line; bytes and escapes that are no text are repaired.

Those of jobs and of the attempts of stages may come in any order.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from r2d2.vmcost.events import schema
from r2d2.vmcost.events.problems import LogProblem, LogProblemCounts
from r2d2.vmcost.events.schema import JobEnd, JobStart, StageEvent, StageInfo
from r2d2.vmcost.events.tasks import TaskRows
from r2d2.vmcost.model import Job, SparkStage

_EVENT = re.compile(rb'\{"Event":"(?:[\w$]+\.)*(\w+)"')
"""The start of each line; the kinds that nobody reads here need not be parsed."""
_MARK = "\ufeff".encode()
MOST_REPAIRED_BYTES = 2**20
NO_LABELS: Mapping[str, str] = {}
_KIND = msgspec.json.Decoder(schema.AnyEvent)


class CollectedEvents:
    """The events of a log so far."""

    def __init__(self) -> None:
        self.problems = LogProblemCounts()
        self.lines = 0
        self.version = ""
        self.starts: list[schema.ApplicationStart] = []
        self.ends_ms: list[int] = []
        self.properties: dict[str, str] = {}
        self.profiles: dict[int, schema.ResourceProfileAdded] = {}
        self.added: list[schema.ExecutorAdded] = []
        self.removed: list[schema.ExecutorRemoved] = []
        self.jobs = JobsAndStages()
        self.tasks = TaskRows()
        self._readers = self._by_kind()

    def read(self, line: bytes | None) -> None:
        """Takes in a line; None is one that was too long.

        Raises:
            EventLogError: there are too many tasks.
        """
        if line is None:
            self.lines += 1
            self.problems[LogProblem.LINE_TOO_LONG] += 1
        elif line and not line.isspace():
            if self.lines == 0:
                line = line.removeprefix(_MARK)
            self.lines += 1
            self._read(line)

    def _read(self, line: bytes) -> None:
        match = _EVENT.match(line)
        kind = match[1] if match else _other_kind(line)
        if reader := self._readers.get(kind):
            decoder, take = reader
            event, mended = _decoded(line, decoder)
            self.problems[LogProblem.LINE_MALFORMED] += event is None
            self.problems[LogProblem.LINE_NOT_UTF8] += mended
            if event is not None:
                take(event)
        elif not kind or not line.rstrip().endswith(b"}"):
            self.problems[LogProblem.LINE_MALFORMED] += 1

    def _by_kind(self) -> dict[bytes, tuple[msgspec.json.Decoder[Any], Callable[[Any], None]]]:
        """The decoder and the receiver of each kind of event."""
        takers: dict[str, tuple[type, Callable[[Any], None]]] = {
            "SparkListenerTaskEnd": (schema.TaskEnd, self.tasks.end),
            "SparkListenerTaskStart": (schema.TaskStart, self.tasks.start),
            "SparkListenerStageSubmitted": (schema.StageEvent, self.jobs.stage_event),
            "SparkListenerStageCompleted": (schema.StageEvent, self.jobs.stage_event),
            "SparkListenerJobStart": (schema.JobStart, self.jobs.start),
            "SparkListenerJobEnd": (schema.JobEnd, self.jobs.end),
            "SparkListenerExecutorAdded": (schema.ExecutorAdded, self.added.append),
            "SparkListenerExecutorRemoved": (schema.ExecutorRemoved, self.removed.append),
            "SparkListenerResourceProfileAdded": (schema.ResourceProfileAdded, self._profile),
            "SparkListenerEnvironmentUpdate": (schema.EnvironmentUpdate, self._environment),
            "SparkListenerApplicationStart": (schema.ApplicationStart, self.starts.append),
            "SparkListenerApplicationEnd": (schema.ApplicationEnd, self._end),
            "SparkListenerLogStart": (schema.LogStart, self._version),
            "DBCEventLoggingListenerMetadata": (schema.LogStart, self._version),
        }
        return {
            kind.encode(): (msgspec.json.Decoder(event), taker)
            for kind, (event, taker) in takers.items()
        }

    def _profile(self, event: schema.ResourceProfileAdded) -> None:
        self.profiles[event.id] = event

    def _environment(self, event: schema.EnvironmentUpdate) -> None:
        known = {key: value for key, value in event.properties.items() if value is not None}
        self.properties.update(known)

    def _end(self, event: schema.ApplicationEnd) -> None:
        self.ends_ms.append(event.ended_ms)

    def _version(self, event: schema.LogStart) -> None:
        self.version = self.version or event.version


def _other_kind(line: bytes) -> bytes:
    """The kind of a line that begins otherwise than Spark's; b"" where it is no event."""
    event, _ = _decoded(line, _KIND)
    return b"" if event is None else event.event.rsplit(".", 1)[-1].encode("utf-8", "replace")


def _decoded(line: bytes, decoder: msgspec.json.Decoder[Any]) -> tuple[Any, bool]:
    """The event, None where there is none, and whether the line was mended for it."""
    try:
        return decoder.decode(line), False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        mended = _repaired(line)
    if mended is None:
        return None, False
    try:
        return decoder.decode(mended), True
    except (msgspec.DecodeError, RecursionError):
        return None, False


def _repaired(line: bytes) -> bytes | None:
    """The line with U+FFFD for what is no UTF-8 and for halves of surrogate pairs.

    None where that is not what is wrong with it, or it is too long to be worth it.
    """
    if len(line) > MOST_REPAIRED_BYTES:
        return None
    text = line.decode("utf-8", "replace")
    try:
        whole = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    mended = whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return None if mended == line else mended


class JobsAndStages:
    """The jobs and stages of a log while it is read."""

    def __init__(self) -> None:
        self._starts: dict[int, Job] = {}
        self._ends: dict[int, tuple[int | None, bool | None]] = {}
        self._stages: dict[tuple[int, int], StageInfo] = {}

    def start(self, event: JobStart) -> None:
        """A job starts; of stages that are skipped this is all that tells."""
        for stage in event.stages:
            self._stage(stage)
        if event.id not in self._starts:
            self._starts[event.id] = Job(
                id=event.id,
                stages=_stage_ids(event),
                started_ms=_moment(event.started_ms),
                name=_name(event),
                labels=_labels(event),
            )

    def end(self, event: JobEnd) -> None:
        """A job ends."""
        result = event.result.result if event.result else None
        succeeded = None if result is None else result == "JobSucceeded"
        self._ends.setdefault(event.id, (_moment(event.ended_ms), succeeded))

    def stage_event(self, event: StageEvent) -> None:
        """A stage is submitted, or has completed."""
        self._stage(event.stage)

    def _stage(self, stage: StageInfo) -> None:
        known = self._stages.setdefault((stage.id, stage.attempt), stage)
        known.submitted_ms = (
            stage.submitted_ms if known.submitted_ms is None else known.submitted_ms
        )
        known.completed_ms = (
            stage.completed_ms if known.completed_ms is None else known.completed_ms
        )
        known.problem = known.problem or stage.problem

    def moments(self) -> list[int]:
        """Every moment that a job or stage names."""
        named = [
            *(job.started_ms for job in self._starts.values()),
            *(ended_ms for ended_ms, _ in self._ends.values()),
            *(stage.submitted_ms for stage in self._stages.values()),
            *(stage.completed_ms for stage in self._stages.values()),
        ]
        return [moment for moment in named if moment is not None and moment > 0]

    def stages(self) -> tuple[SparkStage, ...]:
        """Every attempt, by its numbers; of one that never ran `submitted_ms` is None.

        They are handed over: nothing of them is kept here.
        """
        return tuple(_stage(self._stages.pop(key)) for key in sorted(self._stages))

    def jobs(self, problems: LogProblemCounts) -> tuple[Job, ...]:
        """Every job, by its number, handed over like the stages."""
        problems[LogProblem.JOB_WITHOUT_START] += len(self._ends.keys() - self._starts.keys())
        problems[LogProblem.JOB_WITHOUT_END] += len(self._starts.keys() - self._ends.keys())
        return tuple(self._job(job) for job in sorted(self._starts.keys() | self._ends.keys()))

    def _job(self, job: int) -> Job:
        start = self._starts.pop(job, None) or Job(job, ())
        ended_ms, succeeded = self._ends.pop(job, (None, None))
        return replace(start, ended_ms=ended_ms, succeeded=succeeded)


def _stage(stage: StageInfo) -> SparkStage:
    return SparkStage(
        id=stage.id,
        attempt=stage.attempt,
        name=stage.name or "",
        tasks=max(0, stage.tasks),
        submitted_ms=_moment(stage.submitted_ms),
        completed_ms=_moment(stage.completed_ms),
        parents=tuple(sorted(set(stage.parents))),
        problem=stage.problem or "",
    )


def _moment(told_ms: int | None) -> int | None:
    """The moment; Spark writes −1 or 0 for one it does not know."""
    return told_ms if told_ms is not None and told_ms > 0 else None


def _stage_ids(start: JobStart) -> tuple[int, ...]:
    return tuple(sorted({*start.stage_ids, *(stage.id for stage in start.stages)}))


def _name(start: JobStart) -> str:
    """The user's description, else the name of the last stage, as in Spark's own pages."""
    if start.properties and start.properties.description:
        return start.properties.description
    last = max(start.stages, key=lambda stage: stage.id, default=None)
    return last.name or "" if last else ""


def _labels(start: JobStart) -> Mapping[str, str]:
    """The labels of r2d2's own jobs."""
    properties = start.properties
    if properties is None:
        return NO_LABELS
    labels = {"r2d2.read": properties.read, "r2d2.read_bytes": properties.read_bytes}
    return {name: value for name, value in labels.items() if value is not None} or NO_LABELS
