"""The rule by which quotes become rows: two sources agree, or one is on its family's line."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from r2d2.vmcost.model import Price, PriceKind

FEWEST_ON_A_LINE = 3
NO_LINE = "refused, no second source and on no line"
Family = tuple[str, str, PriceKind, str, str]
Key = tuple[str, str, str, PriceKind]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rows that are carried, and how many prices were carried or refused for which reason."""

    rows: tuple[Price, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Source:
    """A package's name and version, and the day of its prices."""

    package: str
    version: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Specs:
    """A machine's vCPUs and memory."""

    vcpu: int
    mem_mib: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A source's price of a machine, 0 where it is missing; `family` names its line.

    `line_value` is what is constant along the line, None where nothing is known to be. Where the
    source errs to the dearer side, `lowest` asks that nothing of the family lies below the line.
    """

    provider: str
    region: str
    sku: str
    specs: Specs | None
    usd_per_hour: Decimal
    kind: PriceKind
    source: Source
    family: str
    line_value: Decimal | None
    lowest: bool = False

    @property
    def key(self) -> Key:
        """The thing that is priced: the same for two quotes that can confirm each other."""
        return self.provider, self.region, self.sku, self.kind


def judged(quotes: Iterable[Quote], line_of: Callable[[Quote], Family]) -> Verdict:
    """One row at most for each SKU, region and kind, from its newest quote that stands the test."""
    of_key: dict[Key, list[Quote]] = defaultdict(list)
    families: dict[Family, list[Quote]] = defaultdict(list)
    for quote in quotes:
        of_key[quote.key].append(quote)
        families[line_of(quote)].append(quote)
    lines = {family: _line(of_family) for family, of_family in families.items()}
    rows: list[Price] = []
    counts = Counter[str]()
    for several in of_key.values():
        newest_first = sorted(several, key=lambda quote: quote.source.as_of, reverse=True)
        row, reason = _judge(newest_first, lambda quote: lines[line_of(quote)])
        counts[f"{several[0].provider}: {reason}"] += 1
        rows += [row] if row else []
    spot = list(_spot_beside(of_key, rows))
    for row in spot:
        counts[f"{row.provider}: {NO_LINE}"] -= 1
        counts[f"{row.provider}: carried, spot where the price on demand is confirmed"] += 1
    return Verdict((*rows, *spot), +counts)


def _spot_beside(
    of_key: Mapping[Key, Sequence[Quote]], carried: Iterable[Price]
) -> Iterator[Price]:
    """Rows of spot prices, each a market's of a day that no second source has.

    They are carried where a second source confirms the first one's price of the type on demand.
    """
    right = {(row.provider, row.region, row.sku, row.kind): row for row in carried}
    for key, (quote, *others) in of_key.items():
        beside = right.get((*quote.key[:3], PriceKind.ON_DEMAND))
        if key in right or others or quote.kind is not PriceKind.SPOT or not beside:
            continue
        sources = beside.source.split("+")
        confirmed = len(sources) > 1 and quote.source.package in sources
        if confirmed and quote.specs and 0 < quote.usd_per_hour < beside.usd_per_hour:
            yield _row(quote)


def _line(family: list[Quote]) -> Decimal | None:
    """The value that at least half of the family's prices share; None where there is none."""
    values = sorted(quote.line_value for quote in family if quote.line_value is not None)
    if not values or not family[0].family:
        return None
    middle = max(values, key=lambda value: sum(same(value, other) for other in values))
    on_line = sum(same(middle, other) for other in values)
    if family[0].lowest and not same(middle, values[0]):
        return None
    return middle if on_line >= FEWEST_ON_A_LINE and 2 * on_line >= len(values) else None


def _judge(
    newest_first: list[Quote], line: Callable[[Quote], Decimal | None]
) -> tuple[Price | None, str]:
    priced = [quote for quote in newest_first if quote.usd_per_hour > 0]
    if not priced:
        return None, "refused, the price is missing (0.0)"
    newest = priced[0]
    specs = next((quote.specs for quote in priced if quote.specs), None)
    if specs is None:
        return None, "refused, no vCPUs and memory are known"
    for other in priced[1:]:
        independent = other.source.package != newest.source.package
        if independent and same(other.usd_per_hour, newest.usd_per_hour):
            return _row(newest, other), "carried, two sources agree"
    middle = line(newest)
    if middle is not None and newest.line_value and same(newest.line_value, middle):
        return _row(newest), "carried, on its family's line"
    if len(priced) > 1:
        return None, "refused, sources disagree"
    return None, NO_LINE


def _row(quote: Quote, other: Quote | None = None) -> Price:
    sources = [quote.source, *([other.source] if other else [])]
    specs = quote.specs or (other.specs if other else None)
    return Price(
        quote.provider,
        quote.region,
        quote.sku,
        specs.vcpu if specs else None,
        specs.mem_mib if specs else None,
        Fraction(quote.usd_per_hour),
        quote.kind,
        "+".join(source.package for source in sources),
        "+".join(source.version for source in sources),
        quote.source.as_of,
    )


def per_vcpu(usd_per_hour: Decimal, specs: Specs | None) -> Decimal | None:
    """The price of one vCPU; None where it has none or no price."""
    return usd_per_hour / specs.vcpu if specs and usd_per_hour else None


def same(one: Decimal, other: Decimal) -> bool:
    """Whether two prices agree within 0.5 %."""
    return abs(one - other) <= Decimal("0.005") * max(one, other)
