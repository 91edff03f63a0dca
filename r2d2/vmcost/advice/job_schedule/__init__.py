"""The cheapest schedule of a pipeline's jobs on rented VMs: their types, number and order.

    job j ∈ J with jobs before it P_j, and r_jk, its time on a VM of type k where it can run there
    VMs i of type k_i may be rented, as many as wanted; each runs its jobs one after another
    v_j                             the VM of job j, and an order of the jobs on each VM
    start_j = max(end of every job in P_j, end of the job before it on v_j, start-up)
    end_j   = start_j + r_{j, k(v_j)}
    minimise  Σ_i rent(last end_i - first start_i + start-up + tail, p_{k_i})
              + penalty(max_j end_j - deadline)
    rent(t, p) = ceil(max(minimum, t) / quantum) · quantum · p
    penalty(l) = 0 where l ≤ 0, else fixed usd + usd per hour · l

A job starts as soon as it may, as a workflow engine starts it. A VM is rented ahead by its
start-up, and kept, idle, between its own jobs: so a job put on a VM that already stands pays for
the gap and for no start-up, and fills what the quantum has left. That is GATES's question (Shen et
al., IJCAI 2025, Cost-aware Dynamic Workflow Scheduling) with the jobs known ahead. Few jobs are
decided exactly, more by list scheduling; never at a higher cost than the best single type.

List scheduling takes jobs in order of upward rank, each put on the VM that a rule prefers.

rank_j = mean time of j over its types + the greatest rank of the jobs after it (HEFT, Topcuoglu et
al., 2002), so no job comes before one it waits for. The rules: where rent and expected lateness
grow least; where rent grows least and the deadline can still be met, else where it ends first;
where it ends first. Each rule is tried with all types and with each type alone, as is one single
VM for all jobs. The cheapest of these schedules is then improved by moving one job to another VM,
or all jobs of a VM to another type.

Branch and bound puts jobs down in order of their start, and of their position where starts are
equal, so that every schedule is met once. A branch is cut where no end of it can be cheaper than
the best so far:

    rent ≥ what the VMs cost that are rented now
    rent ≥ Σ over VMs of their time now · p  +  Σ over jobs left of min_k time · p_k
           as each job left makes some VM's time longer by at least its own time
    end  ≥ the longest way through the jobs left, each at its quickest
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean

from r2d2.vmcost.advice.job_schedule.model import (
    JobPlacement,
    Lateness,
    Machine,
    PartialSchedule,
    PipelineJob,
    Schedule,
    SchedulingProblem,
    UnitPrices,
    cost,
    extended,
    on_new,
    on_standing,
    ready_ms,
    schedule_of,
)
from r2d2.vmcost.model import Billing

EXACT_UP_TO = 6
Rule = Callable[[JobPlacement], tuple[int, ...]]
TRIALS = 20_000
Groups = Mapping[int, tuple[int, int]]  # job: its VM's number and type


def best_schedule(
    jobs: Sequence[PipelineJob],
    machines: Sequence[Machine],
    deadline_ms: int,
    lateness: Lateness,
    billing: Billing | None = None,
    exact_up_to: int = EXACT_UP_TO,
) -> Schedule:
    """The cheapest schedule found, exact for up to `exact_up_to` jobs.

    Raises:
        UsageError: a name is unknown or twice, the jobs wait for each other in a circle, or a job
            has no machine.
    """
    problem = SchedulingProblem.of(jobs, machines, deadline_ms, lateness, billing or Billing())
    plan = cheapest_listed(problem)
    exact = len(jobs) <= exact_up_to
    if exact:
        plan = cheapest_of_all(problem, plan)
    return schedule_of(problem, plan, exact, cheapest_single_type(problem))


def cheapest_listed(problem: SchedulingProblem) -> PartialSchedule:
    """The cheapest schedule of all rules, improved; never dearer than that of a single type."""
    prices, order = UnitPrices.of(problem), _by_upward_rank(problem)
    every = range(len(problem.machines))
    plans = [_listed(problem, prices, order, every, rule) for rule in _rules(problem, prices)]
    single = cheapest_single_type(problem)
    if single is not None:
        plans.append(single[1])
    return _improved(problem, prices, min(plans, key=partial(cost, problem, prices)))


def cheapest_single_type(problem: SchedulingProblem) -> tuple[int, PartialSchedule] | None:
    """The type and schedule that cost least with VMs of one type; None where none runs all jobs."""
    prices, order = UnitPrices.of(problem), _by_upward_rank(problem)
    able = [
        machine
        for machine in range(len(problem.machines))
        if all(machine in runs for runs in problem.run_ms)
    ]
    plans = [
        (machine, plan)
        for machine in able
        for plan in (
            *(
                _listed(problem, prices, order, (machine,), rule)
                for rule in _rules(problem, prices)
            ),
            _on_one_vm(problem, prices, order, machine),
        )
    ]
    return min(plans, key=lambda typed: cost(problem, prices, typed[1]), default=None)


def _by_upward_rank(problem: SchedulingProblem) -> tuple[int, ...]:
    """The jobs by falling rank, each after the jobs before it."""
    rank = _longest_after(problem, lambda job: fmean(problem.run_ms[job].values()))
    mean_ms = [fmean(runs.values()) for runs in problem.run_ms]
    jobs = range(len(problem.jobs))
    return tuple(sorted(jobs, key=lambda job: (-rank[job] - mean_ms[job], job)))


def _longest_after(problem: SchedulingProblem, run: Callable[[int], float]) -> list[float]:
    """The longest way from a job's end to the pipeline's end."""
    longest = [0.0] * len(problem.jobs)
    for job in reversed(problem.order):
        for before in problem.before[job]:
            longest[before] = max(longest[before], longest[job] + run(job))
    return longest


def _rules(problem: SchedulingProblem, prices: UnitPrices) -> tuple[Rule, ...]:
    after = [int(ms) for ms in _longest_after(problem, lambda j: min(problem.run_ms[j].values()))]

    def late_ms(placing: JobPlacement) -> int:
        return placing.end_ms + after[placing.job] - problem.deadline_ms

    def least_extra(placing: JobPlacement) -> tuple[int, ...]:
        return placing.more_rent + prices.penalty(late_ms(placing)), placing.end_ms

    def cheapest_in_time(placing: JobPlacement) -> tuple[int, ...]:
        late = late_ms(placing)
        return (1, late) if late > 0 else (0, placing.more_rent, placing.end_ms)

    def first_to_end(placing: JobPlacement) -> tuple[int, ...]:
        return placing.end_ms, placing.more_rent

    return least_extra, cheapest_in_time, first_to_end


def _listed(
    problem: SchedulingProblem,
    prices: UnitPrices,
    order: Sequence[int],
    machines: Iterable[int],
    rule: Rule,
) -> PartialSchedule:
    plan, ends, allowed = PartialSchedule(), dict[int, int](), frozenset(machines)
    for job in order:
        placings = possible(problem, prices, plan, job, ready_ms(problem, ends, job), allowed)
        placing = min(placings, key=rule)
        plan, ends[job] = extended(plan, placing), placing.end_ms
    return plan


def possible(
    problem: SchedulingProblem,
    prices: UnitPrices,
    plan: PartialSchedule,
    job: int,
    ready: int,
    machines: frozenset[int],
) -> list[JobPlacement]:
    """Every VM that the job could be put on; of VMs alike only the first."""
    runs = problem.run_ms[job]
    alike = {vm: number for number, vm in reversed(list(enumerate(plan.vms)))}
    standing = [
        on_standing(prices, plan, job, number, ready, runs[vm.machine])
        for vm, number in sorted(alike.items(), key=lambda pair: pair[1])
        if vm.machine in runs and vm.machine in machines
    ]
    fresh = [
        on_new(prices, plan, job, machine, ready, run_ms)
        for machine, run_ms in runs.items()
        if machine in machines
    ]
    return standing + fresh


def _on_one_vm(
    problem: SchedulingProblem, prices: UnitPrices, order: Sequence[int], machine: int
) -> PartialSchedule:
    plan, ends = PartialSchedule(), dict[int, int]()
    for job in order:
        ready, run_ms = ready_ms(problem, ends, job), problem.run_ms[job][machine]
        if plan.vms:
            placing = on_standing(prices, plan, job, 0, ready, run_ms)
        else:
            placing = on_new(prices, plan, job, machine, ready, run_ms)
        plan, ends[job] = extended(plan, placing), placing.end_ms
    return plan


def _improved(
    problem: SchedulingProblem, prices: UnitPrices, plan: PartialSchedule, trials: int = TRIALS
) -> PartialSchedule:
    """The plan, or a cheaper one after so many trials at most; the jobs keep their order."""
    while trials > 0:
        least = cost(problem, prices, plan)
        for groups in _moved(problem, plan):
            trials -= 1
            other = _laid_out(problem, prices, plan, groups)
            if cost(problem, prices, other) < least:
                plan = other
                break
            if trials == 0:
                return plan
        else:
            return plan
    return plan


def _moved(problem: SchedulingProblem, plan: PartialSchedule) -> Iterator[Groups]:
    groups = {placing.job: (placing.vm, placing.machine) for placing in plan.placings}
    vms = sorted(set(groups.values()))
    unused = len(plan.vms)
    for job in sorted(groups):
        others = [vm for vm in vms if vm != groups[job] and vm[1] in problem.run_ms[job]]
        for vm in (*others, *((unused, machine) for machine in problem.run_ms[job])):
            yield {**groups, job: vm}
    for vm in vms:
        held = [job for job in groups if groups[job] == vm]
        for machine in range(len(problem.machines)):
            if machine != vm[1] and all(machine in problem.run_ms[job] for job in held):
                yield {**groups, **dict.fromkeys(held, (vm[0], machine))}


def _laid_out(
    problem: SchedulingProblem, prices: UnitPrices, plan: PartialSchedule, groups: Groups
) -> PartialSchedule:
    other, ends, numbers = PartialSchedule(), dict[int, int](), dict[tuple[int, int], int]()
    for job in (placing.job for placing in plan.placings):
        ready, vm = ready_ms(problem, ends, job), groups[job]
        run_ms = problem.run_ms[job][vm[1]]
        if vm in numbers:
            placing = on_standing(prices, other, job, numbers[vm], ready, run_ms)
        else:
            numbers[vm] = len(other.vms)
            placing = on_new(prices, other, job, vm[1], ready, run_ms)
        other, ends[job] = extended(other, placing), placing.end_ms
    return other


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
