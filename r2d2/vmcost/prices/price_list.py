"""The price of a VM or a fee by provider, region and name; what is not known is never guessed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import TypeAlias

from r2d2.errors import UsageError
from r2d2.vmcost.model import Price, PriceKind

EVERYWHERE = "*"
"""The region of a fee that is the same in all regions."""

MACHINES = (PriceKind.ON_DEMAND, PriceKind.SPOT)

Key: TypeAlias = tuple[str, str, str, PriceKind]


class NoPriceError(UsageError):
    """The list has no such price; the message names what comes close."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """Rows in order of provider, region, SKU and kind; names are found in any case of letters."""

    rows: tuple[Price, ...]
    name: str
    found: Mapping[Key, Price] = field(repr=False, compare=False)

    @staticmethod
    def of(rows: Iterable[Price], name: str) -> "PriceList":
        """The rows in order, under the name of the file that they came from."""
        ordered = tuple(sorted(rows, key=_key))
        return PriceList(ordered, name, {_key(row): row for row in ordered})

    def price(
        self, provider: str, region: str, sku: str, kind: PriceKind = PriceKind.ON_DEMAND
    ) -> Price:
        """The row of a machine.

        Raises:
            NoPriceError: there is none.
        """
        row = self.found.get(_folded(provider, region, sku, kind))
        if row is None:
            raise NoPriceError(_why_not(self, provider, region, sku, kind))
        return row

    def fee(self, provider: str, region: str, sku: str, kind: PriceKind) -> Price | None:
        """The row of a fee in that region, else the one for all regions, else None."""
        own = self.found.get(_folded(provider, region, sku, kind))
        return own or self.found.get(_folded(provider, EVERYWHERE, sku, kind))

    def machines(
        self, provider: str, region: str, kind: PriceKind = PriceKind.ON_DEMAND
    ) -> tuple[Price, ...]:
        """All machines of a region, in the list's order."""
        wanted = (provider.casefold(), region.casefold(), kind)
        return tuple(row for row in self.rows if _place(row) == wanted)


def age_days(price: Price, today: date) -> int:
    """How many days ago the price was known to hold."""
    return (today - price.as_of).days


def _key(row: Price) -> Key:
    return _folded(row.provider, row.region, row.sku, row.kind)


def _folded(provider: str, region: str, sku: str, kind: PriceKind) -> Key:
    return provider.casefold(), region.casefold(), sku.casefold(), kind


def _place(row: Price) -> tuple[str, str, PriceKind]:
    return row.provider.casefold(), row.region.casefold(), row.kind


def _why_not(prices: PriceList, provider: str, region: str, sku: str, kind: PriceKind) -> str:
    """Names the first of provider, region and SKU that the list does not know."""
    rows = [row for row in prices.rows if row.kind in MACHINES]
    remedy = f"give its row in a file with --prices (read: {prices.name})"
    of_provider = [row for row in rows if row.provider.casefold() == provider.casefold()]
    if not of_provider:
        known = ", ".join(sorted({row.provider for row in rows})) or "none"
        return f"no prices of provider {provider!r}; known are {known}; {remedy}"
    in_region = [row for row in of_provider if row.region.casefold() == region.casefold()]
    if not in_region:
        known = ", ".join(sorted({row.region for row in of_provider}))
        return f"no prices of {provider} in region {region!r}; known are {known}; {remedy}"
    names = sorted({row.sku for row in in_region if row.kind is kind})
    elsewhere = sorted({row.region for row in of_provider if row.sku.casefold() == sku.casefold()})
    hint = _close(sku, names)
    if elsewhere:
        hint += f"; other rows of it: {', '.join(elsewhere)}"
    return f"no {kind.value} price of {sku!r} in {provider} {region}{hint}; {remedy}"


def _close(sku: str, names: list[str]) -> str:
    by_folded = {name.casefold(): name for name in names}
    close = get_close_matches(sku.casefold(), list(by_folded), n=3)
    return f" (close are {', '.join(by_folded[name] for name in close)})" if close else ""
