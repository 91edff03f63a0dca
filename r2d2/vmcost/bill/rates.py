"""What an hour of each VM costs: its machine and its fees."""

from fractions import Fraction

from r2d2.vmcost.bill.model import Rate
from r2d2.vmcost.model import Billing, Cluster, PriceKind
from r2d2.vmcost.prices import NoPriceError, PriceList

SECONDS_PER_HOUR = 3600


def vm_rate(
    cluster: Cluster, sku: str, prices: PriceList, billing: Billing, *, driver: bool
) -> Rate:
    """The price of the SKU's hour: spot for the workers of a spot cluster, else on demand.

    Fees are the uplift rows of the list, the DBUs where `billing` has their price, and the uplift
    that `billing` itself adds to each VM.

    Raises:
        NoPriceError: the machine, or a DBU row that was asked for, is not in the list.
    """
    place = (cluster.provider, cluster.region)
    kind = PriceKind.SPOT if cluster.spot and not driver else PriceKind.ON_DEMAND
    machine = prices.price(*place, sku, kind)
    usd_per_hour = machine.usd_per_hour + billing.uplift_usd_per_node_hour
    fees = []
    uplift = prices.fee(*place, sku, PriceKind.UPLIFT)
    if uplift is not None:
        fees.append(uplift)
        usd_per_hour += uplift.usd_per_hour
    if billing.dbu_usd is not None:
        dbu = prices.fee(*place, sku, PriceKind.DBU)
        if dbu is None:
            raise NoPriceError(
                f"no dbu row of {sku!r} for {cluster.provider}: give one with --prices, or no price"
                " of a DBU"
            )
        fees.append(dbu)
        usd_per_hour += dbu.usd_per_hour * billing.dbu_usd
    return Rate(sku, machine, tuple(fees), usd_per_hour)


def billed_s(metered_s: Fraction, billing: Billing) -> Fraction:
    """The seconds that are paid for: at least the minimum, in whole quanta.

    >>> billed_s(Fraction(61), Billing(quantum_s=Fraction(60)))
    Fraction(120, 1)
    """
    quanta = -(-max(metered_s, billing.minimum_s) // billing.quantum_s)
    return quanta * billing.quantum_s


def usd(seconds: Fraction, rate: Rate | None) -> Fraction | None:
    """The price of rented time; None where the rate is not known."""
    return None if rate is None else seconds * rate.usd_per_hour / SECONDS_PER_HOUR
