"""The jobs and VMs of a pipeline, its schedule, and partial schedules with their cost so far.

The package states the program. Times are whole milliseconds since the pipeline's start. Money is
USD; in partial schedules it is counted in whole units (`UnitPrices.unit` of them are a dollar), so
that searches compare integers and lose nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

from r2d2.errors import UsageError
from r2d2.vmcost.advice.rent import Meter, milliseconds, quantum_usd, unit_of
from r2d2.vmcost.model import Billing

MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class PipelineJob:
    """A job, the jobs that must have ended before it, and its time on each SKU that can run it."""

    name: str
    after: tuple[str, ...]
    run_ms: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM type, or a whole cluster that is rented as one."""

    sku: str
    usd_per_hour: Fraction


@dataclass(frozen=True, slots=True)
class Lateness:
    """The penalty of a late end: a fixed sum, and more with every hour.

    >>> float(Lateness(Fraction(1), Fraction(2)).penalty_usd(1_800_000))
    2.0
    """

    fixed_usd: Fraction
    usd_per_hour: Fraction

    def penalty_usd(self, late_ms: int) -> Fraction:
        """The penalty of ending so late; 0 in time."""
        if late_ms <= 0:
            return Fraction(0)
        return self.fixed_usd + self.usd_per_hour * late_ms / MS_PER_HOUR


@dataclass(frozen=True, slots=True)
class SchedulingProblem:
    """The same with positions for names; `run_ms[job]` has the types in order of their price."""

    jobs: tuple[str, ...]
    machines: tuple[Machine, ...]
    before: tuple[tuple[int, ...], ...]
    run_ms: tuple[Mapping[int, int], ...]
    order: tuple[int, ...]  # of jobs, every one after those before it
    deadline_ms: int
    lateness: Lateness
    billing: Billing

    @staticmethod
    def of(
        jobs: Sequence[PipelineJob],
        machines: Sequence[Machine],
        deadline_ms: int,
        lateness: Lateness,
        billing: Billing,
    ) -> "SchedulingProblem":
        """The problem; its names are checked."""
        listed = tuple(sorted(machines, key=lambda machine: (machine.usd_per_hour, machine.sku)))
        names = _positions([job.name for job in jobs], "job")
        skus = _positions([machine.sku for machine in listed], "machine")
        before = tuple(
            tuple(sorted({_known(names, job, name) for name in job.after})) for job in jobs
        )
        return SchedulingProblem(
            jobs=tuple(names),
            machines=listed,
            before=before,
            run_ms=tuple(_runs(job, skus) for job in jobs),
            order=_order(before, tuple(names)),
            deadline_ms=deadline_ms,
            lateness=lateness,
            billing=billing,
        )


@dataclass(frozen=True, slots=True)
class PlacedJob:
    """A job on a rental, by its position in `Schedule.rentals`."""

    job: str
    rental: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Rental:
    """A VM, rented in one piece; `from_ms` is before its first job's start, by the start-up."""

    sku: str
    from_ms: int
    to_ms: int
    usd: Fraction


@dataclass(frozen=True, slots=True)
class Schedule:
    """The VM and time of each job; `exact` says that no schedule of the model is cheaper.

    `single_type_usd` is what the cheapest schedule found on VMs of one type costs, of
    `single_type`; both None where no type runs all jobs.
    """

    placed: tuple[PlacedJob, ...]
    rentals: tuple[Rental, ...]
    rent_usd: Fraction
    penalty_usd: Fraction
    end_ms: int
    exact: bool
    single_type: str | None
    single_type_usd: Fraction | None

    @property
    def usd(self) -> Fraction:
        """Rent and penalty."""
        return self.rent_usd + self.penalty_usd

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        counts = Counter(rental.sku for rental in self.rentals)
        rented = ", ".join(f"{counts[sku]} x {sku}" for sku in sorted(counts)) or "nothing"
        way = "no schedule is cheaper" if self.exact else "by lists"
        alone = (
            ""
            if self.single_type_usd is None
            else f"; on {self.single_type} alone ${float(self.single_type_usd):.4f}"
        )
        return (
            f"rent {rented}: ${float(self.usd):.4f}, of it ${float(self.penalty_usd):.4f} for"
            f" lateness, done after {self.end_ms / 1000:.1f} s ({way}){alone}"
        )


def _positions(names: Sequence[str], what: str) -> dict[str, int]:
    positions = {name: position for position, name in enumerate(names)}
    if len(positions) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{what} {twice!r} is listed twice: give each its own name")
    return positions


def _known(names: Mapping[str, int], job: PipelineJob, name: str) -> int:
    if name not in names:
        raise UsageError(f"job {job.name!r} comes after {name!r}, which is no job of the pipeline")
    return names[name]


def _runs(job: PipelineJob, skus: Mapping[str, int]) -> dict[int, int]:
    unknown = sorted(set(job.run_ms) - set(skus))
    if unknown:
        raise UsageError(
            f"job {job.name!r} has a time on {unknown[0]!r}, which is no machine listed"
        )
    if not job.run_ms or min(job.run_ms.values()) <= 0:
        raise UsageError(f"job {job.name!r} needs a time above 0 on at least one machine")
    return {skus[sku]: job.run_ms[sku] for sku in sorted(job.run_ms, key=lambda sku: skus[sku])}


def _order(before: tuple[tuple[int, ...], ...], names: tuple[str, ...]) -> tuple[int, ...]:
    try:
        return tuple(TopologicalSorter(dict(enumerate(before))).static_order())
    except CycleError as error:
        circle = " → ".join(names[position] for position in error.args[1])
        raise UsageError(f"jobs wait for each other in a circle: {circle}") from error


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
