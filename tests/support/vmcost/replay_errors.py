"""The errors of replay: a table of errors at the measured size, one from size to size.

    python -m tests.support.vmcost.replay_errors [EVENT_LOGS]

The first table takes the logs beside a developer's checkout and those of this repository: each
log's duration, simulated on the executors that it had. `no task` is the share of the time in which
no task ran: that much is the driver's and is taken from the log. `packed` is what the error would
be without a schedule, with that time and the task time spread evenly over all slots.

The second table takes the same job on one executor and on two: each log predicts the other's
duration. `work` is the tasks' time in the other log over that in the own one, `driver` the same of
the time without any task. Replay takes both to be 1 and cannot know better: all executors ran on
one small machine, with whatever else it had to do. `same speed` is the error that is left where
the own log's durations are multiplied by them: the error of the schedule alone.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from r2d2.vmcost.advice.replay import replay, replay_workload
from r2d2.vmcost.advice.replay.slots import Life, first_arrival_ms, measured_lives, peak_slots
from r2d2.vmcost.advice.replay.workload import Workload, WorkloadTask, workload_of
from r2d2.vmcost.bill.timeline import union
from r2d2.vmcost.events import read_logs
from r2d2.vmcost.model import Application

TESTS = Path(__file__).parents[2] / "vmcost"
OWN_LOGS = (TESTS / "logs", TESTS / "advice" / "logs")
PAIRS = (
    (TESTS / "logs" / "find-cluster-1.zstd", TESTS / "logs" / "find-cluster-2.zstd"),
    (TESTS / "logs" / "plan-cluster-1.zstd", TESTS / "logs" / "plan-cluster-2.zstd"),
    (TESTS / "advice" / "logs" / "waits-1.zstd", TESTS / "advice" / "logs" / "waits-2.zstd"),
)


@dataclass(frozen=True, slots=True)
class Error:
    """One prediction beside what was measured, in seconds."""

    name: str
    tasks: int
    measured_s: float
    predicted_s: float
    idle_share: float
    packed_error: float

    @property
    def relative(self) -> float:
        """Predicted over measured, less 1."""
        return self.predicted_s / self.measured_s - 1


@dataclass(frozen=True, slots=True)
class Crossing:
    """The duration on one number of executors, predicted from the log of another."""

    name: str
    measured_s: float
    predicted_s: float
    work_ratio: float
    driver_ratio: float
    same_speed_s: float

    @property
    def relative(self) -> float:
        """Predicted over measured, less 1."""
        return self.predicted_s / self.measured_s - 1

    @property
    def same_speed(self) -> float:
        """The same with tasks and driver as fast as in the run that is predicted."""
        return self.same_speed_s / self.measured_s - 1


def errors_at_measured_size(folders: Sequence[Path]) -> list[Error]:
    """The errors of all logs that tell of an application, folder by folder."""
    return [
        _error(path.stem, app)
        for folder in folders
        for path in sorted(folder.iterdir())
        for app in read_logs([path]).applications
        if len(app.tasks)
    ]


def crossings() -> Iterator[Crossing]:
    """Each pair's predictions, both ways."""
    for pair in PAIRS:
        apps = [read_logs([path]).applications[0] for path in pair]
        for own, other in ((0, 1), (1, 0)):
            slots = peak_slots(measured_lives(apps[other]))
            work = _work_s(apps[other]) / _work_s(apps[own])
            driver = _idle_s(apps[other]) / _idle_s(apps[own])
            plan = _at_speed(workload_of(apps[own]), work, driver)
            arrival_ms = round(first_arrival_ms(measured_lives(apps[own])) * driver)
            yield Crossing(
                f"{pair[own].stem} on {slots}",
                _measured_s(apps[other]),
                replay(apps[own], slots).predicted_s,
                work,
                driver,
                replay_workload(plan, [Life(slots, arrival_ms)]) / 1000,
            )


def _at_speed(plan: Workload, work: float, driver: float) -> Workload:
    """The plan with the durations of its tasks and its driver multiplied."""

    def slower(task: WorkloadTask) -> WorkloadTask:
        cold_ms = None if task.cold_ms is None else round(task.cold_ms * work)
        return replace(task, duration_ms=round(task.duration_ms * work), cold_ms=cold_ms)

    steps = (
        replace(
            step,
            tasks=tuple(map(slower, step.tasks)),
            delay_ms=round(step.delay_ms * driver),
            lead_ms=round(step.lead_ms * driver),
            tail_ms=round(step.tail_ms * driver),
        )
        for step in plan.steps
    )
    jobs = (
        replace(job, gap_ms=round(job.gap_ms * driver), tail_ms=round(job.tail_ms * driver))
        for job in plan.jobs
    )
    tail_ms, cold_ms = round(plan.tail_ms * driver), round(plan.cold_ms * work)
    return replace(plan, jobs=tuple(jobs), steps=tuple(steps), tail_ms=tail_ms, cold_ms=cold_ms)


def _error(name: str, app: Application) -> Error:
    found = replay(app)
    idle_s = _idle_s(app)
    slots = peak_slots(measured_lives(app))
    packed_s = idle_s + _work_s(app) / max(1, slots)
    return Error(
        name,
        len(app.tasks),
        found.measured_s,
        found.predicted_s,
        idle_s / found.measured_s,
        packed_s / found.measured_s - 1,
    )


def _measured_s(app: Application) -> float:
    return (app.ended_ms - app.started_ms) / 1000


def _work_s(app: Application) -> float:
    return float(np.sum(app.tasks["finish_ms"] - app.tasks["launch_ms"])) / 1000


def _idle_s(app: Application) -> float:
    """The seconds in which no task ran."""
    starts, ends = app.tasks["launch_ms"].tolist(), app.tasks["finish_ms"].tolist()
    busy_ms = sum(end - start for start, end in union(zip(starts, ends, strict=True)))
    return _measured_s(app) - busy_ms / 1000


def main(shared: Path | None) -> None:
    """Prints both tables."""
    errors = errors_at_measured_size([*([shared] if shared else []), *OWN_LOGS])
    print(f"{'at the measured size':34} tasks measured predicted    error no task   packed")
    for one in errors:
        print(
            f"{one.name:34} {one.tasks:5} {one.measured_s:8.3f} {one.predicted_s:9.3f}"
            f" {one.relative:+8.2%} {one.idle_share:7.1%} {one.packed_error:+8.1%}"
        )
    sizes = [abs(one.relative) for one in errors]
    print(f"median {median(sizes):.2%}, most {max(sizes):.2%}, {len(sizes)} logs\n")
    print(f"{'from one size to another':34} measured predicted    error    work  driver same speed")
    for crossing in crossings():
        print(
            f"{crossing.name:34} {crossing.measured_s:8.3f} {crossing.predicted_s:9.3f}"
            f" {crossing.relative:+8.1%} {crossing.work_ratio:7.2f} {crossing.driver_ratio:7.2f}"
            f" {crossing.same_speed:+10.1%}"
        )


if __name__ == "__main__":
    beside = Path(__file__).parents[4] / "shared" / "event-logs"
    given = Path(sys.argv[1]) if sys.argv[1:] else beside
    main(given if given.is_dir() else None)
