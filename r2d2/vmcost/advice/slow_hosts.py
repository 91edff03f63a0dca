"""Slow hosts and stages of repeated runs.

    P = ideal / actual                  of CloudFormer (Shahbazinia et al., arXiv 2509.03394)

of a stage on a host: actual is the median run time of its tasks there, over all runs; ideal is the
lower quartile of that stage's medians over all runs and hosts, the best of up to four. Of a stage
in a run: the same with the time from its first task to its last. P is never above 1.

A host is named slow by comparison within each run and stage, where all hosts had the same work: a
task's ratio is its run time over the median of the other hosts' tasks. Of its n tasks
    n ≥ 20, in 3 stage runs or more                       else nothing is said of the host,
    the median ratio is 1.5 or more                       so that it matters,
    n/2 + 3 · √n/2 or more have a ratio above 1           three deviations from a toss of a coin,
    and in three quarters of its stage runs so has the median      so that no one stage decides.
Stages whose tasks take less than 50 ms are left out: there, starting a JVM's code weighs more than
the host.

Stages are matched by name and order. A stage's id may differ from run to run, its name (the action
and the line of code) does not: the second stage of a name is the second of that name in every run.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import groupby
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from r2d2.errors import UsageError
from r2d2.text_tables import by_number, pluralize
from r2d2.vmcost.model import Application, Outcome
from r2d2.vmcost.report.data import Data

Times = npt.NDArray[np.float64]
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits beyond which a host is named, and the least that must be seen of it, as above."""

    ratio: float = 1.5
    deviations: float = 3.0
    share: float = 0.75
    tasks: int = 20
    stage_runs: int = 3
    others: int = 3
    task_ms: int = 50


class StageKey(NamedTuple):
    """A stage of all runs: its name, and its position among the stages of that name."""

    name: str
    order: int


class Health(str, Enum):
    """A host's state beside the other hosts."""

    SLOW = "slow"
    AS_OTHERS = "as_others"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class HostHealth:
    """A host and the evidence: how many of its tasks, in how many stage runs, could be compared.

    `ratio` is the median of its tasks' run times over those of other hosts, 2.0 for one that is
    twice as slow, None where nothing could be compared; `slower_tasks` took longer than the others'
    median, and in `slower_stage_runs` more than half of its tasks did.
    """

    host: str
    health: Health
    ratio: float | None
    tasks: int
    slower_tasks: int
    stage_runs: int
    slower_stage_runs: int
    runs: int

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        if self.ratio is None:
            return f"{self.host}: no other host had the same work, so nothing is said"
        tasks, stages, runs = (
            pluralize(str(number), noun)
            for number, noun in (
                (self.tasks, "task"),
                (self.stage_runs, "stage"),
                (self.runs, "run"),
            )
        )
        seen = f"{tasks} in {stages} of {runs}"
        if self.health is Health.TOO_FEW:
            are = by_number(self.tasks, "is", "are")
            return f"{self.host}: {seen} {are} too few to compare"
        return (
            f"{self.host} is {self.health.value.replace('_', ' ')}: its tasks take"
            f" {self.ratio:.2f} times as long as on other hosts ({self.slower_tasks} of {seen}"
            f" {by_number(self.slower_tasks, 'is', 'are')} slower, in"
            f" {pluralize(str(self.slower_stage_runs), 'stage')} most of them)"
        )


@dataclass(frozen=True, slots=True)
class StageHost:
    """P of a stage on a host, as `performance`."""

    stage: StageKey
    host: str
    tasks: int
    ideal_ms: float
    actual_ms: float
    performance: float


@dataclass(frozen=True, slots=True)
class StageRun:
    """P of a stage in a run, by the run's position, as `performance`."""

    stage: StageKey
    run: int
    ideal_ms: float
    actual_ms: float
    performance: float


@dataclass(frozen=True, slots=True)
class Degradation:
    """Hosts, slowest first, and P by stage.

    `unmatched` are the stages that some run lacks, or has with another number of tasks: they have
    no place in `stage_runs`.
    """

    hosts: tuple[HostHealth, ...]
    stage_hosts: tuple[StageHost, ...]
    stage_runs: tuple[StageRun, ...]
    unmatched: tuple[StageKey, ...]

    @property
    def slow(self) -> tuple[HostHealth, ...]:
        """The hosts that are named."""
        return tuple(host for host in self.hosts if host.health is Health.SLOW)


