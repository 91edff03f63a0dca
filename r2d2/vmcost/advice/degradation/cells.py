"""The task times of repeated runs, by run, stage and host; stages are matched by name and order.

A stage's id may differ from run to run, its name (the action and the line of code) does not: the
second stage of a name is the second one of that name in every run.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.model import Application, Outcome

Times = npt.NDArray[np.float64]


class StageKey(NamedTuple):
    """A stage of all runs: its name, and the how-manieth of that name it is, from 0."""

    name: str
    order: int


class Cell(NamedTuple):
    """Where task times are looked at together."""

    run: int
    stage: StageKey
    host: str


def cells_of(runs: Sequence[Application]) -> dict[Cell, Times]:
    """The run times in ms of tasks that succeeded, without speculative copies."""
    cells: dict[Cell, Times] = {}
    for number, run in enumerate(runs):
        keys = _keys(run)
        tasks = run.tasks
        good = (tasks["outcome"] == Outcome.SUCCEEDED) & ~tasks["speculative"]
        tasks = tasks[good & (tasks["executor"] >= 0) & np.isin(tasks["stage"], list(keys))]
        names = sorted({executor.host for executor in run.executors})
        host_of = np.array([names.index(executor.host) for executor in run.executors], np.int64)
        hosts = host_of[tasks["executor"]] if len(tasks) else np.empty(0, np.int64)
        for stage in np.unique(tasks["stage"]):
            for host in np.unique(hosts[tasks["stage"] == stage]):
                own = tasks["run_ms"][(tasks["stage"] == stage) & (hosts == host)]
                cell = Cell(number, keys[int(stage)], names[host])
                cells[cell] = own.astype(np.float64)
    return cells


class StageTime(NamedTuple):
    """A stage in one run: its tasks that succeeded, and first launch to last end."""

    tasks: int
    took_ms: int


def stage_times(runs: Sequence[Application]) -> dict[StageKey, dict[int, StageTime]]:
    """The time of each stage, by the runs' positions."""
    times: dict[StageKey, dict[int, StageTime]] = {}
    for number, run in enumerate(runs):
        keys = _keys(run)
        for stage in np.unique(run.tasks["stage"]):
            own = run.tasks[run.tasks["stage"] == stage]
            if int(stage) in keys:
                done = int((own["outcome"] == Outcome.SUCCEEDED).sum())
                took_ms = int(own["finish_ms"].max() - own["launch_ms"].min())
                times.setdefault(keys[int(stage)], {})[number] = StageTime(done, took_ms)
    return times


def _keys(run: Application) -> dict[int, StageKey]:
    """The key of each stage that had tasks, by its id."""
    ran = {int(stage) for stage in np.unique(run.tasks["stage"])}
    names = {stage.id: stage.name for stage in run.stages if stage.id in ran}
    seen: Counter[str] = Counter()
    keys = {}
    for stage in sorted(names):
        keys[stage] = StageKey(names[stage], seen[names[stage]])
        seen[names[stage]] += 1
    return keys
