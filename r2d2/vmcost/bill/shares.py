"""The tasks' charges added up by job, stage and executor."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from r2d2.vmcost.bill.model import Amount, Rate, Share, amount_of
from r2d2.vmcost.bill.task_time import NO_JOB, computing_units, jobs_of_attempts
from r2d2.vmcost.bill.timeline import BilledRun, Integers, Positions
from r2d2.vmcost.model import Application

MS_PER_SECOND = 1000


@dataclass(frozen=True, slots=True)
class Charges:
    """Units charged to each task, how many of them a VM-millisecond has, and the VM's price."""

    units: Integers
    scale: int
    rate: Rate | None

    def amount(self, units: int) -> Amount:
        """The units as rented time and money."""
        return amount_of(Fraction(units, self.scale * MS_PER_SECOND), self.rate)


class ChargeSums:
    """Adds the charges of one application up by whatever key each of its tasks has."""

    def __init__(self, run: BilledRun, charges: Charges) -> None:
        self._charges, self._tasks = charges, run.app.tasks
        self._busy = np.where(run.failed, 0, charges.units)
        self._failed = np.where(run.failed, charges.units, 0)

    def computing(self) -> Amount:
        """The part of the busy charges in which tasks computed."""
        return self._charges.amount(int(computing_units(self._tasks, self._busy).sum()))

    def shares(self, place: Positions, names: Sequence[tuple[str, str]]) -> tuple[Share, ...]:
        """One share for each key and name, `place` being each task's position among them."""
        tasks = np.bincount(place, minlength=len(names))
        busy, failed = (_sums(place, len(names), units) for units in (self._busy, self._failed))
        amount = self._charges.amount
        return tuple(
            Share(
                key,
                name,
                int(tasks[at]),
                amount(int(busy[at])),
                amount(int(failed[at])),
            )
            for at, (key, name) in enumerate(names)
        )


def _sums(place: Positions, size: int, units: Integers) -> Integers:
    sums = np.zeros(size, np.int64)
    np.add.at(sums, place, units)
    return sums


def stage_and_job_shares(
    app: Application, sums: ChargeSums
) -> tuple[tuple[Share, ...], tuple[Share, ...]]:
    """The shares of stage attempts and of jobs, each in order of id.

    All jobs of the application are named; tasks of none stand last under the empty key.
    """
    attempts, place, jobs = jobs_of_attempts(app)
    titles = {(stage.id, stage.attempt): stage.name for stage in app.stages}
    stages = [
        (f"{stage}.{attempt}", titles.get((int(stage), int(attempt)), ""))
        for stage, attempt in attempts
    ]
    order = sorted(range(len(app.jobs)), key=lambda position: app.jobs[position].id)
    names = [(str(app.jobs[position].id), app.jobs[position].name) for position in order]
    rank = np.full(len(app.jobs) + 1, len(order), np.intp)
    rank[order] = np.arange(len(order))
    of_job = rank[np.where(jobs == NO_JOB, len(app.jobs), jobs)]
    if (of_job == len(order)).any():
        names.append(("", "tasks of no job"))
    return sums.shares(place, stages), sums.shares(of_job[place], names)


def executor_shares(app: Application, sums: ChargeSums) -> tuple[Share, ...]:
    """The shares of executors, in the order in which they were added."""
    order = sorted(
        range(len(app.executors)),
        key=lambda number: (app.executors[number].added_ms, app.executors[number].id),
    )
    names = [(app.executors[number].id, app.executors[number].host) for number in order]
    rank = np.full(len(app.executors) + 1, len(order), np.intp)
    rank[order] = np.arange(len(order))
    place = rank[app.tasks["executor"]]
    if (app.tasks["executor"] < 0).any():
        names.append(("", "executors that were never added"))
    return sums.shares(place, names)