class Cell(NamedTuple):
    """The tasks of a stage in a run on a host, whose times are compared."""

    run: int
    stage: StageKey
    host: str


class StageTime(NamedTuple):
    """A stage in one run: its tasks that succeeded, and first launch to last end."""

    tasks: int
    took_ms: int


def slow_host_advice(application: Application, health: Sequence[HostHealth]) -> Iterator[Data]:
    """The slow hosts on which the application ran."""
    hosts = {executor.host for executor in application.executors}
    for host in health:
        if host.host in hosts and host.health is Health.SLOW:
            advice = {"kind": "slow_host", "told": host.verdict, "basis": "modelled"}
            yield {**advice, "host": host.host}


def degradation_data(name: str, runs: int, degraded: Degradation) -> Data:
    """The hosts of the runs of a name, and P of the stages that stay furthest behind."""
    by_host = sorted(degraded.stage_hosts, key=lambda stage: stage.performance)
    by_run = sorted(degraded.stage_runs, key=lambda stage: stage.performance)
    return {
        "name": name,
        "runs": runs,
        "basis": "modelled",
        "hosts": [asdict(host) for host in degraded.hosts],
        "stage_hosts": [asdict(stage) for stage in by_host[:SHOWN]],
        "stage_runs": [asdict(stage) for stage in by_run[:SHOWN]],
    }


def degradation(runs: Sequence[Application], limits: Limits | None = None) -> Degradation:
    """The stages and hosts of an application's runs beside the best seen of each.

    Raises:
        UsageError: there is no run.
    """
    if not runs:
        raise UsageError("no run to look at: give the event logs of one application's runs")
    limits = limits or Limits()
    cells, times = dict(_cells_of(runs)), _stage_times(runs)
    unmatched = {key for key in times if not _alike(times[key], len(runs))}
    return Degradation(
        hosts=host_health(runs, limits),
        stage_hosts=_stage_hosts(cells),
        stage_runs=_stage_runs({key: times[key] for key in times if key not in unmatched}),
        unmatched=tuple(sorted(unmatched)),
    )


def host_health(
    runs: Sequence[Application], limits: Limits | None = None
) -> tuple[HostHealth, ...]:
    """The hosts of the runs, slowest first."""
    limits = limits or Limits()
    alone = all(len({executor.host for executor in run.executors}) < 2 for run in runs)
    compared = {} if alone else _compared(runs, limits)
    hosts = sorted({executor.host for run in runs for executor in run.executors})
    health = (_host_health(host, compared.get(host, []), limits) for host in hosts)
    return tuple(sorted(health, key=lambda each: (-(each.ratio or 0.0), each.host)))


def _compared(runs: Sequence[Application], limits: Limits) -> dict[str, list[tuple[int, Times]]]:
    """For each host its stage runs: the run, and its tasks' times over those of other hosts."""
    ratios: dict[str, list[tuple[int, Times]]] = {}
    for (run, _), together in groupby(_cells_of(runs), lambda cell: (cell[0].run, cell[0].stage)):
        by_host = {cell.host: times for cell, times in together}
        for host, times in by_host.items() if len(by_host) > 1 else ():
            others = [times_there for other, times_there in by_host.items() if other != host]
            beside = np.concatenate(others) if others else np.empty(0)
            if len(beside) >= limits.others and np.median(beside) >= limits.task_ms:
                ratios.setdefault(host, []).append((run, times / np.median(beside)))
    return ratios


def _host_health(host: str, compared: Sequence[tuple[int, Times]], limits: Limits) -> HostHealth:
    ratios = [each for _, each in compared]
    tasks = sum(len(each) for each in ratios)
    slower = sum(int((each > 1).sum()) for each in ratios)
    slower_runs = sum(float(np.median(each)) > 1 for each in ratios)
    ratio = float(np.median(np.concatenate(ratios))) if ratios else None
    if ratio is None or tasks < limits.tasks or len(ratios) < limits.stage_runs:
        health = Health.TOO_FEW
    elif (
        ratio >= limits.ratio
        and slower >= tasks / 2 + limits.deviations * sqrt(tasks) / 2
        and slower_runs >= limits.share * len(ratios)
    ):
        health = Health.SLOW
    else:
        health = Health.AS_OTHERS
    runs = len({run for run, _ in compared})
    return HostHealth(host, health, ratio, tasks, slower, len(ratios), slower_runs, runs)


