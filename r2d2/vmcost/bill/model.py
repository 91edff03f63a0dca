"""What a bill consists of: parts, causes, shares of jobs, stages and executors, and its VMs.

Money is USD as Fraction, time is VM-seconds as Fraction: a part that took a quarter of a VM's
cores for eight seconds took two VM-seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from r2d2.vmcost.model import Price


class Part(str, Enum):
    """What a VM's money went into. The parts share no moment of a core and leave none out."""

    DRIVER = "driver"
    START_UP = "start_up"
    BUSY = "busy"
    IDLE_IN_JOBS = "idle_in_jobs"
    IDLE_BETWEEN_JOBS = "idle_between_jobs"
    FAILED = "failed"
    STRANDED = "stranded"
    ROUNDING = "rounding"


class Cause(str, Enum):
    """What a task's time went into, as its metrics tell.

    `shuffle_wait` is waiting for blocks to come and for written ones to be taken. Spark measures no
    time of spilling: `spill` is what no metric explains in tasks that spilled, `other` in those
    that did not. Where metrics overlap, the first in this order counts.
    """

    CPU = "cpu"
    GC = "gc"
    SHUFFLE_WAIT = "shuffle_wait"
    DESERIALIZE = "deserialize"
    SPILL = "spill"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Amount:
    """Rented time and its price; `usd` is None where the price is not known."""

    vm_s: Fraction
    usd: Fraction | None


@dataclass(frozen=True, slots=True)
class Share:
    """What the tasks of a job, a stage or an executor took, `key` being its id.

    A job's key is `3`, a stage's `7.0` (id and attempt), an executor's its id; tasks that belong to
    no job that the log names stand under the empty key. `causes` add up to `busy`.
    """

    key: str
    name: str
    tasks: int
    busy: Amount
    failed: Amount
    causes: Mapping[Cause, Amount]


@dataclass(frozen=True, slots=True)
class Rate:
    """What an hour of a VM costs: the machine, its fees, and their sum."""

    sku: str
    machine: Price
    fees: tuple[Price, ...]
    usd_per_hour: Fraction


@dataclass(frozen=True, slots=True)
class ExecutorTime:
    """When an executor owned how many of its host's cores, within the application."""

    id: str
    start_ms: int
    end_ms: int
    cores: int


@dataclass(frozen=True, slots=True)
class HostTime:
    """A host over time, to be drawn: when it was rented, who owned its cores, how busy they were.

    `cores` are the VM's own where its price row tells them, else the most that executors owned at
    once. `busy_cores` are means over equal parts of the application from `start_ms` to `end_ms`,
    with a task's time as the log has it; `failed_cores` are those of them in failed tasks.
    """

    host: str
    cores: int
    start_ms: int
    end_ms: int
    rented: tuple[tuple[int, int], ...]
    executors: tuple[ExecutorTime, ...]
    busy_cores: tuple[float, ...]
    failed_cores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class VmBill:
    """One VM: how long it was rented (`metered_s`), for how long it is billed, and for what.

    `standing` VMs stood for the whole run; others came and went with their executors.
    """

    host: str
    sku: str | None
    driver: bool
    standing: bool
    metered_s: Fraction
    billed_s: Fraction
    usd: Fraction | None
    parts: Mapping[Part, Amount]
    time: HostTime


@dataclass(frozen=True, slots=True)
class Bill:
    """What an application's machines cost; `why` says why `usd` is None, and is empty otherwise.

    `parts` has every part in the order of `Part` and adds up to `usd`; `causes` adds up to its
    `busy`. `jobs`, `stages` and `executors` each add up to its `busy` and `failed`, except that
    tasks on executors which were never added are paid for by nobody. `problems` counts what was
    damaged or assumed.
    """

    usd: Fraction | None
    why: str
    parts: Mapping[Part, Amount]
    causes: Mapping[Cause, Amount]
    jobs: tuple[Share, ...]
    stages: tuple[Share, ...]
    executors: tuple[Share, ...]
    vms: tuple[VmBill, ...]
    rates: tuple[Rate, ...]
    problems: Mapping[str, int]
