"""What the bills of all VMs of an application share: lives, jobs, and each executor's tasks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.bill.intervals import Interval, clipped
from r2d2.vmcost.bill.jobs import job_intervals
from r2d2.vmcost.bill.steps import Integers
from r2d2.vmcost.model import Application, Outcome

Positions = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TaskTimes:
    """An executor's tasks: their positions, and their times within the executor's life."""

    rows: Positions
    starts: Integers
    ends: Integers
    weights: Integers


@dataclass(frozen=True, slots=True)
class Run:
    """An application with what the bill asks of it again and again.

    `lived` says when each executor lived within the application, empty for one that came after its
    end. `jobs` are the moments at which a job ran. `failed` are tasks that did not succeed, and
    speculative copies. `rows` are the positions of each executor's tasks.
    """

    app: Application
    lived: tuple[Interval, ...]
    jobs: tuple[Interval, ...]
    failed: Flags
    rows: Mapping[int, Positions]

    @staticmethod
    def of(app: Application) -> "Run":
        """The application, looked at once."""
        failed = app.tasks["speculative"] | (app.tasks["outcome"] != Outcome.SUCCEEDED)
        return Run(app, _lives(app), job_intervals(app), failed, _rows(app))

    @property
    def bounds(self) -> Interval:
        """The application's time."""
        return self.app.started_ms, self.app.ended_ms

    def tasks_of(self, executor: int) -> TaskTimes:
        """The tasks of the executor at that position."""
        rows = self.rows.get(executor, np.zeros(0, np.intp))
        life, tasks = self.lived[executor], self.app.tasks
        starts = np.clip(tasks["launch_ms"][rows], *life)
        ends = np.maximum(starts, np.clip(tasks["finish_ms"][rows], *life))
        weights = np.full(len(rows), self.app.executors[executor].task_cpus, np.int64)
        return TaskTimes(rows, starts, ends, weights)


def _lives(app: Application) -> tuple[Interval, ...]:
    removed = (app.ended_ms if one.removed_ms is None else one.removed_ms for one in app.executors)
    return tuple(
        clipped((one.added_ms, end), (app.started_ms, app.ended_ms))
        for one, end in zip(app.executors, removed, strict=True)
    )


def _rows(app: Application) -> dict[int, Positions]:
    executor = app.tasks["executor"]
    order = np.argsort(executor, kind="stable")
    numbers, starts = np.unique(executor[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {int(number): rows for number, rows in zip(numbers, parts, strict=False)}
