"""The cheapest machines that still meet a deadline: every candidate with its odds and its price.

A candidate's money is that of its machines and the driver for the modelled seconds, with the
start-up and the idle tail of the billing, at the rates of the bill: fees and uplift are in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from r2d2.errors import UsageError
from r2d2.text_tables import pluralize
from r2d2.vmcost.advice.right_size.run_time import RunTime, Spread
from r2d2.vmcost.bill import Rate
from r2d2.vmcost.model import Billing


@dataclass(frozen=True, slots=True)
class Goal:
    """A deadline, and the probability with which it must be met.

    Raises:
        UsageError: the deadline is not positive, or the probability not above 0 and below 1.
    """

    deadline_s: float
    probability: float = 0.95

    def __post_init__(self) -> None:
        if not self.deadline_s > 0:
            raise UsageError(f"a deadline of {self.deadline_s:g} s: it must be above 0")
        if not 0 < self.probability < 1:
            raise UsageError(f"a probability of {self.probability:g}: it must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class SizedCluster:
    """So many machines of a type: modelled seconds, odds to meet the deadline, and price.

    `extrapolated` names the sizes that lie far beyond those that were measured.
    """

    rate: Rate
    count: int
    expected_s: float
    probability: float
    usd: Fraction
    meets: bool
    extrapolated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RightSize:
    """All candidates, those that meet the goal first, each part by price; and how odds were made.

    `left_out` are the types that cannot run the application, each with its reason.
    """

    goal: Goal
    candidates: tuple[SizedCluster, ...]
    left_out: tuple[tuple[str, str], ...]
    odds: str

    @property
    def best(self) -> SizedCluster | None:
        """The cheapest that meets the goal; None where none does."""
        return next((candidate for candidate in self.candidates if candidate.meets), None)

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        goal = f"{self.goal.deadline_s:g} s with probability {self.goal.probability:g}"
        best = self.best
        if best is None:
            candidates = pluralize(str(len(self.candidates)), "candidate")
            return f"none of {candidates} meets {goal}"
        return (
            f"{best.count} x {best.rate.sku} is the cheapest that meets {goal}:"
            f" {best.expected_s:.1f} s, ${float(best.usd):.4f}, P {best.probability:.3f}"
        )


def right_size(
    rates: Sequence[Rate],
    counts: Sequence[int],
    run_time: RunTime,
    spread: Spread,
    goal: Goal,
    billing: Billing | None = None,
    driver: Rate | None = None,
) -> RightSize:
    """Every type in every count, and the cheapest that meets the goal.

    Raises:
        UsageError: there is no type, no count, or a count below 1.
    """
    if not rates or not counts or min(counts) < 1:
        raise UsageError(
            "right-sizing needs prices of one or more VM types, and counts of 1 or more"
        )
    reasons = [(rate, run_time.unfit_reason(rate.machine)) for rate in rates]
    candidates = [
        _candidate(rate, count, run_time, spread, goal, billing or Billing(), driver)
        for rate, reason in reasons
        if reason is None
        for count in sorted(set(counts))
    ]
    left_out = sorted((_name(rate), reason) for rate, reason in reasons if reason is not None)
    return RightSize(goal, tuple(sorted(candidates, key=_order)), tuple(left_out), spread.method)


def _candidate(
    rate: Rate,
    count: int,
    run_time: RunTime,
    spread: Spread,
    goal: Goal,
    billing: Billing,
    driver: Rate | None,
) -> SizedCluster:
    expected = run_time.expected(rate.machine, count)
    probability = spread.probability_within(expected.seconds, goal.deadline_s)
    used_ms = round(expected.seconds * 1000)
    usd = count * rental_usd(used_ms, rate, billing)
    if driver is not None:
        usd += rental_usd(used_ms, driver, billing)
    meets = probability >= goal.probability
    return SizedCluster(
        rate, count, expected.seconds, probability, usd, meets, expected.extrapolated
    )


def _order(candidate: SizedCluster) -> tuple[bool, Fraction, float, str, int]:
    """The ones that meet the goal first, then cheaper, faster, and by name."""
    return (
        not candidate.meets,
        candidate.usd,
        candidate.expected_s,
        _name(candidate.rate),
        candidate.count,
    )


def _name(rate: Rate) -> str:
    price = rate.machine
    return f"{price.provider} {price.region} {price.sku} {price.kind.value}"


def rental_usd(used_ms: int, rate: Rate, billing: Billing, *, to_the_end: bool = True) -> Fraction:
    """The price of a machine that is used for so long, with its start-up.

    A machine that is there `to_the_end` has the billing's idle tail too.
    """
    used_s = Fraction(used_ms, 1000) + billing.start_up_s
    rented_s = used_s + billing.idle_tail_s if to_the_end else used_s
    return rate.usd(billing.billed_s(rented_s))
