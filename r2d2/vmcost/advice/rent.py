"""What rented time costs: ceil(max(minimum, time) / quantum) · quantum · price."""

from fractions import Fraction
from math import ceil, floor

from r2d2.vmcost.model import Billing

MS_PER_HOUR = 3_600_000


def billed_ms(rented_ms: int | Fraction, billing: Billing) -> Fraction:
    """The milliseconds that are paid for, of a time that was rented in one piece.

    >>> from r2d2.vmcost.model import Billing
    >>> billed_ms(90_000, Billing(quantum_s=Fraction(60)))
    Fraction(120000, 1)
    """
    quantum_ms = billing.quantum_s * 1000
    return ceil(max(billing.minimum_s * 1000, Fraction(rented_ms)) / quantum_ms) * quantum_ms


def rent_usd(rented_ms: int | Fraction, usd_per_hour: Fraction, billing: Billing) -> Fraction:
    """What renting for so long in one piece costs."""
    return billed_ms(rented_ms, billing) * usd_per_hour / MS_PER_HOUR


def most_added_usd(more_ms: int, usd_per_hour: Fraction, billing: Billing) -> Fraction:
    """The most by which any rental's price can grow when it lasts so much longer.

    With quantum q, ceil((x + d) / q) ≤ ceil(x / q) + ceil(d / q), and the minimum only flattens.
    """
    quantum_ms = billing.quantum_s * 1000
    return ceil(more_ms / quantum_ms) * quantum_ms * usd_per_hour / MS_PER_HOUR


def least_added_usd(
    from_ms: int, more_ms: int, usd_per_hour: Fraction, billing: Billing
) -> Fraction:
    """The least by which a rental's price grows, of one that already lasts `from_ms` or longer.

    With quantum q, ceil((x + d) / q) ≥ ceil(x / q) + floor(d / q), once the minimum is passed.
    """
    quantum_ms = billing.quantum_s * 1000
    sure_ms = min(Fraction(more_ms), max(Fraction(0), from_ms + more_ms - billing.minimum_s * 1000))
    return floor(sure_ms / quantum_ms) * quantum_ms * usd_per_hour / MS_PER_HOUR


def milliseconds(seconds: Fraction | float) -> int:
    """Seconds as whole milliseconds, the resolution of event logs."""
    return round(seconds * 1000)
