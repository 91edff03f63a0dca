"""The price of a serverless worker: by core-seconds and GB-seconds, or by compute units.

    resources       usd/s = cores · usd per core-second + GB · usd per GB-second
    compute units   CU = max(cores, GB / 4) · discount(GB / cores)
                    usd/s = CU · usd per CU-hour / 3600

No price ships: rates are the user's rows, each with its source. The compute units and their
discounts are Alibaba's for EMR Serverless Spark (its help pages, read as of 2026-03-18), whose
example is 3 cores and 6 GB for an hour: 180 CU-minutes, 144 after the discount, 2.4 CU-hours.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from r2d2.errors import UsageError
from r2d2.text_tables import pluralize
from r2d2.vmcost.model import SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class ServerlessWorker:
    """A worker's size and how its time is rounded; the service's least size is what is paid."""

    cores: int
    memory_gb: Fraction
    minimum_cores: int = 0
    minimum_gb: Fraction = Fraction(0)
    minimum_s: Fraction = Fraction(0)
    quantum_s: Fraction = Fraction(1, 1000)

    def __post_init__(self) -> None:
        if self.cores < 1 or self.memory_gb <= 0 or self.quantum_s <= 0:
            raise UsageError(
                f"a worker of {pluralize(str(self.cores), 'core')} and"
                f" {float(self.memory_gb):g} GB, paid by {float(self.quantum_s):g} s:"
                " expected a core or more, and above 0"
            )

    @property
    def paid_cores(self) -> int:
        """The cores that are paid for."""
        return max(self.cores, self.minimum_cores)

    @property
    def paid_gb(self) -> Fraction:
        """The memory that is paid for, in GB."""
        return max(self.memory_gb, self.minimum_gb)


@dataclass(frozen=True, slots=True)
class ResourceRate:
    """A price by core-seconds and GB-seconds; by GB-seconds alone where a core-second is 0."""

    usd_per_gb_second: Fraction
    source: str
    as_of: date
    usd_per_core_second: Fraction = Fraction(0)

    def usd_per_second(self, worker: ServerlessWorker) -> Fraction:
        """The price of one such worker's second."""
        by_memory = worker.paid_gb * self.usd_per_gb_second
        return by_memory + worker.paid_cores * self.usd_per_core_second


@dataclass(frozen=True, slots=True)
class UnitRate:
    """A price by compute units; `discounts` are (GB per core below which, factor), rising."""

    usd_per_cu_hour: Fraction
    source: str
    as_of: date
    gb_per_cu: Fraction = Fraction(4)
    discounts: tuple[tuple[Fraction, Fraction], ...] = (
        (Fraction(2), Fraction(7, 10)),
        (Fraction(3), Fraction(8, 10)),
        (Fraction(4), Fraction(9, 10)),
    )

    def units(self, cores: Fraction, memory_gb: Fraction) -> Fraction:
        """The compute units before any discount."""
        return max(cores, memory_gb / self.gb_per_cu)

    def discount(self, cores: Fraction, memory_gb: Fraction) -> Fraction:
        """The factor for this much memory to a core; 1 where there is no discount."""
        ratio = memory_gb / cores
        return next((factor for below, factor in self.discounts if ratio < below), Fraction(1))

    def unit_hours(self, cores: Fraction, memory_gb: Fraction, hours: Fraction) -> Fraction:
        """The compute-unit hours that are charged, the discount taken off.

        >>> rate = UnitRate(Fraction(1), "example", date(2026, 3, 18))
        >>> float(rate.unit_hours(Fraction(3), Fraction(6), Fraction(1)))
        2.4
        """
        return self.units(cores, memory_gb) * self.discount(cores, memory_gb) * hours

    def usd_per_second(self, worker: ServerlessWorker) -> Fraction:
        """The price of one such worker's second."""
        cores = Fraction(worker.paid_cores)
        return (
            self.unit_hours(cores, worker.paid_gb, Fraction(1, SECONDS_PER_HOUR))
            * self.usd_per_cu_hour
        )


ServerlessRate = ResourceRate | UnitRate


def break_even_utilisation(
    vm_usd_per_hour: Fraction, slots: int, rate: ServerlessRate, worker: ServerlessWorker
) -> Fraction:
    """ρ*, the share of its slots' time that a cluster must work to be as cheap as workers.

    ρ* = p / 3600 / (slots · GB per slot · usd per GB-second) where GB-seconds are paid. Above it
    the cluster is cheaper, below it the workers; above 1 the workers always are. Start-up,
    rounding and the driver are left out.
    """
    if slots < 1:
        raise UsageError(f"a cluster of {slots} slots: expected one or more")
    usd_per_slot_second = rate.usd_per_second(worker) / worker.cores
    if not usd_per_slot_second:
        raise UsageError("the serverless rate is 0: a missing price is not a free one; name it")
    return vm_usd_per_hour / SECONDS_PER_HOUR / (slots * usd_per_slot_second)
