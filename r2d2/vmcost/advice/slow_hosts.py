"""Which hosts and stages of repeated runs were slower than they can be.

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

    degradation(runs: Sequence[Application], limits=Limits()) -> Degradation
    Degradation.hosts: tuple[HostHealth, …]      slowest first; .slow are those named
    Degradation.stage_hosts, .stage_runs         P of each
    Degradation.unmatched                        stages not alike in every run, not among those
"""

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np

from r2d2.errors import UsageError
from r2d2.vmcost.advice.degradation.cells import (
    Cell,
    StageKey,
    StageTime,
    Times,
    cells_of,
    stage_times,
)
from r2d2.vmcost.advice.degradation.model import (
    Degradation,
    Health,
    HostHealth,
    Limits,
    StageHost,
    StageRun,
)
from r2d2.vmcost.model import Application


def degradation(runs: Sequence[Application], limits: Limits | None = None) -> Degradation:
    """How far the stages and hosts of an application's runs stay behind what they can do.

    Raises:
        UsageError: there is no run.
    """
    if not runs:
        raise UsageError("no run to look at: give the event logs of one application's runs")
    limits = limits or Limits()
    cells, times = cells_of(runs), stage_times(runs)
    compared = _compared(cells, limits)
    unmatched = tuple(sorted(key for key, found in times.items() if not _alike(found, len(runs))))
    hosts = sorted({executor.host for run in runs for executor in run.executors})
    return Degradation(
        hosts=tuple(
            sorted(
                (_host_health(host, compared.get(host, []), limits) for host in hosts),
                key=lambda one: (-(one.ratio or 0.0), one.host),
            )
        ),
        stage_hosts=_stage_hosts(cells),
        stage_runs=_stage_runs({key: times[key] for key in times if key not in unmatched}),
        unmatched=unmatched,
    )


def _compared(cells: Mapping[Cell, Times], limits: Limits) -> dict[str, list[tuple[int, Times]]]:
    """For each host its stage runs: the run, and its tasks' times over those of other hosts."""
    together: dict[tuple[int, StageKey], dict[str, Times]] = {}
    for cell, times in cells.items():
        together.setdefault((cell.run, cell.stage), {})[cell.host] = times
    ratios: dict[str, list[tuple[int, Times]]] = {}
    for (run, _), by_host in together.items():
        for host, times in by_host.items():
            others = [found for other, found in by_host.items() if other != host]
            beside = np.concatenate(others) if others else np.empty(0)
            if len(beside) >= limits.others and np.median(beside) >= limits.task_ms:
                ratios.setdefault(host, []).append((run, times / np.median(beside)))
    return ratios


def _host_health(host: str, compared: Sequence[tuple[int, Times]], limits: Limits) -> HostHealth:
    ratios = [found for _, found in compared]
    tasks = sum(len(found) for found in ratios)
    slower = sum(int((found > 1).sum()) for found in ratios)
    slower_runs = sum(float(np.median(found)) > 1 for found in ratios)
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
    found = []
    for stage, by_host in sorted(by_stage.items()):
        ideal_ms = _ideal_ms([float(np.median(own)) for runs in by_host.values() for own in runs])
        for host, runs in sorted(by_host.items()):
            here = np.concatenate(runs)
            actual_ms = float(np.median(here))
            worth = _performance(ideal_ms, actual_ms)
            found.append(StageHost(stage, host, len(here), ideal_ms, actual_ms, worth))
    return tuple(found)


def _alike(times: Mapping[int, StageTime], runs: int) -> bool:
    return len(times) == runs and len({time.tasks for time in times.values()}) == 1


def _stage_runs(times: Mapping[StageKey, Mapping[int, StageTime]]) -> tuple[StageRun, ...]:
    found = []
    for stage, by_run in sorted(times.items()):
        ideal_ms = _ideal_ms([time.took_ms for time in by_run.values()])
        for run, time in sorted(by_run.items()):
            worth = _performance(ideal_ms, time.took_ms)
            found.append(StageRun(stage, run, ideal_ms, time.took_ms, worth))
    return tuple(found)


def _ideal_ms(times_ms: Sequence[float]) -> float:
    return float(np.quantile(times_ms, 0.25, method="lower"))


def _performance(ideal_ms: float, actual_ms: float) -> float:
    return min(1.0, ideal_ms / actual_ms) if actual_ms > 0 else 1.0
