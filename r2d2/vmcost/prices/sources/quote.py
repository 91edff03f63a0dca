"""What a source says that a machine costs, and of which line the price must be."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from r2d2.vmcost.model import PriceKind


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
    def key(self) -> tuple[str, str, str, PriceKind]:
        """What two quotes share that price the same thing."""
        return self.provider, self.region, self.sku, self.kind


def per_vcpu(usd_per_hour: Decimal, specs: Specs | None) -> Decimal | None:
    """The price of one vCPU; None where it has none or no price."""
    return usd_per_hour / specs.vcpu if specs and usd_per_hour else None


def same(one: Decimal, other: Decimal) -> bool:
    """Whether two prices agree within 0.5 %."""
    return abs(one - other) <= Decimal("0.005") * max(one, other)
