"""What an hour of a VM costs, and of the fees besides.

    load_prices(path: Path | None = None) -> PriceList          # None: those that come with r2d2
    PriceList.price(provider, region, sku, kind=ON_DEMAND) -> Price   # raises NoPriceError
    PriceList.fee(provider, region, sku, kind) -> Price | None  # kind dbu or uplift
    PriceList.machines(provider, region, kind=ON_DEMAND) -> tuple[Price, ...]
    PriceList.rows, PriceList.name
    age_days(price, today: date) -> int                         # price.as_of is its day

How `prices.csv` was made, and of which rows it consists: `python -m tools.prices.build`.
"""

from r2d2.vmcost.prices.price_list import (
    NoPriceError,
    PriceList,
    age_days,
    load_prices,
    parse_prices,
)

__all__ = ["NoPriceError", "PriceList", "age_days", "load_prices", "parse_prices"]
