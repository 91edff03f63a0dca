"""A plan under way: jobs put on VMs one after another, and what that costs so far.

Money is counted in whole units (`Meter.unit` of them are a dollar), so that searches compare
integers and lose nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from r2d2.vmcost.advice.jobs_dag_model import MS_PER_HOUR, PlacedJob, Problem, Rental, Schedule
from r2d2.vmcost.advice.rent import milliseconds
from r2d2.vmcost.bill.rates import SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Meter:
    """The problem's prices and periods as whole numbers; a millisecond has `ticks`.

    `around_ms` is what a VM is rented besides, start-up and tail.
    """

    unit: int
    quantum_units: tuple[int, ...]
    ticks: int
    quantum_ticks: int
    minimum_ticks: int
    start_up_ms: int
    around_ms: int
    late_fixed_units: int
    late_units_per_ms: int

    @staticmethod
    def of(problem: Problem) -> "Meter":
        """The meter of the problem."""
        billing, lateness = problem.billing, problem.lateness
        quanta_usd = [
            machine.usd_per_hour * billing.quantum_s / SECONDS_PER_HOUR
            for machine in problem.machines
        ]
        late_usd_per_ms = lateness.usd_per_hour / MS_PER_HOUR
        prices = (*quanta_usd, lateness.fixed_usd, late_usd_per_ms)
        unit = lcm(*(Fraction(price).denominator for price in prices))
        quantum_ms, minimum_ms = billing.quantum_s * 1000, billing.minimum_s * 1000
        ticks = lcm(quantum_ms.denominator, minimum_ms.denominator)
        return Meter(
            unit=unit,
            quantum_units=tuple(int(usd * unit) for usd in quanta_usd),
            ticks=ticks,
            quantum_ticks=int(quantum_ms * ticks),
            minimum_ticks=int(minimum_ms * ticks),
            start_up_ms=milliseconds(billing.start_up_s),
            around_ms=milliseconds(billing.start_up_s) + milliseconds(billing.idle_tail_s),
            late_fixed_units=int(lateness.fixed_usd * unit),
            late_units_per_ms=int(late_usd_per_ms * unit),
        )

    def rent(self, machine: int, busy_ms: int) -> int:
        """The units for a VM, from its first job's start to its last job's end."""
        rented = max(self.minimum_ticks, (busy_ms + self.around_ms) * self.ticks)
        return -(-rented // self.quantum_ticks) * self.quantum_units[machine]

    def penalty(self, late_ms: int) -> int:
        """The units for ending so late."""
        return 0 if late_ms <= 0 else self.late_fixed_units + late_ms * self.late_units_per_ms


@dataclass(frozen=True, slots=True)
class Vm:
    """A rented VM, from its first job's start to its last job's end so far."""

    machine: int
    from_ms: int
    to_ms: int
    rent: int


@dataclass(frozen=True, slots=True)
class Placing:
    """One more job on a VM: `vm` is a position in `Plan.vms`, their number for a new one."""

    job: int
    vm: int
    machine: int
    start_ms: int
    end_ms: int
    more_rent: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs put on VMs; `ends` has the end of each."""

    vms: tuple[Vm, ...] = ()
    placings: tuple[Placing, ...] = ()
    rent: int = 0
    end_ms: int = 0


def ready_ms(problem: Problem, ends: Mapping[int, int], job: int) -> int:
    """When the jobs before it have ended; all of them are placed."""
    return max((ends[other] for other in problem.before[job]), default=0)


def on_standing(meter: Meter, plan: Plan, job: int, vm: int, ready: int, run_ms: int) -> Placing:
    """The job put after the last one of a VM that is rented already."""
    held = plan.vms[vm]
    start_ms = max(ready, held.to_ms)
    end_ms = start_ms + run_ms
    more = meter.rent(held.machine, end_ms - held.from_ms) - held.rent
    return Placing(job, vm, held.machine, start_ms, end_ms, more)


def on_new(meter: Meter, plan: Plan, job: int, machine: int, ready: int, run_ms: int) -> Placing:
    """The job put on a VM that is rented for it."""
    start_ms = max(ready, meter.start_up_ms)
    more = meter.rent(machine, run_ms)
    return Placing(job, len(plan.vms), machine, start_ms, start_ms + run_ms, more)


def extended(plan: Plan, placing: Placing) -> Plan:
    """The plan with one more job."""
    at = placing.vm
    if at == len(plan.vms):
        vm = Vm(placing.machine, placing.start_ms, placing.end_ms, placing.more_rent)
    else:
        held = plan.vms[at]
        vm = Vm(held.machine, held.from_ms, placing.end_ms, held.rent + placing.more_rent)
    return Plan(
        vms=(*plan.vms[:at], vm, *plan.vms[at + 1 :]),
        placings=(*plan.placings, placing),
        rent=plan.rent + placing.more_rent,
        end_ms=max(plan.end_ms, placing.end_ms),
    )


def cost(problem: Problem, meter: Meter, plan: Plan) -> int:
    """The units for rent and lateness."""
    return plan.rent + meter.penalty(plan.end_ms - problem.deadline_ms)


def schedule_of(
    problem: Problem, plan: Plan, exact: bool, single: tuple[int, Plan] | None
) -> Schedule:
    """The plan in words: names, times, dollars; VMs in order of their first job."""
    meter = Meter.of(problem)
    first = {vm: min(p.job for p in plan.placings if p.vm == vm) for vm in range(len(plan.vms))}
    listed = sorted(first, key=lambda vm: (plan.vms[vm].from_ms, first[vm]))
    placed = [
        PlacedJob(problem.jobs[one.job], listed.index(one.vm), one.start_ms, one.end_ms)
        for one in plan.placings
    ]
    return Schedule(
        placed=tuple(sorted(placed, key=lambda one: (one.start_ms, one.rental))),
        rentals=tuple(_rental(problem, meter, plan.vms[vm]) for vm in listed),
        rent_usd=Fraction(plan.rent, meter.unit),
        penalty_usd=Fraction(meter.penalty(plan.end_ms - problem.deadline_ms), meter.unit),
        end_ms=plan.end_ms,
        exact=exact,
        single_type=None if single is None else problem.machines[single[0]].sku,
        single_type_usd=(
            None if single is None else Fraction(cost(problem, meter, single[1]), meter.unit)
        ),
    )


def _rental(problem: Problem, meter: Meter, vm: Vm) -> Rental:
    return Rental(
        sku=problem.machines[vm.machine].sku,
        from_ms=vm.from_ms - meter.start_up_ms,
        to_ms=vm.to_ms + meter.around_ms - meter.start_up_ms,
        usd=Fraction(vm.rent, meter.unit),
    )
