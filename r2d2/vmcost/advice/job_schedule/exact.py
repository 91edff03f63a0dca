"""The cheapest schedule of few jobs, by branch and bound.

Jobs are put down in order of their start, and of their position where starts are equal, so that
every schedule is met once. A branch is cut where no end of it can be cheaper than the best so far:

    rent ≥ what the VMs cost that are rented now
    rent ≥ Σ over VMs of their time now · p  +  Σ over jobs left of min_k time · p_k
           as each job left makes some VM's time longer by at least its own time
    end  ≥ the longest way through the jobs left, each at its quickest
"""

from r2d2.vmcost.advice.job_schedule.heuristics import possible
from r2d2.vmcost.advice.job_schedule.problem import SchedulingProblem
from r2d2.vmcost.advice.job_schedule.schedule import (
    JobPlacement,
    PartialSchedule,
    UnitPrices,
    cost,
    extended,
    ready_ms,
)


def cheapest_of_all(problem: SchedulingProblem, known: PartialSchedule) -> PartialSchedule:
    """A plan than which none is cheaper; `known` itself where it is one."""
    search = _Search(problem, known)
    search.extend(PartialSchedule(), {})
    return search.best


class _Search:
    """The problem, its bounds, and the best plan so far."""

    def __init__(self, problem: SchedulingProblem, known: PartialSchedule) -> None:
        self.problem = problem
        self.prices = UnitPrices.of(problem)
        self.best = known
        self.least = cost(problem, self.prices, known)
        self.machines = frozenset(range(len(problem.machines)))
        self.quickest = [min(runs.values()) for runs in problem.run_ms]
        self.least_rent = [
            min(self.prices.meters[machine].flat(run_ms) for machine, run_ms in runs.items())
            for runs in problem.run_ms
        ]

    def extend(self, plan: PartialSchedule, ends: dict[int, int]) -> None:
        """Tries every way to go on from here."""
        if len(ends) == len(self.problem.jobs):
            total = cost(self.problem, self.prices, plan)
            if total < self.least:
                self.best, self.least = plan, total
            return
        for placing in self._placings(plan, ends):
            longer = extended(plan, placing)
            after = {**ends, placing.job: placing.end_ms}
            if self._bound(longer, after) < self.least:
                self.extend(longer, after)

    def _placings(self, plan: PartialSchedule, ends: dict[int, int]) -> list[JobPlacement]:
        last = (plan.placings[-1].start_ms, plan.placings[-1].job) if plan.placings else (0, -1)
        placings = [
            placing
            for job, before in enumerate(self.problem.before)
            if job not in ends and all(other in ends for other in before)
            for placing in possible(
                self.problem,
                self.prices,
                plan,
                job,
                ready_ms(self.problem, ends, job),
                self.machines,
            )
            if (placing.start_ms, job) > last
        ]
        return sorted(placings, key=lambda each: (each.more_rent, each.end_ms, each.job, each.vm))

    def _bound(self, plan: PartialSchedule, ends: dict[int, int]) -> float:
        linear = sum(
            self.prices.meters[vm.machine].flat(vm.to_ms - vm.from_ms + self.prices.around_ms)
            for vm in plan.vms
        )
        linear += sum(rent for job, rent in enumerate(self.least_rent) if job not in ends)
        # Floats may exceed the truth by their rounding, which must cut no optimum.
        rent = max(plan.rent, linear * (1 - 1e-9))
        return rent + self.prices.penalty(self._earliest_end(plan, ends) - self.problem.deadline_ms)

    def _earliest_end(self, plan: PartialSchedule, ends: dict[int, int]) -> int:
        moment_ms = plan.placings[-1].start_ms if plan.placings else 0
        reached: dict[int, int] = dict(ends)
        for job in self.problem.order:
            if job not in reached:
                start_ms = max(ready_ms(self.problem, reached, job), moment_ms)
                reached[job] = start_ms + self.quickest[job]
        return max(reached.values())
