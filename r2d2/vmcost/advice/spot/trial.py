"""One simulated run on VMs that are taken away: when each was rented, when the work was done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf, isfinite

import numpy as np

from r2d2.errors import UsageError
from r2d2.report.words import pluralize
from r2d2.vmcost.advice.replay.links import Links
from r2d2.vmcost.advice.replay.plan import Plan
from r2d2.vmcost.advice.replay.simulation import Simulation
from r2d2.vmcost.model import Price

MS_PER_HOUR = 3_600_000
LONGEST = 100
"""A run is given up after so many times its undisturbed duration, or so many hours if longer."""


@dataclass(frozen=True, slots=True)
class SpotOffer:
    """So many VMs of one type, at both prices, and how often a spot VM is taken away.

    Raises:
        UsageError: a number makes no sense.
    """

    count: int
    slots_per_vm: int
    on_demand: Price
    spot: Price
    interruptions_per_vm_hour: float
    replacement_s: float = 120.0
    driver: Price | None = None

    def __post_init__(self) -> None:
        if self.count < 1 or self.slots_per_vm < 1:
            vms, slots = pluralize(str(self.count), "VM"), pluralize(str(self.slots_per_vm), "slot")
            raise UsageError(f"{vms} of {slots}: both must be above 0")
        for name in ("interruptions_per_vm_hour", "replacement_s"):
            if not isfinite(getattr(self, name)) or getattr(self, name) < 0:
                raise UsageError(f"{name} {getattr(self, name)}: it must be 0 or above")


@dataclass(frozen=True, slots=True)
class Trial:
    """How a run went: its end, each rental of a VM from one moment to another, work done again."""

    ended_ms: int
    rentals: tuple[tuple[int, int], ...]
    interruptions: int = 0
    launches_again: int = 0


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


def trial(
    plan: Plan, links: Links, offer: SpotOffer, arrival_ms: int, calm: Trial, seed: Sequence[int]
) -> Trial:
    """The run that a seed gives; `calm` is the one without interruptions.

    A seed draws the same lives at every rate, only longer or shorter.

    Raises:
        StuckError: interruptions come so often that the run does not end within reason.
    """
    if all(_life_ms(draw, offer) >= calm.ended_ms for draw in _draws(offer, seed)):
        return calm
    fleet = _Fleet(Simulation.of(plan, links), offer, _draws(offer, seed))
    for vm in range(offer.count):
        fleet.rent(vm, arrival_ms)
    ended_ms = fleet.run.to_the_end(LONGEST * max(calm.ended_ms, MS_PER_HOUR))
    rentals = [*fleet.rentals, *((rented_ms, ended_ms) for _, rented_ms in fleet.rented.values())]
    return Trial(ended_ms, tuple(sorted(rentals)), len(fleet.rentals), fleet.run.running.again)


def _draws(offer: SpotOffer, seed: Sequence[int]) -> list[np.random.Generator]:
    """A source of chance for each VM, so that what befalls one does not change another's."""
    return [np.random.default_rng([*seed, vm]) for vm in range(offer.count)]


def _life_ms(draw: np.random.Generator, offer: SpotOffer) -> float:
    unit = float(draw.standard_exponential())
    rate = offer.interruptions_per_vm_hour
    return unit * MS_PER_HOUR / rate if rate else inf
