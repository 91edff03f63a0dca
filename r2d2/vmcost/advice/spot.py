"""Spot VMs against VMs on demand: what interruptions cost in time and money.

Each spot VM is taken away after an exponential time (a Poisson process; the rate is the user's, as
no provider ships one) and another offers its slots `replacement_s` later. The work is the replayed
log (`replay`): tasks that ran there begin again, and output that lay there and is still to be read
is made again, with all it needs. The driver is on demand and is never taken away. Cached blocks, a
shuffle service that outlives its VM, and warnings before the end are not modelled, and neither is
the variation of run times without interruptions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from math import inf, isfinite
from typing import TypeVar

import numpy as np

from r2d2.errors import UsageError
from r2d2.text_tables import human_bytes, pluralize
from r2d2.vmcost.advice.case import AdviceCase
from r2d2.vmcost.advice.replay import Simulation, replay_workload
from r2d2.vmcost.advice.replay.slots import Life, first_arrival_ms, measured_lives
from r2d2.vmcost.advice.replay.state import Links, links_of
from r2d2.vmcost.advice.replay.workload import Workload, workload_of
from r2d2.vmcost.advice.right_size import rental_usd
from r2d2.vmcost.bill import Rate, rate_of
from r2d2.vmcost.model import Application, Billing, Price, PriceKind
from r2d2.vmcost.report.data import Data
from r2d2.vmcost.settings import SpotSettings

Number = TypeVar("Number", float, Fraction)
MS_PER_HOUR = 3_600_000
LONGEST = 100
"""A run is given up after so many times its undisturbed duration, or so many hours if longer."""


@dataclass(frozen=True, slots=True)
class TimeAndCost:
    """Modelled time and money of a way to rent; `miss_probability` is None without a deadline."""

    mean_s: float
    p95_s: float
    mean_usd: Fraction
    p95_usd: Fraction
    miss_probability: float | None


@dataclass(frozen=True, slots=True)
class SpotReport:
    """Both ways to rent the same machines, over `trials` simulated runs.

    `interruptions` and `tasks_again` are means over the runs on spot; `tasks_again` are
    launches of tasks that had run, or were running, on a VM that was taken away, and `bytes_again`
    the shuffle output that these write once more. The same seed gives the same report.
    """

    on_demand: TimeAndCost
    spot: TimeAndCost
    interruptions: float
    tasks_again: float
    bytes_again: float
    trials: int
    seed: int

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        saved = 1 - self.spot.mean_usd / self.on_demand.mean_usd
        slower = self.spot.mean_s / self.on_demand.mean_s - 1
        way = f"{float(saved):.1%} cheaper" if saved >= 0 else f"{float(-saved):.1%} dearer"
        missed = self.spot.miss_probability
        odds = "" if missed is None else f", and misses the deadline with P {missed:.3f}"
        return f"spot is {way} and {slower:.1%} slower on average{odds}"


@dataclass(frozen=True, slots=True)
class SpotOffer:
    """So many VMs of one type, at both prices, and how often a spot VM is taken away.

    Raises:
        UsageError: a number makes no sense.
    """

    count: int
    slots_per_vm: int
    on_demand: Rate
    spot: Rate
    interruptions_per_vm_hour: float
    replacement_s: float = 120.0
    driver: Rate | None = None

    def __post_init__(self) -> None:
        if self.count < 1 or self.slots_per_vm < 1:
            vms, slots = pluralize(str(self.count), "VM"), pluralize(str(self.slots_per_vm), "slot")
            raise UsageError(f"{vms} of {slots}: both must be above 0")
        for name in ("interruptions_per_vm_hour", "replacement_s"):
            if not isfinite(getattr(self, name)) or getattr(self, name) < 0:
                raise UsageError(f"{name} {getattr(self, name)}: it must be 0 or above")


@dataclass(frozen=True, slots=True)
class SpotRun:
    """A simulated run: its end, the rentals of its VMs, and the work that was done again."""

    ended_ms: int
    rentals: tuple[tuple[int, int], ...]
    interruptions: int = 0
    launches_again: int = 0
    bytes_again: int = 0


def spot_advice(case: AdviceCase, settings: SpotSettings) -> Iterator[Data]:
    """The time and money of the cluster's run on spot VMs."""
    on_demand = case.rate(case.cluster.vm)
    offered = (
        case.rate(case.cluster.vm, PriceKind.SPOT)
        if settings.usd_per_hour is None
        else _at(settings.usd_per_hour, on_demand.machine, case)
    )
    offer = SpotOffer(
        count=case.count,
        slots_per_vm=case.slots_per_vm,
        on_demand=on_demand,
        spot=offered,
        interruptions_per_vm_hour=settings.interruptions_per_vm_hour,
        replacement_s=settings.replacement_s,
        driver=case.driver,
    )
    compared = compare_spot(
        case.application,
        offer,
        case.costed.billing,
        settings.deadline_s,
        settings.trials,
        settings.seed,
    )
    yield {
        "kind": "spot",
        "told": (
            f"{compared.verdict}: ${float(compared.spot.mean_usd):.4f} beside"
            f" ${float(compared.on_demand.mean_usd):.4f} on all cores of the VMs;"
            f" {compared.interruptions:.2g} VMs lost a run, {compared.tasks_again:.3g} tasks and"
            f" {human_bytes(compared.bytes_again)} of shuffle output made again;"
            f" {pluralize(str(compared.trials), 'run')} simulated, seed {compared.seed}"
        ),
        "basis": "modelled",
        "usd": float(compared.spot.mean_usd),
        "ways": {"on_demand": _odds_data(compared.on_demand), "spot": _odds_data(compared.spot)},
        "interruptions": compared.interruptions,
        "tasks_again": compared.tasks_again,
        "bytes_again": compared.bytes_again,
    }


