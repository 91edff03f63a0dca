"""Price rows made by hand, for tests of advice."""

from datetime import date
from fractions import Fraction

from r2d2.vmcost.bill import Rate
from r2d2.vmcost.model import Price, PriceKind


def vm(
    sku: str,
    usd_per_hour: str,
    vcpu: int | None = 4,
    mem_mib: int | None = 16_384,
    kind: PriceKind = PriceKind.ON_DEMAND,
) -> Price:
    """A VM type of a provider that does not exist."""
    price, as_of = Fraction(usd_per_hour), date(2026, 1, 1)
    return Price("cloud", "here", sku, vcpu, mem_mib, price, kind, "by hand", "1", as_of)


def rate(
    sku: str,
    usd_per_hour: str,
    vcpu: int | None = 4,
    mem_mib: int | None = 16_384,
    kind: PriceKind = PriceKind.ON_DEMAND,
) -> Rate:
    """The same type as it is billed, without any fee."""
    machine = vm(sku, usd_per_hour, vcpu, mem_mib, kind)
    return Rate(sku, machine, (), machine.usd_per_hour)
