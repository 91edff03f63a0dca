"""A run on its cluster, on serverless workers, and on whichever is cheaper for each step.

The cluster's way is the run as it was billed. In the other ways the cluster is the most VMs that
stood at once, all rented and let go together.

Stages whose tasks overlap in time are one step, since one could not be moved without the others'
time changing. On workers a step's tasks are placed in order of launch, each on the slot that is
free first, and none before its stage's parents in the same step have ended (list scheduling,
Graham 1969). A worker has as many slots as its cores hold tasks, and there are workers for the
widest level of the step, up to the cap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import heapify, heapreplace

import numpy as np

from r2d2.text_tables import pluralize
from r2d2.vmcost.advice.case import AdviceCase
from r2d2.vmcost.advice.replay.slots import first_arrival_ms, measured_lives
from r2d2.vmcost.advice.serverless import choose
from r2d2.vmcost.advice.serverless.model import (
    Backend,
    PlacementPlan,
    RentedCluster,
    RunStep,
    Serverless,
)
from r2d2.vmcost.advice.serverless.prices import (
    ResourceRate,
    ServerlessRate,
    ServerlessWorker,
    UnitRate,
    break_even_utilisation,
)
from r2d2.vmcost.model import Application, Outcome
from r2d2.vmcost.report.data import Data
from r2d2.vmcost.settings import ServerlessSettings


@dataclass(frozen=True, slots=True)
class ServerlessAdvice:
    """The same run in three ways, and where the two prices cross.

    `utilisation` is the share of the cluster's slots' time, over the run, that tasks took;
    `break_even_utilisation` is ρ*. `on_cluster` may let the cluster go in long gaps; `on_workers`
    has none, but still the driver.
    """

    cheapest: PlacementPlan
    on_cluster: PlacementPlan
    on_workers: PlacementPlan
    utilisation: float
    break_even_utilisation: float


def serverless_advice(case: AdviceCase, settings: ServerlessSettings) -> Iterator[Data]:
    """The cheapest place of each step of the run."""
    rented = RentedCluster(
        usd_per_hour=case.count * case.worker.usd_per_hour,
        slots=case.count * case.slots_per_vm,
        driver_usd_per_hour=Fraction(0) if case.driver is None else case.driver.usd_per_hour,
        billing=case.costed.billing,
        again_ms=first_arrival_ms(measured_lives(case.application)),
    )
    offer = Serverless(
        worker=ServerlessWorker(
            settings.worker_cores, settings.worker_gb, minimum_s=settings.minimum_s
        ),
        rate=_rate(settings),
        max_workers=settings.max_workers,
        core_speed=settings.core_speed,
    )
    deadline_ms = None if settings.deadline_s is None else round(settings.deadline_s * 1000)
    advice = advise_serverless(case.application, rented, offer, deadline_ms)
    as_billed = _as_billed(case, advice.on_cluster)
    in_time = deadline_ms is None or as_billed.elapsed_ms <= deadline_ms
    plans = (as_billed, advice.cheapest) if in_time else (advice.cheapest,)
    cheapest = min(plans, key=lambda plan: plan.usd)
    ways = {"cheapest": cheapest, "cluster": as_billed, "workers": advice.on_workers}
    steps = [step for step in cheapest.placed if step.stages]
    moved = sum(step.place is Backend.SERVERLESS for step in steps)
    ways_usd = ", ".join(f"{name} ${float(plan.usd):.4f}" for name, plan in ways.items())
    yield {
        "kind": "serverless",
        "told": (
            f"{ways_usd}; cheapest has {moved} of {pluralize(str(len(steps)), 'step')} on workers."
            f" Both cost the same at {advice.break_even_utilisation:.1%} utilisation;"
            f" it was {advice.utilisation:.1%} (rates of {settings.source}, {settings.as_of})"
        ),
        "basis": "modelled",
        "usd": float(cheapest.usd),
        "ways": {
            name: {"usd": float(plan.usd), "seconds": plan.elapsed_ms / 1000}
            for name, plan in ways.items()
        },
        "steps": [{"stages": list(step.stages), "place": step.place.value} for step in steps],
        "break_even_utilisation": advice.break_even_utilisation,
        "utilisation": advice.utilisation,
    }


def _as_billed(case: AdviceCase, on_cluster: PlacementPlan) -> PlacementPlan:
    """The run as it was, its VMs coming and going as the bill has them."""
    application, bill = case.application, case.costed.bill
    driver_usd = sum((vm.usd or Fraction(0) for vm in bill.vms if vm.driver), Fraction(0))
    return replace(
        on_cluster,
        elapsed_ms=application.ended_ms - application.started_ms,
        rentals_ms=(),
        cluster_usd=(bill.usd or Fraction(0)) - driver_usd,
        driver_usd=driver_usd,
    )


def _rate(settings: ServerlessSettings) -> ServerlessRate:
    if settings.usd_per_cu_hour:
        return UnitRate(settings.usd_per_cu_hour, settings.source, settings.as_of)
    return ResourceRate(
        settings.usd_per_gb_second, settings.source, settings.as_of, settings.usd_per_core_second
    )


def advise_serverless(
    application: Application,
    cluster: RentedCluster,
    serverless: Serverless,
    deadline_ms: int | None = None,
) -> ServerlessAdvice:
    """The cheapest place of each step of the application, beside all in one place.

    Raises:
        R2D2Error: no choice of places ends by the deadline.
    """
    steps = steps_of(application, serverless)
    break_even = break_even_utilisation(
        cluster.usd_per_hour, cluster.slots, serverless.rate, serverless.worker
    )
    return ServerlessAdvice(
        cheapest=choose(steps, cluster, serverless, deadline_ms),
        on_cluster=choose(steps, cluster, serverless, places=frozenset({Backend.VM})),
        on_workers=choose(steps, cluster, serverless, places=frozenset({Backend.SERVERLESS})),
        utilisation=_utilisation(application, cluster.slots),
        break_even_utilisation=float(break_even),
    )


def _utilisation(application: Application, slots: int) -> float:
    tasks = application.tasks
    busy_ms = int((tasks["finish_ms"] - tasks["launch_ms"]).sum())
    run_ms = application.ended_ms - application.started_ms
    return busy_ms / (slots * run_ms) if run_ms > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Work:
    """A stage's tasks that succeeded, in order of launch, and when any of its tasks ran."""

    stage: int
    from_ms: int
    to_ms: int
    task_ms: tuple[int, ...]


