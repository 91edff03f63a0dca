"""The nouns of event logs and of prices: applications, tasks, executors, machines, billing.

Times are milliseconds since the epoch as the log has them, money is USD. What a log does not tell
is None, never a guess; what was damaged, skipped or assumed is counted in `problems`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from enum import Enum, IntEnum
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from r2d2.errors import UsageError


class Outcome(IntEnum):
    """The end of a task; `killed` are also the slower copies of speculative tasks."""

    SUCCEEDED = 0
    FAILED = 1
    KILLED = 2


TASK = np.dtype(
    [
        ("stage", np.int32),
        ("stage_attempt", np.int32),
        ("index", np.int32),
        ("attempt", np.int32),
        ("executor", np.int32),  # position in Application.executors, -1 for one never added
        ("launch_ms", np.int64),
        ("finish_ms", np.int64),
        ("outcome", np.int8),
        ("speculative", np.bool_),
        ("run_ms", np.int64),
        ("cpu_ns", np.int64),
        ("gc_ms", np.int64),
        ("deserialize_ms", np.int64),
        ("result_ms", np.int64),  # result serialization
        ("fetch_wait_ms", np.int64),
        ("shuffle_write_ns", np.int64),
        ("spilled_memory_bytes", np.int64),
        ("spilled_disk_bytes", np.int64),
        ("peak_memory_bytes", np.int64),
        ("input_bytes", np.int64),
        ("output_bytes", np.int64),
        ("shuffle_read_bytes", np.int64),
        ("shuffle_write_bytes", np.int64),
    ]
)
"""A task that ended. Metrics are 0 where the log has none (tasks that were lost)."""

SECONDS_PER_HOUR = 3600
Tasks: TypeAlias = npt.NDArray[np.void]
"""An array of dtype TASK, in order of launch, stage, index, attempt."""


@dataclass(frozen=True, slots=True)
class Executor:
    """A process with cores on a host; `removed_ms` is None where no event removed it.

    In local mode the only one is `driver`. `task_cpus` are the cores that one of its tasks takes.
    `memory_mib` is heap, overhead and off-heap together as its resource profile or the properties
    ask for it, None where they do not say. `peak_memory_bytes` is the most that its JVM was seen to
    have, heap and off-heap; None where the log tells none. `resources` are what else is asked for:
    GPUs and such.
    """

    id: str
    host: str
    cores: int
    added_ms: int
    removed_ms: int | None = None
    removed_reason: str = ""
    profile: int = 0
    task_cpus: int = 1
    memory_mib: int | None = None
    resources: tuple[str, ...] = ()
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class SparkStage:
    """One attempt of a stage; `parents` are the ids of the stages whose output it reads."""

    id: int
    attempt: int
    name: str
    tasks: int
    submitted_ms: int | None = None
    completed_ms: int | None = None
    parents: tuple[int, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job and the ids of its stages; one that was never seen to start or end has None there.

    `labels` are those of its local properties whose names begin with `r2d2.`.
    """

    id: int
    stages: tuple[int, ...]
    started_ms: int | None = None
    ended_ms: int | None = None
    succeeded: bool | None = None
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Application:
    """One attempt of an application, as its log or logs tell it.

    `ended_ms` is the end event's; without one the last moment that any believable event names, and
    `ended_told` is False. `attempt` is None where the log has none. `properties` are Spark's.
    """

    id: str
    attempt: str | None
    name: str
    spark_version: str
    started_ms: int
    ended_ms: int
    ended_told: bool
    executors: tuple[Executor, ...]
    stages: Sequence[SparkStage]
    jobs: Sequence[Job]
    tasks: Tasks
    properties: Mapping[str, str]
    files: tuple[str, ...]
    problems: Mapping[str, int] = field(default_factory=dict)
    user: str = field(default="", repr=False)  # a person's name stays out of messages


