"""Tasks as they end, row by row, and in the end as one array."""

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.events.problems import EventLogError, LogProblem, LogProblemCounts
from r2d2.vmcost.events.schema import (
    InputMetrics,
    OutputMetrics,
    ShuffleReadMetrics,
    ShuffleWriteMetrics,
    TaskEnd,
    TaskEndReason,
    TaskInfo,
    TaskMetrics,
    TaskStart,
)
from r2d2.vmcost.model import TASK, Outcome, Tasks

MOST_TASKS = 10_000_000
"""Beyond it a row of 140 bytes a task would take more than 1.4 GB."""
_BLOCK_ROWS = 8_192
_MOST_LONG = 2**63 - 1
_NAME = np.dtype([("task", np.int64), ("resubmitted", np.bool_)])
_METRICS = (TASK.names or ())[TASK.names.index("run_ms") if TASK.names else 0 :]
_NO_METRICS, _NO_READ, _NO_WRITE = TaskMetrics(), ShuffleReadMetrics(), ShuffleWriteMetrics()
_NO_INPUT, _NO_OUTPUT = InputMetrics(), OutputMetrics()
_RESUBMITTED = "Resubmitted"
_OUTCOMES = {"Success": Outcome.SUCCEEDED, "TaskKilled": Outcome.KILLED}


class TaskRows:
    """The tasks of a log while it is read."""

    def __init__(self) -> None:
        self.executors: dict[str, int] = {}  # the number that stands for each id in the rows
        self.peaks_bytes: dict[str, int] = {}
        """The most memory that was seen of each executor, heap and off-heap together."""
        self._open: list[tuple[int, ...]] = []
        self._opened: list[tuple[int, bool]] = []
        self._tasks = np.empty(0, TASK)
        self._names = np.empty(0, _NAME)
        self._starting: dict[int, int] = {}

    def start(self, event: TaskStart) -> None:
        """A task that starts is not a task yet, but is missed until it ends."""
        self._starting.setdefault(event.task.id, event.task.launch_ms)

    def end(self, event: TaskEnd) -> None:
        """Another task.

        Raises:
            EventLogError: there are more than `MOST_TASKS`.
        """
        task, metrics = event.task, event.metrics or _NO_METRICS
        read, write = metrics.shuffle_read or _NO_READ, metrics.shuffle_write or _NO_WRITE
        self._open.append(
            (
                event.stage,
                event.stage_attempt,
                task.index,
                task.attempt,
                self.executors.setdefault(task.executor, len(self.executors)),
                task.launch_ms,
                task.finish_ms,
                _outcome(event.reason, task),
                task.speculative,
                metrics.run_ms,
                metrics.cpu_ns,
                metrics.gc_ms,
                metrics.deserialize_ms,
                metrics.result_ms,
                read.wait_ms,
                write.ns,
                metrics.spilled_memory_bytes,
                metrics.spilled_disk_bytes,
                metrics.peak_memory_bytes,
                (metrics.input or _NO_INPUT).bytes,
                (metrics.output or _NO_OUTPUT).bytes,
                min(read.remote_bytes + read.local_bytes, _MOST_LONG),
                write.bytes,
            )
        )
        seen = event.executor
        if seen is not None and (peak := seen.heap_bytes + seen.off_heap_bytes) > 0:
            self.peaks_bytes[task.executor] = max(peak, self.peaks_bytes.get(task.executor, 0))
        self._starting.pop(task.id, None)
        resubmitted = event.reason is not None and event.reason.reason == _RESUBMITTED
        self._opened.append((task.id, resubmitted))
        if len(self._open) >= _BLOCK_ROWS:
            self._close()
            if len(self._tasks) > MOST_TASKS:
                raise EventLogError(f"more than {MOST_TASKS:,} tasks")

    def _close(self) -> None:
        """Rows in an array take a tenth of what they take as tuples.

        The array grows in place: a copy of many tasks would be the most that reading takes.
        """
        before, size = len(self._tasks), len(self._tasks) + len(self._open)
        if self._open:
            self._tasks.resize(size, refcheck=False)
            self._names.resize(size, refcheck=False)
            self._tasks[before:] = self._open
            self._names[before:] = self._opened
        self._open, self._opened = [], []

    def tasks(self, problems: LogProblemCounts) -> tuple[Tasks, npt.NDArray[np.int64]]:
        """Each task once, in order, its executor by number; and launches of those without end."""
        self._close()
        rows, names = self._tasks, self._names
        self._tasks, self._names = np.empty(0, TASK), np.empty(0, _NAME)
        rows, names = _once(rows, names, problems)
        # A line may come before the one it follows: what ended already is not missed.
        started = np.array(list(self._starting.items()), np.int64).reshape(-1, 2)
        lost_ms = started[~np.isin(started[:, 0], names["task"]), 1]
        problems[LogProblem.TASK_WITHOUT_END] += len(lost_ms)
        _mend(rows, problems)
        keys = (rows[name] for name in ("attempt", "index", "stage_attempt", "stage", "launch_ms"))
        order = np.lexsort([names["task"], *keys])
        for name in TASK.names or ():
            rows[name] = rows[name][order]
        return rows, lost_ms


def _outcome(reason: TaskEndReason | None, task: TaskInfo) -> Outcome:
    if reason is None or not reason.reason:
        if task.killed:
            return Outcome.KILLED
        return Outcome.FAILED if task.failed else Outcome.SUCCEEDED
    return _OUTCOMES.get(reason.reason, Outcome.FAILED)


def _once(
    rows: Tasks, names: npt.NDArray[np.void], problems: LogProblemCounts
) -> tuple[Tasks, npt.NDArray[np.void]]:
    """The first row of each task, and of each whose output was lost a row of no length.

    Such a task ends again, as it did before, when its executor is lost (`Resubmitted` in
    `TaskSetManager.executorLost`): its time must not count twice.
    """
    order = np.lexsort((names["resubmitted"], names["task"]))
    task, resubmitted = names["task"][order], names["resubmitted"][order]
    repeated = (task[1:] == task[:-1]) & (resubmitted[1:] == resubmitted[:-1])
    problems[LogProblem.TASK_ENDED_TWICE] += int(repeated.sum())
    if repeated.any():
        rows, names = (np.delete(each, order[1:][repeated]) for each in (rows, names))
    again = names["resubmitted"]
    problems[LogProblem.TASK_RESUBMITTED] += int(again.sum())
    rows["launch_ms"][again] = rows["finish_ms"][again]
    return rows, names


def _mend(rows: Tasks, problems: LogProblemCounts) -> None:
    """Gives tasks without believable times the length 0, and negative metrics the value 0."""
    launch, finish = rows["launch_ms"], rows["finish_ms"]
    wrong = (launch <= 0) | (finish < launch)
    problems[LogProblem.TASK_TIME_DISBELIEVED] += int(wrong.sum())
    finish[wrong] = launch[wrong] = np.maximum(launch, finish)[wrong]
    for name in _METRICS:
        negative = rows[name] < 0
        problems[LogProblem.METRIC_DISBELIEVED] += int(negative.sum())
        rows[name][negative] = 0