def _at(usd_per_hour: Fraction, machine: Price, case: AdviceCase) -> Rate:
    """The machine as spot at a stated price; its fees are those that it has on demand."""
    spot = replace(machine, kind=PriceKind.SPOT, usd_per_hour=usd_per_hour)
    return rate_of(spot, case.prices, case.costed.billing)


def _odds_data(odds: TimeAndCost) -> Data:
    return {
        "mean_s": odds.mean_s,
        "p95_s": odds.p95_s,
        "mean_usd": float(odds.mean_usd),
        "p95_usd": float(odds.p95_usd),
        "miss_probability": odds.miss_probability,
    }


def compare_spot(
    app: Application,
    offer: SpotOffer,
    billing: Billing | None = None,
    deadline_s: float | None = None,
    trials: int = 1000,
    seed: int = 0,
) -> SpotReport:
    """The comparison for the work of a log, whose first executor's arrival is kept.

    Raises:
        UsageError: there is less than one trial.
        StuckError: interruptions come so often that a run does not end.
    """
    arrival_ms = first_arrival_ms(measured_lives(app))
    return compare_spot_of(workload_of(app), arrival_ms, offer, billing, deadline_s, trials, seed)


def compare_spot_of(
    workload: Workload,
    arrival_ms: int,
    offer: SpotOffer,
    billing: Billing | None = None,
    deadline_s: float | None = None,
    trials: int = 1000,
    seed: int = 0,
) -> SpotReport:
    """The workload's time and money on VMs on demand and, by simulation, on spot VMs.

    VMs are rented from the application's start and offer their slots from `arrival_ms` on.

    Raises:
        UsageError: there is less than one trial.
        StuckError: interruptions come so often that a run does not end.
    """
    if trials < 1:
        raise UsageError(f"{trials} trials tell nothing: ask for 1 or more")
    billing = billing or Billing()
    calm_ms = replay_workload(workload, [Life(offer.slots_per_vm, arrival_ms)] * offer.count)
    calm = SpotRun(calm_ms, ((0, calm_ms),) * offer.count)
    links = links_of(workload)
    runs = [
        _simulated_run(workload, links, offer, arrival_ms, calm, (seed, number))
        for number in range(trials)
    ]
    return SpotReport(
        _odds([calm], offer.on_demand, offer, billing, deadline_s),
        _odds(runs, offer.spot, offer, billing, deadline_s),
        sum(run.interruptions for run in runs) / trials,
        sum(run.launches_again for run in runs) / trials,
        sum(run.bytes_again for run in runs) / trials,
        trials,
        seed,
    )