def steps_of(application: Application, serverless: Serverless) -> tuple[RunStep, ...]:
    """The application's steps in order of time; a last one, without stages, is the driver's end.

    Their gaps and times on the cluster sum to the run.
    """
    parents = {stage.id: stage.parents for stage in application.stages}
    task_cpus = max((executor.task_cpus for executor in application.executors), default=1)
    slots = max(1, serverless.worker.cores // max(1, task_cpus))
    steps: list[RunStep] = []
    moment_ms = application.started_ms
    for works in _overlapping(_works(application)):
        from_ms = max(moment_ms, works[0].from_ms)
        to_ms = max(from_ms, max(work.to_ms for work in works))
        worker_ms = _worker_ms(works, parents, slots, serverless)
        steps.append(
            RunStep(
                stages=tuple(sorted(work.stage for work in works)),
                gap_ms=from_ms - moment_ms,
                vm_ms=to_ms - from_ms,
                serverless_ms=max(worker_ms, default=0),
                worker_ms=worker_ms,
            )
        )
        moment_ms = to_ms
    return (*steps, RunStep((), max(0, application.ended_ms - moment_ms), 0, 0, ()))


def _works(application: Application) -> list[_Work]:
    tasks = application.tasks
    tasks = tasks[np.lexsort((tasks["launch_ms"], tasks["stage"]))]
    works = []
    for of_stage in np.split(tasks, np.flatnonzero(np.diff(tasks["stage"])) + 1):
        if len(of_stage):
            done = of_stage[of_stage["outcome"] == Outcome.SUCCEEDED]
            works.append(
                _Work(
                    int(of_stage["stage"][0]),
                    int(of_stage["launch_ms"][0]),
                    int(of_stage["finish_ms"].max()),
                    tuple((done["finish_ms"] - done["launch_ms"]).tolist()),
                )
            )
    return sorted(works, key=lambda work: (work.from_ms, work.stage))


def _overlapping(works: Sequence[_Work]) -> list[list[_Work]]:
    groups: list[list[_Work]] = []
    end_ms = 0
    for work in works:
        if groups and work.from_ms < end_ms:
            groups[-1].append(work)
        else:
            groups.append([work])
        end_ms = max(end_ms, work.to_ms)
    return groups


def _worker_ms(
    works: Sequence[_Work],
    parents: Mapping[int, tuple[int, ...]],
    slots: int,
    serverless: Serverless,
) -> tuple[int, ...]:
    """The busy time of each worker of so many slots, the busiest first."""
    workers = min(serverless.max_workers, -(-_width(works, parents) // slots))
    free = [(0, slot) for slot in range(workers * slots)]
    heapify(free)
    busy_ms = [0] * workers
    ended_ms: dict[int, int] = {}
    for work in works:
        ready_ms = max(
            (ended_ms.get(parent, 0) for parent in parents.get(work.stage, ())), default=0
        )
        for task_ms in work.task_ms:
            free_ms, slot = free[0]
            end_ms = max(free_ms, ready_ms) + round(task_ms / serverless.core_speed)
            heapreplace(free, (end_ms, slot))
            busy_ms[slot // slots] = max(busy_ms[slot // slots], end_ms)
            ended_ms[work.stage] = max(ended_ms.get(work.stage, 0), end_ms)
    return tuple(sorted(busy_ms, reverse=True))


def _width(works: Sequence[_Work], parents: Mapping[int, tuple[int, ...]]) -> int:
    level: dict[int, int] = {}
    width: dict[int, int] = {}
    for work in works:
        above = (level[parent] + 1 for parent in parents.get(work.stage, ()) if parent in level)
        level[work.stage] = max(above, default=0)
        width[level[work.stage]] = width.get(level[work.stage], 0) + len(work.task_ms)
    return max(width.values())
