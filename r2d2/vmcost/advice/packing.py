"""Executor shapes: the cores and memory that each strands on a VM, and the one that strands least.

    FR(X) = (Σ free - X · Σ ⌊free / X⌋) / Σ free        of free cores, for executors of X cores

is the fragment rate of VMR2L (Ding et al., Towards VM Rescheduling Optimization Through Deep
Reinforcement Learning, EuroSys 2025). With memory an executor of X cores and M MiB fits
min(⌊cores / X⌋, ⌊memory / M⌋) times into a room, and what it leaves there is stranded.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from r2d2.errors import UsageError
from r2d2.text_tables import by_number, pluralize
from r2d2.vmcost.advice.case import AdviceCase
from r2d2.vmcost.bill import Part
from r2d2.vmcost.machines import host_need
from r2d2.vmcost.model import Application
from r2d2.vmcost.report.data import Data
from r2d2.vmcost.settings import PackingSettings

RESERVED_CORES, RESERVED_MIB, RESERVED_PART = 1, 1024, 10
"""The system's share of a VM where nobody states it: see `reserve`."""


@dataclass(frozen=True, slots=True)
class Room:
    """The cores and memory of a machine that executors may take."""

    cores: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Shape:
    """An executor: its cores, and its memory with heap, overhead and off-heap together."""

    cores: int
    memory_mib: int

    def __post_init__(self) -> None:
        if self.cores < 1 or self.memory_mib < 1:
            raise UsageError(
                f"an executor of {pluralize(str(self.cores), 'core')} and"
                f" {self.memory_mib} MiB: expected 1 or more"
            )


@dataclass(frozen=True, slots=True)
class Numa:
    """A NUMA node of the machines, as the user names it."""

    cores: int
    memory_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Packing:
    """As many executors of a shape as fit, and the cores and memory that they leave.

    `warning` is empty, or says that the executor exceeds a NUMA node.
    """

    shape: Shape
    executors: int
    stranded_cores: int
    stranded_mib: int
    core_share: float
    memory_share: float
    warning: str = ""

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        warning = f"; {self.warning}" if self.warning else ""
        return (
            f"{pluralize(str(self.executors), 'executor')}"
            f" of {pluralize(str(self.shape.cores), 'core')} and {self.shape.memory_mib} MiB"
            f" {by_number(self.executors, 'strands', 'strand')}"
            f" {pluralize(str(self.stranded_cores), 'core')}"
            f" ({self.core_share:.1%}) and {self.stranded_mib} MiB"
            f" ({self.memory_share:.1%}){warning}"
        )


def packing_advice(case: AdviceCase) -> Iterator[Data]:
    """Only where another shape than the largest of today's executors strands fewer cores."""
    machine, memory = case.worker.machine, mib_per_core(case.application)
    executors = case.application.executors
    asked = [(each.cores, each.memory_mib) for each in executors if each.memory_mib]
    if machine.vcpu is None or machine.mem_mib is None or memory is None:
        return
    if len(asked) < len(executors):
        raise UsageError("the memory of some executors is not known")
    settings = case.settings.packing
    numa = Numa(settings.numa_cores) if settings.numa_cores else None
    reserved = reserve(case.application, machine.vcpu, machine.mem_mib, settings)
    rooms = rooms_of(machine.vcpu, machine.mem_mib, 1, *reserved)
    today = pack(rooms, Shape(*max(asked)), numa)
    best = best_shapes(rooms, memory, numa=numa)[0]
    if best.stranded_cores < today.stranded_cores or (today.warning and not best.warning):
        free = [room.cores for room in rooms]
        yield {
            "kind": "packing",
            "told": (
                f"on {machine.sku}, of which the system keeps"
                f" {pluralize(str(reserved[0]), 'core')} and {reserved[1]} MiB:"
                f" {best.verdict}; today: {today.verdict}"
            ),
            "basis": "modelled",
            "usd": float(_usd(case, best, today)),
            "cores": best.shape.cores,
            "fragment_rate": float(fragment_rate(free, best.shape.cores)),
            "fragment_rate_today": float(fragment_rate(free, today.shape.cores)),
        }


