"""The cheapest choice, for each step of a run, of rented cluster or serverless workers.

A run is a chain of steps 1…n, stages that overlap in time being one step. Step i has a gap g_i
before it in which only the driver works, takes v_i on the cluster, or s_i with w_i workers.

    x_i ∈ {vm, serverless}          where step i runs
    l_i ∈ {0, 1}                    whether a rented cluster is let go when step i - 1 ends
    minimise  Σ_r rent(r, p) + rent(T, p_driver) + Σ_{i: serverless} work_i(c_i)
    subject to
      a step on the cluster finds it rented, or rents it and waits for its start-up, which
        after the first step is also what the log shows before its first executor;
      a rental r lasts from there to where the cluster is let go, or to the end of the last step
      c_i = w_i - warm workers                        that must start cold, never below 0
      warm = w_j of the last serverless step j < i    where it ended no longer ago than keep-alive
      T = Σ_i g_i + (v_i | s_i + the time until all c_i have started) + start-ups
      T ≤ deadline                                    where one is given
      rent(t, p) = ceil(max(minimum, t) / quantum) · quantum · p
      work_i(c) = Σ over workers of ceil(max(minimum, busy + cold start) / quantum) · quantum · rate

So steps are coupled twice: by the cluster, which idles at full price through a serverless step or
is let go, and by the warm workers. The state after a step is the open rental's age, the warm
workers and their age, the time so far and the money so far. `choose` extends such labels step by
step and drops a label where another is at least as good in all of them (dynamic programming over
a chain with dominance, as in resource-constrained shortest paths), which finds the optimum
whatever the number of steps. Time is compared only where the optimum without a deadline is late.
Money is counted in whole units, `Terms.unit` of them a dollar.
The question is SERFLOW's; that start-up, computing and workers are what must be modelled is
Kassing et al.'s (Resource Allocation in Serverless Query Processing, arXiv 2208.09519).

Left out: shuffle blocks are taken to be readable from both sides, moving them costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.rent import Meter, quantum_usd, unit_of
from r2d2.vmcost.advice.serverless.model import (
    Backend,
    PlacedStep,
    PlacementPlan,
    RentedCluster,
    RunStep,
    Serverless,
    cold_wait_ms,
    work_quanta,
    worker_quantum_usd,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """The cluster and workers on offer, and their prices in whole units."""

    cluster: RentedCluster
    serverless: Serverless
    places: frozenset[Backend]
    unit: int
    vm: Meter
    driver: Meter
    worker_units: int

    @staticmethod
    def of(cluster: RentedCluster, serverless: Serverless, places: frozenset[Backend]) -> "Terms":
        """The prices in a unit in which all of them are whole."""
        hourly, billing = (cluster.usd_per_hour, cluster.driver_usd_per_hour), cluster.billing
        worker_usd = worker_quantum_usd(serverless)
        unit = unit_of((*(quantum_usd(usd, billing) for usd in hourly), worker_usd))
        vm, driver = (Meter.of(usd, billing, unit) for usd in hourly)
        return Terms(cluster, serverless, places, unit, vm, driver, int(worker_usd * unit))


@dataclass(frozen=True, slots=True)
class Label:
    """A schedule of the first steps; `rented_ms` is the age of the open rental, None for none."""

    units: int = 0
    elapsed_ms: int = 0
    rented_ms: int | None = None
    warm_workers: int = 0
    idle_ms: int = 0
    rentals_ms: tuple[int, ...] = ()
    placed: tuple[PlacedStep, ...] = ()


def choose(
    steps: Sequence[RunStep],
    cluster: RentedCluster,
    serverless: Serverless,
    deadline_ms: int | None = None,
    places: frozenset[Backend] = frozenset(Backend),
) -> PlacementPlan:
    """The cheapest place of each step; of equally cheap plans always the same.

    Raises:
        R2D2Error: no choice of places ends by the deadline.
    """
    terms = Terms.of(cluster, serverless, places)
    plan = _cheapest(steps, terms, None)
    if plan is not None and deadline_ms is not None and plan.elapsed_ms > deadline_ms:
        plan = _cheapest(steps, terms, deadline_ms)
    if plan is None:
        raise R2D2Error(f"no choice of places ends within {deadline_ms} ms: allow more time")
    return plan


def _cheapest(
    steps: Sequence[RunStep], terms: Terms, deadline_ms: int | None
) -> PlacementPlan | None:
    labels = [Label()]
    still_ms = _least_ms(steps, terms.places)
    for step, left_ms in zip(steps, still_ms, strict=True):
        reached = [
            after
            for label in labels
            for after in extended(label, step, terms)
            if deadline_ms is None or after.elapsed_ms + left_ms <= deadline_ms
        ]
        labels = undominated(reached, terms, deadline_ms is not None)
    plans = (_plan(label, terms) for label in labels)
    return min(plans, key=lambda plan: plan.usd, default=None)


def _least_ms(steps: Sequence[RunStep], places: frozenset[Backend]) -> list[int]:
    """For each step the least time that the steps after it take."""
    left_ms = [0]
    for step in reversed(steps[1:]):
        times = [step.vm_ms] if Backend.VM in places else []
        times += [step.serverless_ms] if Backend.SERVERLESS in places else []
        left_ms.append(left_ms[-1] + step.gap_ms + min(times))
    return left_ms[: len(steps)][::-1]


def _plan(label: Label, terms: Terms) -> PlacementPlan:
    end = let_go(label, terms)
    worker_usd = sum((placed.worker_usd for placed in end.placed), Fraction(0))
    return PlacementPlan(
        placed=end.placed,
        elapsed_ms=end.elapsed_ms,
        rentals_ms=end.rentals_ms,
        cluster_usd=Fraction(end.units, terms.unit) - worker_usd,
        driver_usd=Fraction(terms.driver.rent(end.elapsed_ms), terms.unit),
        worker_usd=worker_usd,
    )


def extended(label: Label, step: RunStep, terms: Terms) -> list[Label]:
    """Every way to run the next step, the cluster first, and kept first."""
    befores = [label] if label.rented_ms is None else [label, let_go(label, terms)]
    after = []
    if Backend.VM in terms.places:
        after += [_on_cluster(before, step, terms) for before in befores]
    if Backend.SERVERLESS in terms.places:
        after += [_on_workers(before, step, terms) for before in befores]
    return after


def let_go(label: Label, terms: Terms) -> Label:
    """The cluster given back, and its rental paid."""
    if label.rented_ms is None:
        return label
    rented_ms = label.rented_ms + terms.cluster.idle_tail_ms
    return replace(
        label,
        units=label.units + terms.vm.rent(rented_ms),
        rented_ms=None,
        rentals_ms=(*label.rentals_ms, rented_ms),
    )


def _on_cluster(label: Label, step: RunStep, terms: Terms) -> Label:
    start_up_ms = terms.cluster.start_up_ms if label.rented_ms is None else 0
    if label.rented_ms is None and label.placed:
        start_up_ms += terms.cluster.again_ms
    held_ms = start_up_ms if label.rented_ms is None else label.rented_ms + step.gap_ms
    passed_ms = step.gap_ms + start_up_ms + step.vm_ms
    idle_ms = label.idle_ms + passed_ms
    # Workers that no step can find warm any more are forgotten: fewer labels differ.
    warm = label.warm_workers if idle_ms <= terms.serverless.keep_alive_ms else 0
    return replace(
        label,
        elapsed_ms=label.elapsed_ms + passed_ms,
        rented_ms=held_ms + step.vm_ms,
        warm_workers=warm,
        idle_ms=idle_ms if warm else 0,
        placed=(*label.placed, PlacedStep(step.stages, Backend.VM, start_up_ms + step.vm_ms)),
    )


def _on_workers(label: Label, step: RunStep, terms: Terms) -> Label:
    is_warm = label.idle_ms + step.gap_ms <= terms.serverless.keep_alive_ms
    cold = max(0, step.workers - (label.warm_workers if is_warm else 0))
    run_ms = cold_wait_ms(cold, terms.serverless) + step.serverless_ms
    units = work_quanta(step, cold, terms.serverless) * terms.worker_units
    passed_ms = step.gap_ms + run_ms
    usd = Fraction(units, terms.unit)
    placed = PlacedStep(step.stages, Backend.SERVERLESS, run_ms, step.workers, cold, usd)
    return replace(
        label,
        units=label.units + units,
        elapsed_ms=label.elapsed_ms + passed_ms,
        rented_ms=None if label.rented_ms is None else label.rented_ms + passed_ms,
        warm_workers=step.workers,
        idle_ms=0,
        placed=(*label.placed, placed),
    )


def undominated(labels: Sequence[Label], terms: Terms, timed: bool) -> list[Label]:
    """The labels that no other dominates: that is at least as good, whatever steps follow.

    Where `timed`, one that took longer is never as good.
    """
    kept: list[Label] = []
    for label in sorted(labels, key=lambda label: label.units):
        if any(_dominates(other, label, terms, timed) for other in kept):
            continue
        kept = [other for other in kept if not _dominates(label, other, terms, timed)]
        kept.append(label)
    return kept


def _dominates(label: Label, other: Label, terms: Terms, timed: bool) -> bool:
    if (label.rented_ms is None) != (other.rented_ms is None):
        return False
    if label.warm_workers < other.warm_workers:
        return False
    if other.warm_workers and label.idle_ms > other.idle_ms:
        return False
    if timed and label.elapsed_ms > other.elapsed_ms:
        return False
    units = label.units - other.units
    units += _most_dearer(label.rented_ms or 0, other.rented_ms or 0, terms.vm)
    return units + _most_dearer(label.elapsed_ms, other.elapsed_ms, terms.driver) <= 0


def _most_dearer(one_ms: int, other_ms: int, meter: Meter) -> int:
    """The most by which a rental that is so old can end up dearer than the other one."""
    if one_ms > other_ms:
        return meter.most_added(one_ms - other_ms)
    return -meter.least_added(one_ms, other_ms - one_ms)
