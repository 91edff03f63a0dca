"""The price of rented time in whole units, and bounds on its growth, for searches.

Searches compare millions of costs. As whole numbers of a small enough unit of money they are exact
and quick: `unit_of` finds how many units a dollar must have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from r2d2.vmcost.model import SECONDS_PER_HOUR, Billing


@dataclass(frozen=True, slots=True)
class Meter:
    """The price of a machine that is billed by the quantum; a millisecond has `ticks`.

    >>> billing = Billing(quantum_s=Fraction(60))
    >>> Meter.of(Fraction(6), billing, unit=10).rent(90_000)
    2
    """

    quantum_units: int
    quantum_ticks: int
    minimum_ticks: int
    ticks: int

    @staticmethod
    def of(usd_per_hour: Fraction, billing: Billing, unit: int) -> "Meter":
        """The meter of a price; `unit` is a multiple of what `unit_of` finds for its quantum."""
        quantum_ms, minimum_ms = billing.quantum_s * 1000, billing.minimum_s * 1000
        ticks = lcm(quantum_ms.denominator, minimum_ms.denominator)
        return Meter(
            quantum_units=int(quantum_usd(usd_per_hour, billing) * unit),
            quantum_ticks=int(quantum_ms * ticks),
            minimum_ticks=int(minimum_ms * ticks),
            ticks=ticks,
        )

    def rent(self, rented_ms: int) -> int:
        """The units for renting so long in one piece."""
        paid = max(self.minimum_ticks, rented_ms * self.ticks)
        return -(-paid // self.quantum_ticks) * self.quantum_units

    def most_added(self, more_ms: int) -> int:
        """The most by which any rental's price can grow when it lasts so much longer.

        With quantum q, ceil((x + d) / q) ≤ ceil(x / q) + ceil(d / q); the minimum only flattens.
        """
        return -(-more_ms * self.ticks // self.quantum_ticks) * self.quantum_units

    def least_added(self, from_ms: int, more_ms: int) -> int:
        """The least by which a rental's price grows, of one that lasts `from_ms` or longer.

        With quantum q, ceil((x + d) / q) ≥ ceil(x / q) + floor(d / q), beyond the minimum.
        """
        beyond = (from_ms + more_ms) * self.ticks - self.minimum_ticks
        sure = min(more_ms * self.ticks, max(0, beyond))
        return sure // self.quantum_ticks * self.quantum_units

    def flat(self, rented_ms: int) -> float:
        """The units without any rounding up; never more than `rent`."""
        return rented_ms * self.ticks / self.quantum_ticks * self.quantum_units


def quantum_usd(usd_per_hour: Fraction, billing: Billing) -> Fraction:
    """The price of a quantum."""
    return usd_per_hour * billing.quantum_s / SECONDS_PER_HOUR


def unit_of(amounts_usd: Iterable[Fraction]) -> int:
    """The units to a dollar such that each of these amounts is a whole number of them."""
    return lcm(*(Fraction(amount).denominator for amount in amounts_usd))


def milliseconds(seconds: Fraction | float) -> int:
    """Seconds as whole milliseconds, the resolution of event logs."""
    return round(seconds * 1000)
