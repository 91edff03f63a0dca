"""Energy of an application's machines, in all, by part of the bill, and by job.

    kWh = (min W + u · (max W - min W)) · vCPU-hours · PUE / 1000      u = busy vCPU-h / vCPU-h
        = (max W · busy vCPU-h + min W · other vCPU-h) · PUE / 1000

so it parts like the money: tasks draw the maximum, whatever else stands draws the minimum. The
driver's utilisation is in no event log; it counts as a half, as the coefficients' authors do where
they know none. What is billed beyond the metered time draws nothing. `least_kwh` counts as busy
only the time that tasks computed, not that they waited: the truth is in between.

The coefficients are Cloud Carbon Footprint's (its Methodology page, Appendix I, and "Power Usage
Effectiveness", at commit 1559c18 of github.com/cloud-carbon-footprint/cloud-carbon-footprint;
means over the processors of a provider; its appendix has 1.125 as Azure's PUE, against 1.185 in
its text and code). Its code, where it knows a further processor, has 0.74 and 3.54 W for Azure
(commit 0602dde), 0.68 and 4.11 W for GCP (0656d55): 6 and 4 % less at half load. Kilowatt hours as
the unit of a job are POLCA's question (Patel et al., ASPLOS 2024).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from r2d2.errors import UsageError
from r2d2.vmcost.bill import Bill, Part
from r2d2.vmcost.model import SECONDS_PER_HOUR
from r2d2.vmcost.report.data import Costed, Data

DRAWING = (Part.BUSY, Part.FAILED)
UNKNOWN_UTILISATION = 0.5
METHODOLOGY = "Cloud Carbon Footprint, Methodology, commit 1559c18"


@dataclass(frozen=True, slots=True)
class Power:
    """A vCPU's watts, idle and busy, and the data centre's energy for each unit of them (PUE)."""

    provider: str
    min_watts: float
    max_watts: float
    pue: float
    source: str

    def __post_init__(self) -> None:
        if not (0 <= self.min_watts <= self.max_watts and self.pue >= 1):
            raise UsageError(
                f"{self.min_watts:g} to {self.max_watts:g} W with a PUE of {self.pue:g}: expected"
                " 0 or more, the greater one last, and 1 or more"
            )

    def kwh(self, vcpu_hours: float, utilisation: float) -> float:
        """The energy of so many vCPU-hours that were busy for this share of their time.

        >>> round(POWERS["aws"].kwh(100, 0.5), 5)
        0.24062
        """
        watts = self.min_watts + utilisation * (self.max_watts - self.min_watts)
        return watts * vcpu_hours * self.pue / 1000


POWERS: Mapping[str, Power] = {
    power.provider: power
    for power in (
        Power("aws", 0.74, 3.5, 1.135, METHODOLOGY),
        Power("azure", 0.78, 3.76, 1.185, METHODOLOGY),
        Power("gcp", 0.71, 4.26, 1.1, METHODOLOGY),
    )
}


@dataclass(frozen=True, slots=True)
class JobEnergy:
    """The energy of a job's tasks, failed ones too; no key for tasks of no job in the log."""

    key: str
    name: str
    kwh: float


@dataclass(frozen=True, slots=True)
class Energy:
    """The machines' energy; `parts` add up to `kwh`, `jobs` to BUSY and FAILED of them.

    `utilisation` is the share of the workers' vCPU-hours that tasks took.
    """

    kwh: float
    least_kwh: float
    vcpu_hours: float
    utilisation: float
    parts: Mapping[Part, float]
    jobs: tuple[JobEnergy, ...]
    power: Power

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        return (
            f"{self.kwh:.3g} kWh ({self.least_kwh:.3g} if waiting draws nothing) for"
            f" {self.vcpu_hours:.3g} vCPU-hours, {self.utilisation:.1%} busy"
        )


def energy_data(costed: Costed) -> Data | None:
    """The energy for a report; None where the machines, or their provider's watts, are unknown."""
    cluster = costed.facts.cluster
    power = POWERS.get(cluster.provider.casefold()) if cluster else None
    if power is None:
        return None
    energy = energy_of(costed.bill, power)
    return {
        "kwh": energy.kwh,
        "least_kwh": energy.least_kwh,
        "vcpu_hours": energy.vcpu_hours,
        "utilisation": energy.utilisation,
        "parts": {part.value: kwh for part, kwh in energy.parts.items()},
        "jobs": [{"job": job.key, "name": job.name, "kwh": job.kwh} for job in energy.jobs],
        "told": energy.verdict,
        "source": power.source,
    }


def energy_of(bill: Bill, power: Power) -> Energy:
    """The energy of the bill's machines while they were rented."""
    hours = {part: _vcpu_hours(bill, part) for part in Part}
    parts = {part: power.kwh(hours[part], _utilisation(part)) for part in Part}
    working = sum(hours[part] for part in hours if part is not Part.DRIVER)
    busy = sum(hours[part] for part in DRAWING)
    kwh = sum(parts.values())
    busy_s = bill.parts[Part.BUSY].vm_s
    waiting = hours[Part.BUSY] * (1 - float(bill.computing.vm_s / busy_s) if busy_s else 0.0)
    return Energy(
        kwh=kwh,
        least_kwh=kwh - power.kwh(waiting, 1.0) + power.kwh(waiting, 0.0),
        vcpu_hours=sum(hours.values()),
        utilisation=busy / working if working else 0.0,
        parts=parts,
        jobs=_jobs(bill, parts),
        power=power,
    )


def _vcpu_hours(bill: Bill, part: Part) -> float:
    if part is Part.ROUNDING:
        return 0.0
    core_s = sum((vm.parts[part].vm_s * vm.time.cores for vm in bill.vms), Fraction(0))
    return float(core_s / SECONDS_PER_HOUR)


def _utilisation(part: Part) -> float:
    if part is Part.DRIVER:
        return UNKNOWN_UTILISATION
    return 1.0 if part in DRAWING else 0.0


def _jobs(bill: Bill, parts: Mapping[Part, float]) -> tuple[JobEnergy, ...]:
    shares = [(job, job.busy.vm_s, job.failed.vm_s) for job in bill.jobs]
    all_busy_s = sum((busy for _, busy, _ in shares), Fraction(0))
    all_failed_s = sum((failed for _, _, failed in shares), Fraction(0))
    return tuple(
        JobEnergy(
            job.key,
            job.name,
            parts[Part.BUSY] * float(busy / (all_busy_s or 1))
            + parts[Part.FAILED] * float(failed / (all_failed_s or 1)),
        )
        for job, busy, failed in shares
    )
