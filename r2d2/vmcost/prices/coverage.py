"""Families of machines, and how many of their sizes and regions a price list has.

The named families are those on which EMR, Databricks and Dataproc run Spark, as their documents
list them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from r2d2.text_tables import pluralize
from r2d2.vmcost.model import Price, PriceKind

MACHINES = (PriceKind.ON_DEMAND, PriceKind.SPOT)
SPARK_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "aws": (
        "c4", "c5", "c5a", "c5d", "c6a", "c6g", "c6i", "i3", "m4", "m5", "m5a", "m5d", "m6a", "m6g",
        "m6i", "m7g", "m7i", "r4", "r5", "r5a", "r5d", "r6a", "r6g", "r6i",
    ),
    "azure": (
        "Standard_DS_v2", "Standard_Das_v4", "Standard_Das_v5", "Standard_Dads_v5",
        "Standard_Ds_v3", "Standard_Dds_v4", "Standard_Dds_v5", "Standard_Ds_v5", "Standard_Ds_v6",
        "Standard_Eas_v4", "Standard_Eas_v5", "Standard_Eads_v5", "Standard_Es_v3",
        "Standard_Eds_v4", "Standard_Eds_v5", "Standard_Es_v5", "Standard_Es_v6", "Standard_Fs_v2",
        "Standard_Ls_v2", "Standard_Ls_v3", "Standard_Las_v3",
    ),
    "gcp": (
        "a2-highgpu", "c2-standard", "c2d-standard", "c3-standard", "e2-highmem", "e2-standard",
        "g2-standard", "n1-highmem", "n1-standard", "n2-highmem", "n2-standard", "n2d-highmem",
        "n2d-standard", "n4-standard", "t2d-standard",
    ),
}  # fmt: skip
_FAMILY = {
    "aws": re.compile(r"([^.]+)\..+"),
    "azure": re.compile(r"(Standard_[A-Z]+)\d+(.*)"),
    "gcp": re.compile(r"([a-z]\d\w?(?:-[a-z]+)?)-\d+.*"),
}
"""The part of a SKU's name that all sizes of its family share, by provider."""


def family_of(price: Price) -> str:
    """The family of a machine: its name without the size.

    "m5.xlarge" is of m5, "Standard_E8s_v3" of Standard_Es_v3, "n2d-highmem-4" of n2d-highmem.
    """
    pattern = _FAMILY.get(price.provider)
    match = pattern.fullmatch(price.sku) if pattern else None
    return "".join(match.groups()) if match else price.sku


@dataclass(frozen=True, slots=True)
class Coverage:
    """A family's sizes and regions in a list, and how many of their pairs have a price."""

    provider: str
    family: str
    kind: PriceKind
    sizes: int
    regions: int
    priced: int
    as_of: date | None

    @property
    def share(self) -> float:
        """The share of sizes × regions that has a price."""
        return self.priced / (self.sizes * self.regions) if self.priced else 0.0


def coverage(prices: Iterable[Price], words: Iterable[str] = ()) -> tuple[Coverage, ...]:
    """Of each family of machines, those of one provider and kind beside each other.

    Families that Spark is run on are there without a price, too, where the words are theirs.
    """
    families: dict[tuple[str, PriceKind, str], list[Price]] = defaultdict(list)
    regions: dict[tuple[str, PriceKind], set[str]] = defaultdict(set)
    for row in prices:
        if row.kind in MACHINES:
            families[row.provider, row.kind, family_of(row)].append(row)
            regions[row.provider, row.kind].add(row.region)
    asked = [word.casefold() for word in words]
    for provider, names in SPARK_FAMILIES.items():
        for key in ((provider, PriceKind.ON_DEMAND, name) for name in names):
            if all(word in " ".join(key).casefold() for word in asked):
                families.setdefault(key, [])
    return tuple(
        Coverage(
            provider,
            family,
            kind,
            len({row.sku for row in rows}),
            len(regions[provider, kind]),
            len(rows),
            min((row.as_of for row in rows), default=None),
        )
        for (provider, kind, family), rows in sorted(families.items(), key=lambda each: each[0])
    )


def named_lines(covered: Iterable[Coverage]) -> Iterator[str]:
    """For each provider how much of the families that Spark is run on has a price on demand."""
    by_provider: dict[str, list[Coverage]] = defaultdict(list)
    for each in covered:
        named = each.family in SPARK_FAMILIES.get(each.provider, ())
        if named and each.kind is PriceKind.ON_DEMAND:
            by_provider[each.provider].append(each)
    for provider, families in by_provider.items():
        there = [each for each in families if each.priced]
        full = sum(each.priced == each.sizes * each.regions for each in there)
        missing = ", ".join(each.family for each in families if not each.priced)
        yield (
            f"{provider}: of {pluralize(str(len(families)), 'family', 'families')} that Spark is"
            f" run on {len(there)} have prices, {full} of every size in every region"
            + (f"; none of {missing}: give the provider's own export as --prices" * bool(missing))
        )
