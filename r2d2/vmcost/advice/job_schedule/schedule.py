"""A partial schedule: jobs put on VMs one after another, and its cost so far.

Money is counted in whole units (`UnitPrices.unit` of them are a dollar), so that searches compare
integers and lose nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from r2d2.vmcost.advice.job_schedule.problem import (
    MS_PER_HOUR,
    PlacedJob,
    Rental,
    Schedule,
    SchedulingProblem,
)
from r2d2.vmcost.advice.rent import Meter, milliseconds, quantum_usd, unit_of


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """The problem's prices as whole numbers: of each type's time, and of being late.

    `around_ms` is what a VM is rented besides its jobs, start-up and tail.
    """

    unit: int
    meters: tuple[Meter, ...]
    start_up_ms: int
    around_ms: int
    late_fixed_units: int
    late_units_per_ms: int

    @staticmethod
    def of(problem: SchedulingProblem) -> "UnitPrices":
        """The prices of the problem."""
        billing, lateness = problem.billing, problem.lateness
        hourly = [machine.usd_per_hour for machine in problem.machines]
        late_usd_per_ms = lateness.usd_per_hour / MS_PER_HOUR
        quanta = (quantum_usd(usd, billing) for usd in hourly)
        unit = unit_of((*quanta, lateness.fixed_usd, late_usd_per_ms))
        return UnitPrices(
            unit=unit,
            meters=tuple(Meter.of(usd, billing, unit) for usd in hourly),
            start_up_ms=milliseconds(billing.start_up_s),
            around_ms=milliseconds(billing.start_up_s) + milliseconds(billing.idle_tail_s),
            late_fixed_units=int(lateness.fixed_usd * unit),
            late_units_per_ms=int(late_usd_per_ms * unit),
        )

    def rent(self, machine: int, busy_ms: int) -> int:
        """The units for a VM, from its first job's start to its last job's end."""
        return self.meters[machine].rent(busy_ms + self.around_ms)

    def penalty(self, late_ms: int) -> int:
        """The units for ending so late."""
        return 0 if late_ms <= 0 else self.late_fixed_units + late_ms * self.late_units_per_ms


@dataclass(frozen=True, slots=True)
class OpenRental:
    """A rented VM, from its first job's start to its last job's end so far."""

    machine: int
    from_ms: int
    to_ms: int
    rent: int


@dataclass(frozen=True, slots=True)
class JobPlacement:
    """One more job on a VM: `vm` is its position in the schedule, their number for a new one."""

    job: int
    vm: int
    machine: int
    start_ms: int
    end_ms: int
    more_rent: int


@dataclass(frozen=True, slots=True)
class PartialSchedule:
    """Jobs put on VMs, in the order in which they were put."""

    vms: tuple[OpenRental, ...] = ()
    placings: tuple[JobPlacement, ...] = ()
    rent: int = 0
    end_ms: int = 0


def ready_ms(problem: SchedulingProblem, ends: Mapping[int, int], job: int) -> int:
    """The moment at which the jobs before it have ended; all of them are placed."""
    return max((ends[other] for other in problem.before[job]), default=0)


def on_standing(
    prices: UnitPrices, plan: PartialSchedule, job: int, vm: int, ready: int, run_ms: int
) -> JobPlacement:
    """The job put after the last one of a VM that is rented already."""
    held = plan.vms[vm]
    start_ms = max(ready, held.to_ms)
    end_ms = start_ms + run_ms
    more = prices.rent(held.machine, end_ms - held.from_ms) - held.rent
    return JobPlacement(job, vm, held.machine, start_ms, end_ms, more)


def on_new(
    prices: UnitPrices, plan: PartialSchedule, job: int, machine: int, ready: int, run_ms: int
) -> JobPlacement:
    """The job put on a VM that is rented for it."""
    start_ms = max(ready, prices.start_up_ms)
    more = prices.rent(machine, run_ms)
    return JobPlacement(job, len(plan.vms), machine, start_ms, start_ms + run_ms, more)


def extended(plan: PartialSchedule, placing: JobPlacement) -> PartialSchedule:
    """The plan with one more job."""
    at = placing.vm
    if at == len(plan.vms):
        vm = OpenRental(placing.machine, placing.start_ms, placing.end_ms, placing.more_rent)
    else:
        held = plan.vms[at]
        vm = OpenRental(held.machine, held.from_ms, placing.end_ms, held.rent + placing.more_rent)
    return PartialSchedule(
        vms=(*plan.vms[:at], vm, *plan.vms[at + 1 :]),
        placings=(*plan.placings, placing),
        rent=plan.rent + placing.more_rent,
        end_ms=max(plan.end_ms, placing.end_ms),
    )


def cost(problem: SchedulingProblem, prices: UnitPrices, plan: PartialSchedule) -> int:
    """The units for rent and lateness."""
    return plan.rent + prices.penalty(plan.end_ms - problem.deadline_ms)


def schedule_of(
    problem: SchedulingProblem,
    plan: PartialSchedule,
    exact: bool,
    single: tuple[int, PartialSchedule] | None,
) -> Schedule:
    """The schedule with names, times and dollars; VMs in order of their first job."""
    prices = UnitPrices.of(problem)
    first = {vm: min(p.job for p in plan.placings if p.vm == vm) for vm in range(len(plan.vms))}
    listed = sorted(first, key=lambda vm: (plan.vms[vm].from_ms, first[vm]))
    placed = [
        PlacedJob(
            problem.jobs[placing.job], listed.index(placing.vm), placing.start_ms, placing.end_ms
        )
        for placing in plan.placings
    ]
    return Schedule(
        placed=tuple(sorted(placed, key=lambda placing: (placing.start_ms, placing.rental))),
        rentals=tuple(_rental(problem, prices, plan.vms[vm]) for vm in listed),
        rent_usd=Fraction(plan.rent, prices.unit),
        penalty_usd=Fraction(prices.penalty(plan.end_ms - problem.deadline_ms), prices.unit),
        end_ms=plan.end_ms,
        exact=exact,
        single_type=None if single is None else problem.machines[single[0]].sku,
        single_type_usd=(
            None if single is None else Fraction(cost(problem, prices, single[1]), prices.unit)
        ),
    )


def _rental(problem: SchedulingProblem, prices: UnitPrices, vm: OpenRental) -> Rental:
    return Rental(
        sku=problem.machines[vm.machine].sku,
        from_ms=vm.from_ms - prices.start_up_ms,
        to_ms=vm.to_ms + prices.around_ms - prices.start_up_ms,
        usd=Fraction(vm.rent, prices.unit),
    )