def _stage_hosts(cells: Mapping[Cell, Times]) -> tuple[StageHost, ...]:
    by_stage: dict[StageKey, dict[str, list[Times]]] = {}
    for cell, times in cells.items():
        by_stage.setdefault(cell.stage, {}).setdefault(cell.host, []).append(times)
    health = []
    for stage, by_host in sorted(by_stage.items()):
        medians_ms = [_median(times) for runs in by_host.values() for times in runs]
        ideal_ms = _ideal_ms(medians_ms)
        for host, runs in sorted(by_host.items()):
            here = np.sort(np.concatenate(runs)) if len(runs) > 1 else runs[0]
            actual_ms = _median(here)
            worth = _performance(ideal_ms, actual_ms)
            health.append(StageHost(stage, host, len(here), ideal_ms, actual_ms, worth))
    return tuple(health)


def _alike(times: Mapping[int, StageTime], runs: int) -> bool:
    return len(times) == runs and len({time.tasks for time in times.values()}) == 1


def _stage_runs(times: Mapping[StageKey, Mapping[int, StageTime]]) -> tuple[StageRun, ...]:
    health = []
    for stage, by_run in sorted(times.items()):
        ideal_ms = _ideal_ms([time.took_ms for time in by_run.values()])
        for run, time in sorted(by_run.items()):
            worth = _performance(ideal_ms, time.took_ms)
            health.append(StageRun(stage, run, ideal_ms, time.took_ms, worth))
    return tuple(health)


def _ideal_ms(times_ms: Sequence[float]) -> float:
    """The lower quartile."""
    return float(sorted(times_ms)[(len(times_ms) - 1) // 4])


def _median(ordered: Times) -> float:
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _performance(ideal_ms: float, actual_ms: float) -> float:
    return min(1.0, ideal_ms / actual_ms) if actual_ms > 0 else 1.0


def _cells_of(runs: Sequence[Application]) -> Iterator[tuple[Cell, Times]]:
    """By run, stage and host the run times in ms of tasks that succeeded, in order.

    Speculative copies are left out.
    """
    for number, run in enumerate(runs):
        keys = _keys(run)
        tasks = run.tasks
        good = (tasks["outcome"] == Outcome.SUCCEEDED) & ~tasks["speculative"]
        tasks = tasks[good & (tasks["executor"] >= 0) & np.isin(tasks["stage"], list(keys))]
        names = sorted({executor.host for executor in run.executors})
        place = {name: position for position, name in enumerate(names)}
        host_of = np.array([place[executor.host] for executor in run.executors], np.int64)
        hosts = host_of[tasks["executor"]] if len(tasks) else np.empty(0, np.int64)
        order = np.lexsort((tasks["run_ms"], hosts, tasks["stage"]))
        stages, hosts = tasks["stage"][order], hosts[order]
        firsts = _firsts((stages[1:] != stages[:-1]) | (hosts[1:] != hosts[:-1]), len(order))
        times = np.split(tasks["run_ms"][order].astype(np.float64), firsts[1:])
        for first, here_ms in zip(firsts.tolist(), times, strict=False):
            yield Cell(number, keys[int(stages[first])], names[hosts[first]]), here_ms


def _stage_times(runs: Sequence[Application]) -> dict[StageKey, dict[int, StageTime]]:
    """The time of each stage, by the runs' positions."""
    times: dict[StageKey, dict[int, StageTime]] = {}
    for number, run in enumerate(runs):
        keys, tasks = _keys(run), run.tasks[np.argsort(run.tasks["stage"], kind="stable")]
        stages = tasks["stage"]
        firsts = _firsts(stages[1:] != stages[:-1], len(tasks))
        if not len(firsts):
            continue
        done = np.add.reduceat((tasks["outcome"] == Outcome.SUCCEEDED).astype(np.int64), firsts)
        ends = np.maximum.reduceat(tasks["finish_ms"], firsts)
        took_ms = ends - np.minimum.reduceat(tasks["launch_ms"], firsts)
        for stage, *time in zip(
            *(each.tolist() for each in (stages[firsts], done, took_ms)), strict=True
        ):
            if stage in keys:
                times.setdefault(keys[stage], {})[number] = StageTime(*time)
    return times


def _firsts(differs: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.intp]:
    """The first row of each group of neighbours; `differs` tells where the next row is another."""
    return np.concatenate([[0], np.flatnonzero(differs) + 1]) if size else np.empty(0, np.intp)


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
