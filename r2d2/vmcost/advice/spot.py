"""Spot machines against machines on demand: what interruptions cost in time and money.

    compare_spot(app: Application, offer: SpotOffer, billing: Billing | None = None,
                 deadline_s: float | None = None, trials: int = 1000, seed: int = 0) -> SpotReport
    compare_spot_of(plan: Plan, arrival_ms: int, offer: SpotOffer, …)      for a plan at hand
    SpotOffer(count, slots_per_vm, on_demand: Price, spot: Price, interruptions_per_vm_hour: float,
              replacement_s: float = 120.0, driver: Price | None = None)
    SpotReport.on_demand, .spot: Odds (mean and p95 of seconds and USD, P(miss)); .verdict

Each spot VM is taken away after an exponential time (a Poisson process; the rate is the user's, as
no provider ships one) and another offers its slots `replacement_s` later. The work is the replayed
log (`replay.run`): tasks that ran there begin again, and output that lay there and is still to be
read is made again, with all it needs. The driver is on demand and is never taken away. Cached
blocks, a shuffle service that outlives its VM, and warnings before the end are not modelled, and
neither is what run times vary by without interruptions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from r2d2.errors import UsageError
from r2d2.vmcost.advice.replay import replay_plan
from r2d2.vmcost.advice.replay.links import links_of
from r2d2.vmcost.advice.replay.plan import Plan
from r2d2.vmcost.advice.replay.reading import plan_of
from r2d2.vmcost.advice.replay.slots import Life, first_arrival_ms, measured_lives
from r2d2.vmcost.advice.right_size.rent import rental_usd
from r2d2.vmcost.advice.spot.trial import SpotOffer, Trial, trial
from r2d2.vmcost.model import Application, Billing, Price

Number = TypeVar("Number", float, Fraction)


@dataclass(frozen=True, slots=True)
class Odds:
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
    launches of tasks that had run, or were running, on a VM that was taken away. The same seed
    gives the same report.
    """

    on_demand: Odds
    spot: Odds
    interruptions: float
    tasks_again: float
    trials: int
    seed: int
    figure: str = "modelled"

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        saved = 1 - self.spot.mean_usd / self.on_demand.mean_usd
        slower = self.spot.mean_s / self.on_demand.mean_s - 1
        way = f"{float(saved):.1%} cheaper" if saved >= 0 else f"{float(-saved):.1%} dearer"
        missed = self.spot.miss_probability
        odds = "" if missed is None else f", and misses the deadline with P {missed:.3f}"
        return f"spot is {way} and {slower:.1%} slower on average{odds} (modelled)"


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
    return compare_spot_of(plan_of(app), arrival_ms, offer, billing, deadline_s, trials, seed)


def compare_spot_of(
    plan: Plan,
    arrival_ms: int,
    offer: SpotOffer,
    billing: Billing | None = None,
    deadline_s: float | None = None,
    trials: int = 1000,
    seed: int = 0,
) -> SpotReport:
    """The plan's time and money on VMs on demand and, by simulation, on spot VMs.

    VMs are rented from the application's start and offer their slots from `arrival_ms` on.

    Raises:
        UsageError: there is less than one trial.
        StuckError: interruptions come so often that a run does not end.
    """
    if trials < 1:
        raise UsageError(f"{trials} trials tell nothing: ask for 1 or more")
    billing = billing or Billing()
    calm_ms = replay_plan(plan, [Life(offer.slots_per_vm, arrival_ms)] * offer.count)
    calm = Trial(calm_ms, ((0, calm_ms),) * offer.count)
    links = links_of(plan)
    runs = [trial(plan, links, offer, arrival_ms, calm, (seed, number)) for number in range(trials)]
    return SpotReport(
        _odds([calm], offer.on_demand, offer, billing, deadline_s),
        _odds(runs, offer.spot, offer, billing, deadline_s),
        sum(run.interruptions for run in runs) / trials,
        sum(run.launches_again for run in runs) / trials,
        trials,
        seed,
    )


def _odds(
    runs: Sequence[Trial], vm: Price, offer: SpotOffer, billing: Billing, deadline_s: float | None
) -> Odds:
    seconds = [run.ended_ms / 1000 for run in runs]
    usd = [_usd(run, vm, offer, billing) for run in runs]
    missed = None if deadline_s is None else sum(one > deadline_s for one in seconds) / len(runs)
    mean_s = sum(run.ended_ms for run in runs) / (1000 * len(runs))
    return Odds(mean_s, _p95(seconds), sum(usd, Fraction()) / len(runs), _p95(usd), missed)


def _usd(run: Trial, vm: Price, offer: SpotOffer, billing: Billing) -> Fraction:
    """What a run's rentals and the driver cost; a VM that was taken away has no idle tail."""
    usd = Fraction()
    for from_ms, until_ms in run.rentals:
        stayed = until_ms == run.ended_ms
        usd += rental_usd(until_ms - from_ms, vm, billing, to_the_end=stayed)
    return usd if offer.driver is None else usd + rental_usd(run.ended_ms, offer.driver, billing)


def _p95(values: Sequence[Number]) -> Number:
    """The smallest value that at least 95 of 100 do not exceed."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]
