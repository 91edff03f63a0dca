"""Jobs and the attempts of stages, as columns: a stream has hundreds of thousands of both.

A row is an object only while someone looks at it. As objects that stay, a job and its stage took
700 bytes; as columns they take 100 and their names.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.events.problems import LogProblem, LogProblemCounts
from r2d2.vmcost.events.schema import JobEnd, JobStart, StageEvent, StageInfo
from r2d2.vmcost.model import Job, SparkStage

Longs = npt.NDArray[np.int64]
Row = TypeVar("Row")
MOST_NAMES = 4_096
"""So many names are kept once for all that bear them: Spark's own are lines of code."""
NO_LABELS: Mapping[str, str] = {}
UNKNOWN = -1
_RESULTS = {None: UNKNOWN, False: 0, True: 1}


class RowSequence(Sequence[Row]):
    """Rows that are made when they are asked for, in the order of their numbers."""

    def __init__(self) -> None:
        self._order = np.zeros(0, np.intp)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return tuple(map(self._row, self._order[at].tolist()))
        return self._row(int(self._order[at]))

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self._order.tolist())

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _row(self, at: int) -> Row:
        raise NotImplementedError


class IntLists:
    """A list of whole numbers for each row, all in one array."""

    def __init__(self) -> None:
        self._numbers = array("i")
        self._firsts, self._counts = array("q"), array("i")

    def append(self, numbers: Iterable[int]) -> None:
        """Another row."""
        self._firsts.append(0)
        self._counts.append(0)
        self.put(len(self._firsts) - 1, numbers)

    def put(self, at: int, numbers: Iterable[int]) -> None:
        """Gives a row its list, which had none."""
        self._firsts[at] = len(self._numbers)
        self._numbers.extend(numbers)
        self._counts[at] = len(self._numbers) - self._firsts[at]

    def __getitem__(self, at: int) -> tuple[int, ...]:
        first = self._firsts[at]
        return tuple(self._numbers[first : first + self._counts[at]])


class StageRows(RowSequence[SparkStage]):
    """Every attempt of a stage, by its numbers; of one that never ran `submitted_ms` is None."""

    def __init__(self) -> None:
        super().__init__()
        self._at: dict[int, int] = {}
        self._ids, self._attempts, self._tasks = array("i"), array("i"), array("i")
        self.submitted_ms, self.completed_ms = array("q"), array("q")  # 0 where none is told
        self._names: list[str] = []
        self._known_names: dict[str, str] = {}
        self._parents = IntLists()
        self._problems: dict[int, str] = {}

    def take(self, stage: StageInfo) -> str:
        """Takes in what an event tells of an attempt; the stage's name."""
        key = stage.id << 32 | stage.attempt & 0xFFFFFFFF
        at = self._at.setdefault(key, len(self._ids))
        if at == len(self._ids):
            self._ids.append(stage.id)
            self._attempts.append(stage.attempt)
            self._tasks.append(max(0, stage.tasks))
            self.submitted_ms.append(0)
            self.completed_ms.append(0)
            self._names.append(self._kept(stage.name or ""))
            self._parents.append(sorted(set(stage.parents)))
        self.submitted_ms[at] = self.submitted_ms[at] or _moment(stage.submitted_ms)
        self.completed_ms[at] = self.completed_ms[at] or _moment(stage.completed_ms)
        if stage.problem:
            self._problems.setdefault(at, stage.problem)
        return self._names[at]

    def _kept(self, name: str) -> str:
        if len(self._known_names) < MOST_NAMES:
            self._known_names.setdefault(name, name)
        return self._known_names.get(name, name)

    def in_order(self) -> "StageRows":
        """The rows, once all were taken in."""
        self._order = np.lexsort((self._attempts, self._ids))
        self._at, self._known_names = {}, {}
        return self

    def _row(self, at: int) -> SparkStage:
        return SparkStage(
            id=self._ids[at],
            attempt=self._attempts[at],
            name=self._names[at],
            tasks=self._tasks[at],
            submitted_ms=self.submitted_ms[at] or None,
            completed_ms=self.completed_ms[at] or None,
            parents=self._parents[at],
            problem=self._problems.get(at, ""),
        )