def reserve(
    application: Application, vcpu: int, mem_mib: int, settings: PackingSettings
) -> tuple[int, int]:
    """The cores and MiB of a VM that are not for executors: as stated, else for the system.

    That is a core, and a tenth of the memory or 1 GiB, the greater; but no more than today's
    executors leave, which shows that the system needs less.
    """
    need = host_need(application)
    cores = min(RESERVED_CORES, max(0, vcpu - need.cores))
    memory_mib = max(RESERVED_MIB, mem_mib // RESERVED_PART)
    memory_mib = min(memory_mib, max(0, mem_mib - (need.mem_mib or 0)))
    return (
        cores if settings.reserved_cores is None else settings.reserved_cores,
        memory_mib if settings.reserved_mib is None else settings.reserved_mib,
    )


def _usd(case: AdviceCase, best: Packing, today: Packing) -> Fraction:
    """Today's money with as many core-hours on fewer VM-hours, since each VM has more of them.

    Start-up, the driver, and what the minimum adds stay as they are.
    """
    bill = case.costed.bill
    fixed = (Part.DRIVER, Part.START_UP, Part.ROUNDING)
    fixed_usd = sum((bill.parts[part].usd or Fraction(0) for part in fixed), Fraction(0))
    cores = [each.executors * each.shape.cores for each in (best, today)]
    return fixed_usd + ((bill.usd or Fraction(0)) - fixed_usd) * Fraction(cores[1], cores[0] or 1)


def fragment_rate(free_cores: Iterable[int], cores: int) -> Fraction:
    """FR: the share of the free cores in which no executor of so many cores fits; 0 without any.

    >>> round(float(fragment_rate([7, 7, 5, 16, 9], 4)), 3)
    0.182
    """
    if cores < 1:
        raise UsageError(f"executors of {cores} cores: expected 1 or more")
    free = list(free_cores)
    total = sum(free)
    return Fraction(total - cores * sum(room // cores for room in free), total or 1)


def rooms_of(
    vcpu: int, mem_mib: int, count: int = 1, reserved_cores: int = 0, reserved_mib: int = 0
) -> tuple[Room, ...]:
    """The rooms of so many VMs of a type, less what system and daemons take on each."""
    room = Room(vcpu - reserved_cores, mem_mib - reserved_mib)
    if room.cores < 1 or room.memory_mib < 1 or count < 1:
        raise UsageError(
            f"{pluralize(str(count), 'VM')} of {pluralize(str(vcpu), 'core')} and {mem_mib} MiB,"
            f" {pluralize(str(reserved_cores), 'core')} and"
            f" {reserved_mib} MiB of them reserved: no room is left for an executor"
        )
    return (room,) * count


def mib_per_core(application: Application) -> int | None:
    """The most memory that an executor of the application has to a core; None if it is not told."""
    known = [
        -(-executor.memory_mib // executor.cores)
        for executor in application.executors
        if executor.memory_mib and executor.cores
    ]
    return max(known, default=None)


def pack(rooms: Sequence[Room], shape: Shape, numa: Numa | None = None) -> Packing:
    """As many executors of the shape as fit into the rooms."""
    fits = [
        min(max(0, room.cores) // shape.cores, max(0, room.memory_mib) // shape.memory_mib)
        for room in rooms
    ]
    cores = sum(max(0, room.cores) for room in rooms)
    memory_mib = sum(max(0, room.memory_mib) for room in rooms)
    stranded_cores = cores - shape.cores * sum(fits)
    stranded_mib = memory_mib - shape.memory_mib * sum(fits)
    return Packing(
        shape=shape,
        executors=sum(fits),
        stranded_cores=stranded_cores,
        stranded_mib=stranded_mib,
        core_share=stranded_cores / cores if cores else 0.0,
        memory_share=stranded_mib / memory_mib if memory_mib else 0.0,
        warning=_numa_warning(shape, numa),
    )


def best_shapes(
    rooms: Sequence[Room],
    mib_per_core: int,
    cores: Iterable[int] | None = None,
    numa: Numa | None = None,
) -> tuple[Packing, ...]:
    """A shape for each number of cores, the one that strands least first.

    Each has `mib_per_core` for every core. Shapes are compared by cores left, which is what was
    paid for to work, then by NUMA, then by memory left, then by fewer executors: each is a JVM
    more, and splits shuffles further.
    """
    most = max((room.cores for room in rooms), default=0)
    shapes = [Shape(number, number * mib_per_core) for number in cores or range(1, most + 1)]
    packings = [pack(rooms, shape, numa) for shape in shapes]
    return tuple(
        sorted(
            packings,
            key=lambda packing: (
                packing.stranded_cores,
                bool(packing.warning),
                packing.stranded_mib,
                packing.executors,
                packing.shape.cores,
            ),
        )
    )


def _numa_warning(shape: Shape, numa: Numa | None) -> str:
    """Why the shape does not fit a NUMA node; empty where it does or none was named."""
    if numa is None:
        return ""
    exceeded = []
    if shape.cores > numa.cores:
        exceeded.append(f"{pluralize(str(shape.cores), 'core')} of {numa.cores}")
    if numa.memory_mib is not None and shape.memory_mib > numa.memory_mib:
        exceeded.append(f"{shape.memory_mib} MiB of {numa.memory_mib}")
    if not exceeded:
        return ""
    return (
        f"the executor exceeds a NUMA node ({', '.join(exceeded)}): part of its memory is remote;"
        " take a smaller one"
    )
