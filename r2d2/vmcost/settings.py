"""Settings of `vmcost.toml`: the machines, their billing, and the advice that is wanted.

`docs/vmcost.md` shows every section; each may be left out. No price of a serverless service and no
rate of interruptions ships: they are the user's, with their source.
"""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path

from r2d2.errors import UsageError
from r2d2.settings.toml import Kinds, read_toml
from r2d2.vmcost.machines import ClusterFacts
from r2d2.vmcost.model import Billing, ReportSettings


@dataclass(frozen=True, slots=True)
class RightSizeSettings:
    """`[right_size]`; without `vms` the cluster's own type is tried in each count."""

    deadline_s: float
    probability: float = 0.95
    vms: tuple[str, ...] = ()
    counts: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    relative_sd: float = 0.1


@dataclass(frozen=True, slots=True)
class SpotSettings:
    """`[spot]`; the rate of interruptions is the user's, the price the list's if not given.

    Raises:
        UsageError: the price is 0.
    """

    interruptions_per_vm_hour: float
    usd_per_hour: Fraction | None = None
    replacement_s: float = 120.0
    deadline_s: float | None = None
    trials: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.usd_per_hour == 0:
            raise UsageError(
                "usd_per_hour = 0: give a number above 0, or none for the list's price"
            )


@dataclass(frozen=True, slots=True)
class PackingSettings:
    """`[packing]`: what of each VM is not for executors; 0 NUMA cores are none named.

    Without a number the system keeps a core, and a tenth of the memory or 1 GiB, the greater.
    """

    reserved_cores: int | None = None
    reserved_mib: int | None = None
    numa_cores: int = 0


@dataclass(frozen=True, slots=True)
class ServerlessSettings:
    """`[serverless]`: its workers and its price, by GB-seconds or by compute units."""

    source: str
    as_of: date
    max_workers: int
    worker_cores: int = 1
    worker_gb: Fraction = Fraction(4)
    minimum_s: Fraction = Fraction(0)
    usd_per_gb_second: Fraction = Fraction(0)
    usd_per_core_second: Fraction = Fraction(0)
    usd_per_cu_hour: Fraction = Fraction(0)
    core_speed: float = 1.0
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        by_resource = self.usd_per_gb_second or self.usd_per_core_second
        if bool(by_resource) == bool(self.usd_per_cu_hour):
            raise UsageError("give usd_per_gb_second and usd_per_core_second, or usd_per_cu_hour")


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """`[pipeline]`: the deadline of all jobs, the penalty after it, and what may be rented."""

    deadline_s: float
    vms: tuple[str, ...]
    late_usd: Fraction = Fraction(0)
    late_usd_per_hour: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class JobSettings:
    """`[[job]]`: a job of the pipeline and the application in the logs that it is."""

    name: str
    application: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VmCostSettings:
    """All sections; None for advice that is not wanted."""

    cluster: ClusterFacts = field(default_factory=ClusterFacts)
    billing: Billing = field(default_factory=Billing)
    packing: PackingSettings = field(default_factory=PackingSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    right_size: RightSizeSettings | None = None
    spot: SpotSettings | None = None
    serverless: ServerlessSettings | None = None
    pipeline: PipelineSettings | None = None
    job: tuple[JobSettings, ...] = ()


VMCOST_SECTIONS: Kinds = {
    "cluster": ClusterFacts,
    "billing": Billing,
    "packing": PackingSettings,
    "report": ReportSettings,
    "right_size": RightSizeSettings,
    "spot": SpotSettings,
    "serverless": ServerlessSettings,
    "pipeline": PipelineSettings,
    "job": JobSettings,
}


def load_vmcost_settings(path: Path | None) -> VmCostSettings:
    """The settings of the file; the defaults without one.

    Raises:
        UsageError: it is missing or no TOML, or a section, key or value is wrong, with its line.
    """
    if path is None:
        return VmCostSettings()
    settings = VmCostSettings(**read_toml(path, VMCOST_SECTIONS).values())
    if bool(settings.job) != (settings.pipeline is not None):
        raise UsageError(f"{path}: [pipeline] and its [[job]] belong together")
    return settings
