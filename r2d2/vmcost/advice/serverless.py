"""Which steps of a run are cheaper on serverless workers than on the rented cluster.

A run is a chain of steps 1…n, stages that overlap in time being one step. Step i has a gap g_i
before it in which only the driver works, takes v_i on the cluster, or s_i with w_i workers.

    x_i ∈ {vm, serverless}          where step i runs
    l_i ∈ {0, 1}                    whether a rented cluster is let go when step i - 1 ends
    minimise  Σ_r rent(r, p) + rent(T, p_driver) + Σ_{i: serverless} work_i(c_i)
    subject to
      a step on the cluster finds it rented, or rents it and waits for its start-up;
      a rental r lasts from there to where the cluster is let go, or to the end of the last step
      c_i = w_i - warm workers                        that must start cold, never below 0
      warm = w_j of the last serverless step j < i    where it ended no longer ago than keep-alive
      T = Σ_i g_i + (v_i | s_i + the time until all c_i have started) + start-ups
      T ≤ deadline                                    where one is given
      rent(t, p) = ceil(max(minimum, t) / quantum) · quantum · p
      work_i(c) = Σ over workers of ceil(max(minimum, busy + cold start) / quantum) · quantum · rate

So steps are coupled twice: by the cluster, which idles at full price through a serverless step or
is let go, and by the warm workers. What is left of the past is: the open rental's age, the warm
workers and their age, the time so far and the money so far. `choose` extends such labels step by
step and drops a label where another is at least as good in all of them (dynamic programming over
a chain with dominance, as in resource-constrained shortest paths), which finds the optimum
whatever the number of steps. The question is SERFLOW's; that start-up, computing and workers are
what must be modelled is Kassing et al.'s (Resource Allocation in Serverless Query Processing).

Left out: shuffle blocks are taken to be readable from both sides, moving them costs nothing.

    choose(steps, cluster, serverless, deadline_ms=None) -> Plan
        of steps_of(application, slots, serverless)      (serverless_steps.py)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.rent import least_added_usd, most_added_usd, rent_usd
from r2d2.vmcost.advice.serverless_model import (
    Cluster,
    Place,
    Placed,
    Plan,
    Serverless,
    Step,
    cold_wait_ms,
    work_usd,
)


@dataclass(frozen=True, slots=True)
class _Label:
    """What the past of a chain costs and leaves behind; `rented_ms` is None without a cluster."""

    usd: Fraction = Fraction(0)
    elapsed_ms: int = 0
    rented_ms: int | None = None
    warm_workers: int = 0
    idle_ms: int = 0
    rentals_ms: tuple[int, ...] = ()
    placed: tuple[Placed, ...] = ()


def choose(
    steps: Sequence[Step],
    cluster: Cluster,
    serverless: Serverless,
    deadline_ms: int | None = None,
    places: frozenset[Place] = frozenset(Place),
) -> Plan:
    """The cheapest place of each step; of equally cheap plans the one on the cluster longest.

    Raises:
        R2D2Error: no choice of places ends by the deadline.
    """
    labels = [_Label()]
    for step in steps:
        reached = [
            after
            for label in labels
            for before in _let_go_or_keep(label, cluster)
            for after in _run(before, step, cluster, serverless, places)
            if deadline_ms is None or after.elapsed_ms <= deadline_ms
        ]
        labels = _undominated(reached, cluster, deadline_ms is not None)
    if not labels:
        raise R2D2Error(f"no choice of places ends within {deadline_ms} ms: allow more time")
    return min((_plan(label, cluster) for label in labels), key=lambda plan: plan.usd)


def _let_go_or_keep(label: _Label, cluster: Cluster) -> list[_Label]:
    return [label] if label.rented_ms is None else [label, _let_go(label, cluster)]


def _let_go(label: _Label, cluster: Cluster) -> _Label:
    if label.rented_ms is None:
        return label
    rented_ms = label.rented_ms + cluster.idle_tail_ms
    return replace(
        label,
        usd=label.usd + rent_usd(rented_ms, cluster.usd_per_hour, cluster.billing),
        rented_ms=None,
        rentals_ms=(*label.rentals_ms, rented_ms),
    )


def _run(
    label: _Label,
    step: Step,
    cluster: Cluster,
    serverless: Serverless,
    places: frozenset[Place],
) -> list[_Label]:
    after = []
    if Place.VM in places:
        after.append(_on_cluster(label, step, cluster, serverless))
    if Place.SERVERLESS in places:
        after.append(_on_workers(label, step, serverless))
    return after


def _on_cluster(label: _Label, step: Step, cluster: Cluster, serverless: Serverless) -> _Label:
    start_up_ms = cluster.start_up_ms if label.rented_ms is None else 0
    held_ms = start_up_ms if label.rented_ms is None else label.rented_ms + step.gap_ms
    passed_ms = step.gap_ms + start_up_ms + step.vm_ms
    idle_ms = label.idle_ms + passed_ms
    # Workers that no step can find warm any more are forgotten: fewer labels differ.
    warm = label.warm_workers if idle_ms <= serverless.keep_alive_ms else 0
    return replace(
        label,
        elapsed_ms=label.elapsed_ms + passed_ms,
        rented_ms=held_ms + step.vm_ms,
        warm_workers=warm,
        idle_ms=idle_ms if warm else 0,
        placed=(*label.placed, Placed(step.stages, Place.VM, start_up_ms + step.vm_ms)),
    )


def _on_workers(label: _Label, step: Step, serverless: Serverless) -> _Label:
    is_warm = label.idle_ms + step.gap_ms <= serverless.keep_alive_ms
    cold = max(0, step.workers - (label.warm_workers if is_warm else 0))
    run_ms = cold_wait_ms(cold, serverless) + step.serverless_ms
    usd = work_usd(step, cold, serverless)
    held_ms = None if label.rented_ms is None else label.rented_ms + step.gap_ms + run_ms
    placed = Placed(step.stages, Place.SERVERLESS, run_ms, step.workers, cold, usd)
    return replace(
        label,
        usd=label.usd + usd,
        elapsed_ms=label.elapsed_ms + step.gap_ms + run_ms,
        rented_ms=held_ms,
        warm_workers=step.workers,
        idle_ms=0,
        placed=(*label.placed, placed),
    )


def _undominated(labels: Sequence[_Label], cluster: Cluster, timed: bool) -> list[_Label]:
    kept: list[_Label] = []
    for label in labels:
        if any(_at_least_as_good(other, label, cluster, timed) for other in kept):
            continue
        kept = [other for other in kept if not _at_least_as_good(label, other, cluster, timed)]
        kept.append(label)
    return kept


def _at_least_as_good(one: _Label, other: _Label, cluster: Cluster, timed: bool) -> bool:
    """Whether `one` costs no more than `other` whatever the steps to come and their places."""
    if (one.rented_ms is None) != (other.rented_ms is None):
        return False
    if one.warm_workers < other.warm_workers or (
        other.warm_workers and one.idle_ms > other.idle_ms
    ):
        return False
    if timed and one.elapsed_ms > other.elapsed_ms:
        return False
    return _most_dearer_usd(one, other, cluster) <= 0


def _most_dearer_usd(one: _Label, other: _Label, cluster: Cluster) -> Fraction:
    """The most by which `one` can end up dearer, both having the same steps to come."""
    usd = one.usd - other.usd
    held = (one.rented_ms or 0, other.rented_ms or 0, cluster.usd_per_hour)
    lasted = (one.elapsed_ms, other.elapsed_ms, cluster.driver_usd_per_hour)
    for one_ms, other_ms, usd_per_hour in (held, lasted):
        if one_ms > other_ms:
            usd += most_added_usd(one_ms - other_ms, usd_per_hour, cluster.billing)
        elif one_ms < other_ms:
            usd -= least_added_usd(one_ms, other_ms - one_ms, usd_per_hour, cluster.billing)
    return usd


def _plan(label: _Label, cluster: Cluster) -> Plan:
    end = _let_go(label, cluster)
    driver_usd = rent_usd(end.elapsed_ms, cluster.driver_usd_per_hour, cluster.billing)
    worker_usd = sum((placed.worker_usd for placed in end.placed), Fraction(0))
    return Plan(
        placed=end.placed,
        elapsed_ms=end.elapsed_ms,
        rentals_ms=end.rentals_ms,
        cluster_usd=end.usd - worker_usd,
        driver_usd=driver_usd,
        worker_usd=worker_usd,
    )
