"""What rented time costs, and by how much it grows with a rental: bounds that prune searches."""

from fractions import Fraction
from math import ceil, floor

from r2d2.vmcost.bill.rates import SECONDS_PER_HOUR, billed_s
from r2d2.vmcost.model import Billing


def rent_usd(rented_ms: int, usd_per_hour: Fraction, billing: Billing) -> Fraction:
    """What renting for so long in one piece costs.

    >>> rent_usd(90_000, Fraction(6), Billing(quantum_s=Fraction(60)))
    Fraction(1, 5)
    """
    return billed_s(Fraction(rented_ms, 1000), billing) * usd_per_hour / SECONDS_PER_HOUR


def most_added_usd(more_ms: int, usd_per_hour: Fraction, billing: Billing) -> Fraction:
    """The most by which any rental's price can grow when it lasts so much longer.

    With quantum q, ceil((x + d) / q) ≤ ceil(x / q) + ceil(d / q), and the minimum only flattens.
    """
    quanta = ceil(Fraction(more_ms, 1000) / billing.quantum_s)
    return quanta * billing.quantum_s * usd_per_hour / SECONDS_PER_HOUR


def least_added_usd(
    from_ms: int, more_ms: int, usd_per_hour: Fraction, billing: Billing
) -> Fraction:
    """The least by which a rental's price grows, of one that already lasts `from_ms` or longer.

    With quantum q, ceil((x + d) / q) ≥ ceil(x / q) + floor(d / q), once the minimum is passed.
    """
    beyond_s = Fraction(from_ms + more_ms, 1000) - billing.minimum_s
    sure_s = min(Fraction(more_ms, 1000), max(Fraction(0), beyond_s))
    quanta = floor(sure_s / billing.quantum_s)
    return quanta * billing.quantum_s * usd_per_hour / SECONDS_PER_HOUR


def milliseconds(seconds: Fraction | float) -> int:
    """Seconds as whole milliseconds, the resolution of event logs."""
    return round(seconds * 1000)
