"""What a user states in `vmcost.toml`: the machines, how they are paid, and what is asked besides.

    [cluster]                       # as the flags; they go over it, and both over the log
    provider = "azure"
    region = "westus"
    vm = "Standard_E8s_v3"
    count = 2                       # worker VMs that stood for the whole run
    driver_vm = "Standard_DS3_v2"
    spot = false

    [billing]
    quantum_s = 1                   # 0.001 by default, the log's own resolution
    minimum_s = 60
    start_up_s = 180                # rented before the first executor, beyond what the log shows
    idle_tail_s = 600
    uplift_usd_per_node_hour = 0.05
    dbu_usd = 0.15                  # what a DBU costs; without it no DBUs are billed

    [right_size]                    # the cheapest machines that still meet a deadline
    deadline_s = 300
    probability = 0.95
    vms = ["Standard_E4s_v3", "Standard_E8s_v3"]    # the cluster's own by default
    counts = [1, 2, 4, 8]
    relative_sd = 0.1               # by how much run times vary, where one run is all there is

    [spot]                          # against on demand
    interruptions_per_vm_hour = 0.05
    usd_per_hour = 0.11             # of a spot VM, where the price list has none
    replacement_s = 120
    deadline_s = 600
    trials = 1000
    seed = 0

    [packing]                       # the executors' shape that strands least
    reserved_cores = 1              # of each VM, for the system
    reserved_mib = 2048
    numa_cores = 16                 # of a NUMA node; an executor beyond it is warned of

    [serverless]                    # each stage on the cluster or on serverless workers
    usd_per_gb_second = 0.0000167   # or usd_per_cu_hour; both with their source
    source = "the provider's price page"
    as_of = 2026-09-01
    worker_cores = 4
    worker_gb = 16
    max_workers = 50

    [pipeline]                      # which VMs to rent for jobs that wait for each other
    deadline_s = 3600
    late_usd = 1                    # for being late at all, and for each hour
    late_usd_per_hour = 2
    vms = ["Standard_E4s_v3", "Standard_E8s_v3"]

    [[job]]
    name = "find"                   # of the pipeline
    application = "r2d2 find"       # name or id in the logs; its time on each VM is replayed
    after = []

Every section may be left out. No price of a serverless service and no rate of interruptions ships:
they are the user's, with their source.
"""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path

from r2d2.errors import UsageError
from r2d2.settings.toml import Kinds, read_toml
from r2d2.vmcost.machines import Stated
from r2d2.vmcost.model import Billing


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
    """`[spot]`; the rate of interruptions is the user's, the price the list's if not given."""

    interruptions_per_vm_hour: float
    usd_per_hour: Fraction | None = None
    replacement_s: float = 120.0
    deadline_s: float | None = None
    trials: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PackingSettings:
    """`[packing]`: what of each VM is not for executors; 0 NUMA cores are none named."""

    reserved_cores: int = 0
    reserved_mib: int = 0
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
    """All sections; None where the question is not asked."""

    cluster: Stated = field(default_factory=Stated)
    billing: Billing = field(default_factory=Billing)
    packing: PackingSettings = field(default_factory=PackingSettings)
    right_size: RightSizeSettings | None = None
    spot: SpotSettings | None = None
    serverless: ServerlessSettings | None = None
    pipeline: PipelineSettings | None = None
    job: tuple[JobSettings, ...] = ()


VMCOST_SECTIONS: Kinds = {
    "cluster": Stated,
    "billing": Billing,
    "packing": PackingSettings,
    "right_size": RightSizeSettings,
    "spot": SpotSettings,
    "serverless": ServerlessSettings,
    "pipeline": PipelineSettings,
    "job": JobSettings,
}


def load_vmcost_settings(path: Path | None) -> VmCostSettings:
    """What the file states; the defaults without one.

    Raises:
        UsageError: it is missing or no TOML, or a section, key or value is wrong, with its line.
    """
    if path is None:
        return VmCostSettings()
    settings = VmCostSettings(**read_toml(path, VMCOST_SECTIONS).values())
    if bool(settings.job) != (settings.pipeline is not None):
        raise UsageError(f"{path}: [pipeline] and its [[job]] belong together")
    return settings
