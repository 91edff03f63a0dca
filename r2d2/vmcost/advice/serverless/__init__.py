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
The question is SERFLOW's; that start-up, computing and workers are what must be modelled is
Kassing et al.'s (Resource Allocation in Serverless Query Processing, arXiv 2208.09519).

Left out: shuffle blocks are taken to be readable from both sides, moving them costs nothing.
"""

from collections.abc import Sequence
from fractions import Fraction

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.serverless.model import (
    Backend,
    PlacementPlan,
    RentedCluster,
    RunStep,
    Serverless,
)
from r2d2.vmcost.advice.serverless.search import Label, Terms, extended, let_go, undominated


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
