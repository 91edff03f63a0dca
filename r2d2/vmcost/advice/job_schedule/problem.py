"""The nouns of scheduling a pipeline's jobs on rented VMs; the package states the program.

Times are whole milliseconds since the pipeline's start, money is USD.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

from r2d2.errors import UsageError
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
