"""Compares our reading of event logs with an independent one, for `tests/vmcost/oracle`.

Durations, core-seconds, executors, jobs, failed tasks, and of every stage tasks, times, spill and
shuffle must be equal, to the millisecond and byte. Known differences, each computed and checked:

- without an end event the tool takes the last end of a job or of an SQL execution for the end, we
  the last moment of jobs, stages, tasks and executors;
- its core-seconds are a ceiling, with its own end, and not clipped to the application;
- a task whose output was lost ends twice (`Resubmitted`): it counts its length twice and
  no failure, we its length once and a failure;
- it cuts nanoseconds to milliseconds task by task, we at the end;
- where neither a job nor an SQL execution ended it has no end at all;
- a job that ends without a start it takes to start then;
- it rejects logs with a malformed line.

Prints a line for each real log and each that differs, and exits with 1 where one does.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks import event_log
from r2d2.vmcost.bill.task_time import core_seconds, duration_s
from r2d2.vmcost.events import read_logs
from r2d2.vmcost.model import Application, Outcome, Tasks
from tests.support.vmcost.oracle_cases import Case, cases, told_ends_ms
from tests.support.vmcost.oracle_tool import SUMS, Told, profiled

NANOSECONDS = {"cpu_ms": "cpu_ns", "shuffle_write_ms": "shuffle_write_ns"}


def main() -> int:
    """Compares all logs there are."""
    options = argparse.ArgumentParser("python -m tests.support.vmcost.oracle_check")
    options.add_argument("environment", type=Path)
    options.add_argument("--speed", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="r2d2-oracle-") as folder:
        scratch = Path(folder)
        compared = cases(scratch / "logs")
        given = [case.given for case in compared if case.given]
        told, seconds = profiled(chosen.environment, given, scratch / "out")
        good = [_report(case, told) for case in compared]
        print(f"{sum(good)} of {len(good)} logs as the other reader tells them ({seconds:.0f} s)")
        if chosen.speed:
            _speed(chosen.environment, scratch)
    return 0 if all(good) else 1


def _report(case: Case, told: Mapping[str, Told]) -> bool:
    """Says whether both tell the same of a log."""
    (app,) = read_logs([case.path]).applications
    if app.id not in told:
        rejected = "line_malformed" in app.problems
        print(f"{case.name}: rejected by the other reader, {'known' if rejected else 'WHY?'}")
        return rejected
    known, differences = _compared(app, told[app.id], case)
    ours = f"{duration_s(app):.3f} s, {core_seconds(app):,.3f} core-s, {len(app.tasks):,} tasks"
    verdict = f"DIFFERS: {'; '.join(differences)}" if differences else "equal"
    if differences or not case.name.startswith("random"):
        print(f"{case.name}: {ours}, {len(told[app.id].stages)} stages: {verdict}{known}")
    return not differences


def _compared(app: Application, told: Told, case: Case) -> tuple[str, list[str]]:
    """What is known to differ, and what else does."""
    known, differences = "", []
    if told.duration_ms is None:
        return " (without any end)", [] if not told_ends_ms(case.path) else ["it has no end"]
    end_ms = app.started_ms + told.duration_ms
    if not app.ended_told and end_ms != app.ended_ms:
        known = f" (its end is {(end_ms - app.ended_ms) / 1000:+.3f} s, without an end event)"
        expected = max(told_ends_ms(case.path))
    else:
        expected = app.ended_ms
    pairs = [
        ("end", expected, end_ms),
        ("core-s", _unclipped_core_s(app, end_ms), told.core_s),
        ("executors", len(app.executors), told.executors),
        ("jobs", _jobs(app), told.jobs),
        ("failed tasks", _failed(app), told.failed_tasks),
    ]
    differences += [f"{name} {ours} ≠ {theirs}" for name, ours, theirs in pairs if ours != theirs]
    differences += _stages(app.tasks, told)
    return known, differences


def _unclipped_core_s(app: Application, end_ms: int) -> int:
    """Core-seconds as the tool has them; where all is within the application they are ours."""
    core_ms = sum(
        each.cores * ((end_ms if each.removed_ms is None else each.removed_ms) - each.added_ms)
        for each in app.executors
    )
    return math.ceil(core_ms / 1000)


def _failed(app: Application) -> int:
    """Tasks that did not succeed, without those that did and whose output was lost later."""
    failed = int((app.tasks["outcome"] != Outcome.SUCCEEDED).sum())
    return failed - app.problems.get("task_resubmitted", 0)


def _jobs(app: Application) -> Mapping[int, tuple[int | None, int | None]]:
    """Start and end by id."""
    return {job.id: (job.started_ms or job.ended_ms, job.ended_ms) for job in app.jobs}


def _stages(tasks: Tasks, told: Told) -> Iterator[str]:
    """What differs in stages with tasks; of others the tool has rows of zeros."""
    ids = set(tasks["stage"].tolist())
    for stage in sorted(ids | {each for each, sums in told.stages.items() if sums["tasks"]}):
        ours = _sums(tasks[tasks["stage"] == stage])
        theirs = told.stages.get(stage, dict.fromkeys(SUMS.values(), 0))
        for name, value in ours.items():
            least = value - ours["tasks"] if name in NANOSECONDS else value
            if not least <= theirs[name] <= value:
                yield f"stage {stage} {name} {value} ≠ {theirs[name]}"


def _sums(tasks: Tasks) -> dict[str, int]:
    """The tool's columns of one stage."""
    found = {"tasks": len(tasks)}
    for name in SUMS.values():
        if name in NANOSECONDS:
            found[name] = int(tasks[NANOSECONDS[name]].sum()) // 1_000_000
        elif name == "duration_ms":
            length = tasks["finish_ms"] - tasks["launch_ms"]
            found[name] = int(length.sum()) + _lost_again_ms(tasks)
        elif name != "tasks":
            found[name] = int(tasks[name].sum())
    return found


def _lost_again_ms(tasks: Tasks) -> int:
    """The lengths of those tasks that have a row of no length besides."""
    same = ["stage", "stage_attempt", "index", "attempt"]
    nothing = (tasks["launch_ms"] == tasks["finish_ms"]) & (tasks["outcome"] == Outcome.FAILED)
    again = np.isin(tasks[same].astype(object), tasks[same][nothing].astype(object))
    return int((tasks["finish_ms"] - tasks["launch_ms"])[again].sum())


def _speed(environment: Path, scratch: Path) -> None:
    """Says how long both take on the same large log."""
    log = scratch / "large.zstd"
    event_log.write(log, 142, True)
    _, theirs_s = profiled(environment, [log], scratch / "out-large")
    ours_s, most_bytes = event_log.timed(log, 3)
    print(
        f"142 MB: {ours_s:.2f} s, {most_bytes / 1e6:.0f} MB; the other reader {theirs_s:.2f} s;"
        f" {ours_s / theirs_s:.2f} of its time"
    )


if __name__ == "__main__":
    sys.exit(main())