class JobRows(RowSequence[Job]):
    """Every job, by its number."""

    def __init__(self) -> None:
        super().__init__()
        self._at: dict[int, int] = {}
        self._ids, self._results = array("i"), array("b")
        self._began, self._ended = bytearray(), bytearray()  # whether such an event was there
        self.started_ms, self.ended_ms = array("q"), array("q")  # 0 where none is told
        self._names: list[str] = []
        self._stages = IntLists()
        self._labels: dict[int, Mapping[str, str]] = {}

    def start(self, event: JobStart, name: str) -> None:
        """A job starts, of which its stages' names tell that name."""
        at = self._place(event.id)
        if not self._began[at]:
            self._began[at] = True
            self.started_ms[at] = _moment(event.started_ms)
            properties = event.properties
            self._names[at] = (properties.description if properties else None) or name
            stages = {*event.stage_ids, *(stage.id for stage in event.stages)}
            self._stages.put(at, sorted(stages))
            if labels := _labels(event):
                self._labels[at] = labels

    def end(self, event: JobEnd) -> None:
        """A job ends."""
        at = self._place(event.id)
        if not self._ended[at]:
            result = event.result.result if event.result else None
            self._ended[at] = True
            self.ended_ms[at] = _moment(event.ended_ms)
            self._results[at] = _RESULTS[None if result is None else result == "JobSucceeded"]

    def _place(self, job: int) -> int:
        at = self._at.setdefault(job, len(self._ids))
        if at == len(self._ids):
            self._ids.append(job)
            self._results.append(UNKNOWN)
            self._began.append(False)
            self._ended.append(False)
            self.started_ms.append(0)
            self.ended_ms.append(0)
            self._names.append("")
            self._stages.append(())
        return at

    def in_order(self, problems: LogProblemCounts) -> "JobRows":
        """The rows, once all were taken in; what was missing of them is counted."""
        problems[LogProblem.JOB_WITHOUT_START] += self._began.count(0)
        problems[LogProblem.JOB_WITHOUT_END] += self._ended.count(0)
        self._order = np.argsort(np.array(self._ids, np.int64))
        self._at = {}
        return self

    def _row(self, at: int) -> Job:
        result = self._results[at]
        return Job(
            id=self._ids[at],
            stages=self._stages[at],
            started_ms=self.started_ms[at] or None,
            ended_ms=self.ended_ms[at] or None,
            succeeded=None if result == UNKNOWN else bool(result),
            name=self._names[at],
            labels=self._labels.get(at, NO_LABELS),
        )


class JobsAndStages:
    """The jobs and stages of a log while it is read."""

    def __init__(self) -> None:
        self._stages = StageRows()
        self._jobs = JobRows()

    def start(self, event: JobStart) -> None:
        """A job starts; of stages that are skipped this is all that tells.

        Its name is the user's description, else that of the last stage, as in Spark's own pages.
        """
        names = [(stage.id, self._stages.take(stage)) for stage in event.stages]
        self._jobs.start(event, max(names, key=lambda named: named[0], default=(0, ""))[1])

    def end(self, event: JobEnd) -> None:
        """A job ends."""
        self._jobs.end(event)

    def stage_event(self, event: StageEvent) -> None:
        """A stage is submitted, or has completed."""
        self._stages.take(event.stage)

    def moments(self) -> Longs:
        """Every moment that a job or stage names."""
        jobs, stages = self._jobs, self._stages
        columns = jobs.started_ms, jobs.ended_ms, stages.submitted_ms, stages.completed_ms
        named = np.concatenate([np.array(column, np.int64) for column in columns])
        moments: Longs = named[named > 0]
        return moments

    def stages(self) -> StageRows:
        """Every attempt."""
        return self._stages.in_order()

    def jobs(self, problems: LogProblemCounts) -> JobRows:
        """Every job."""
        return self._jobs.in_order(problems)


def _moment(told_ms: int | None) -> int:
    """The moment, 0 for none; Spark writes −1 or 0 for one it does not know."""
    return told_ms if told_ms is not None and told_ms > 0 else 0


def _labels(start: JobStart) -> Mapping[str, str]:
    """The labels of r2d2's own jobs."""
    properties = start.properties
    if properties is None:
        return NO_LABELS
    labels = {"r2d2.read": properties.read, "r2d2.read_bytes": properties.read_bytes}
    return {name: value for name, value in labels.items() if value is not None} or NO_LABELS