def _odds(
    runs: Sequence[SpotRun], vm: Rate, offer: SpotOffer, billing: Billing, deadline_s: float | None
) -> TimeAndCost:
    seconds = [run.ended_ms / 1000 for run in runs]
    usd = [_usd(run, vm, offer, billing) for run in runs]
    missed = (
        None if deadline_s is None else sum(took_s > deadline_s for took_s in seconds) / len(runs)
    )
    mean_s = sum(run.ended_ms for run in runs) / (1000 * len(runs))
    return TimeAndCost(mean_s, _p95(seconds), sum(usd, Fraction()) / len(runs), _p95(usd), missed)


def _usd(run: SpotRun, vm: Rate, offer: SpotOffer, billing: Billing) -> Fraction:
    """The price of a run's rentals and driver; a VM that was taken away has no idle tail."""
    usd = Fraction()
    for from_ms, until_ms in run.rentals:
        stayed = until_ms == run.ended_ms
        usd += rental_usd(until_ms - from_ms, vm, billing, to_the_end=stayed)
    return usd if offer.driver is None else usd + rental_usd(run.ended_ms, offer.driver, billing)


def _p95(values: Sequence[Number]) -> Number:
    """The smallest value that at least 95 of 100 do not exceed."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


@dataclass(slots=True)
class _Fleet:
    """The VMs of a run under way; each life of a VM is an executor of its own.

    `rented` has the VMs that are there, with their executor and the moment they were rented.
    """

    run: Simulation
    offer: SpotOffer
    draws: Sequence[np.random.Generator]
    lives: int = 0
    rented: dict[int, tuple[int, int]] = field(default_factory=dict)
    rentals: list[tuple[int, int]] = field(default_factory=list)

    def rent(self, vm: int, ready_ms: int) -> None:
        """A VM is rented now, offers its slots from a moment on, and will be taken away."""
        clock, executor = self.run.clock, self.lives
        self.lives += 1
        self.rented[vm] = (executor, clock.now_ms)
        clock.at(ready_ms, partial(self._ready, vm, executor))
        life_ms = _life_ms(self.draws[vm], self.offer)
        if isfinite(life_ms):
            clock.after(round(life_ms), partial(self._take_away, vm))

    def _ready(self, vm: int, executor: int) -> None:
        if self.rented.get(vm, (None, 0))[0] == executor:
            self.run.slots.offer(executor, self.offer.slots_per_vm)

    def _take_away(self, vm: int) -> None:
        clock = self.run.clock
        executor, rented_ms = self.rented.pop(vm)
        self.rentals.append((rented_ms, clock.now_ms))
        self.run.lose(executor)
        wait_ms = round(self.offer.replacement_s * 1000)
        clock.after(wait_ms, lambda: self.rent(vm, clock.now_ms))


def _simulated_run(
    workload: Workload,
    links: Links,
    offer: SpotOffer,
    arrival_ms: int,
    calm: SpotRun,
    seed: Sequence[int],
) -> SpotRun:
    """The run that a seed gives; `calm` is the one without interruptions.

    A seed draws the same lives at every rate, only longer or shorter.

    Raises:
        StuckError: interruptions come so often that the run does not end within reason.
    """
    if all(_life_ms(draw, offer) >= calm.ended_ms for draw in _draws(offer, seed)):
        return calm
    fleet = _Fleet(Simulation.of(workload, links), offer, _draws(offer, seed))
    for vm in range(offer.count):
        fleet.rent(vm, arrival_ms)
    ended_ms = fleet.run.to_the_end(LONGEST * max(calm.ended_ms, MS_PER_HOUR))
    rentals = [*fleet.rentals, *((rented_ms, ended_ms) for _, rented_ms in fleet.rented.values())]
    again = fleet.run.running.repeated
    size_bytes = sum(workload.steps[step].tasks[task].written_bytes for step, task in again)
    rented = tuple(sorted(rentals))
    return SpotRun(ended_ms, rented, len(fleet.rentals), len(again), size_bytes)


def _draws(offer: SpotOffer, seed: Sequence[int]) -> list[np.random.Generator]:
    """A random generator for each VM, so that the lives of one do not change another's."""
    return [np.random.default_rng([*seed, vm]) for vm in range(offer.count)]


def _life_ms(draw: np.random.Generator, offer: SpotOffer) -> float:
    unit = float(draw.standard_exponential())
    rate = offer.interruptions_per_vm_hour
    return unit * MS_PER_HOUR / rate if rate else inf
