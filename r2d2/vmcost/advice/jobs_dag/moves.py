"""Betters a schedule by moving one job to another VM, or all jobs of a VM to another type."""

from collections.abc import Iterator, Mapping

from r2d2.vmcost.advice.pipeline.problem import Problem
from r2d2.vmcost.advice.pipeline.schedule import (
    Plan,
    Prices,
    cost,
    extended,
    on_new,
    on_standing,
    ready_ms,
)

TRIALS = 20_000

Groups = Mapping[int, tuple[int, int]]  # job: its VM's number and type


def bettered(problem: Problem, prices: Prices, plan: Plan, trials: int = TRIALS) -> Plan:
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


def _moved(problem: Problem, plan: Plan) -> Iterator[Groups]:
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


def _laid_out(problem: Problem, prices: Prices, plan: Plan, groups: Groups) -> Plan:
    other, ends, numbers = Plan(), dict[int, int](), dict[tuple[int, int], int]()
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