class PriceKind(str, Enum):
    """The kinds of price: of a machine, of one that may be taken away, and of a fee besides."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
    DBU = "dbu"
    UPLIFT = "uplift"


@dataclass(frozen=True, slots=True)
class Price:
    """A row of the price list. `vcpu` and `mem_mib` are None for fees; a price is never 0."""

    provider: str
    region: str
    sku: str
    vcpu: int | None
    mem_mib: int | None
    usd_per_hour: Fraction
    kind: PriceKind
    source: str
    source_version: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Cluster:
    """The machines an application ran on.

    `count` is the number of worker VMs that stood for the whole run; None where they came and went
    with their executors. `driver_vm` is None where the driver shares a worker (local mode) or runs
    on a machine that nobody pays for here. `source` is flags, a file or the log.
    """

    provider: str
    region: str
    vm: str
    count: int | None
    driver_vm: str | None
    spot: bool
    source: str


class Platform(str, Enum):
    """A managed service that charges for itself besides the VMs; `none` is a bill without it."""

    DATABRICKS = "databricks"
    EMR = "emr"
    DATAPROC = "dataproc"
    SYNAPSE = "synapse"
    NONE = "none"

    @property
    def words(self) -> str:
        """Its name in sentences."""
        return "EMR" if self is Platform.EMR else self.value.capitalize()


@dataclass(frozen=True, slots=True)
class Billing:
    """The rules by which rented time is billed, and fees besides the machine's price.

    The default quantum is the log's own resolution; providers bill by 1 s, 60 s or 3600 s.
    `start_up_s` is the rented time before a VM's first executor beyond what the log shows,
    `idle_tail_s` that after its last one. `uplift_usd_per_node_hour` is added to each VM's price,
    and so are its DBUs where `dbu_usd` says what one costs. `keep_vms` says whether a VM was kept
    while no executor was on it, or rented anew; None judges by the log. `service` is the managed
    service whose listed fee is added where no fee is stated (see `bill.model`); None is the
    one that the log names. Each VM has disks of `disk_gb`, at a listed price if None is stated.

    Raises:
        UsageError: the quantum is not above 0, or another number below 0.
    """

    quantum_s: Fraction = Fraction(1, 1000)
    minimum_s: Fraction = Fraction(60)
    start_up_s: Fraction = Fraction(0)
    idle_tail_s: Fraction = Fraction(0)
    uplift_usd_per_node_hour: Fraction = Fraction(0)
    dbu_usd: Fraction | None = None
    keep_vms: bool | None = None
    service: Platform | None = None
    disk_gb: Fraction = Fraction(0)
    disk_usd_per_gb_month: Fraction | None = None

    def __post_init__(self) -> None:
        if self.quantum_s <= 0:
            raise UsageError(f"quantum_s = {self.quantum_s}: give a number above 0")
        for each in fields(self):
            number = getattr(self, each.name)
            if isinstance(number, Fraction | int) and number < 0:
                raise UsageError(f"{each.name} = {number}: give 0 or more")

    def billed_s(self, metered_s: Fraction) -> Fraction:
        """The seconds that are paid for: ceil(max(minimum, metered) / quantum) · quantum.

        >>> Billing(quantum_s=Fraction(60)).billed_s(Fraction(61))
        Fraction(120, 1)
        """
        quanta = -(-max(metered_s, self.minimum_s) // self.quantum_s)
        return quanta * self.quantum_s


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """`[report]`: how often an application runs, and the Spark properties that money is shared by.

    Raises:
        UsageError: there are no runs.
    """

    runs_per_month: float = 30.0
    tags: tuple[str, ...] = (
        "spark.yarn.queue",
        "spark.yarn.tags",
        "spark.kubernetes.namespace",
        "spark.databricks.clusterUsageTags.clusterName",
    )

    def __post_init__(self) -> None:
        if not self.runs_per_month > 0:
            raise UsageError(f"runs_per_month = {self.runs_per_month:g}: give a number above 0")
