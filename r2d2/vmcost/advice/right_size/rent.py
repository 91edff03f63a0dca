"""What renting a machine once costs, as a bill would say it."""

from fractions import Fraction

from r2d2.vmcost.bill.rates import SECONDS_PER_HOUR, billed_s
from r2d2.vmcost.model import Billing, Price


def rental_usd(
    used_ms: int, price: Price, billing: Billing, *, to_the_end: bool = True
) -> Fraction:
    """The price of a machine that is used for so long, with its start-up and the billing's uplift.

    A machine that is there `to_the_end` has the billing's idle tail too.
    """
    used_s = Fraction(used_ms, 1000) + billing.start_up_s
    rented_s = used_s + billing.idle_tail_s if to_the_end else used_s
    usd_per_hour = price.usd_per_hour + billing.uplift_usd_per_node_hour
    return billed_s(rented_s, billing) * usd_per_hour / SECONDS_PER_HOUR
