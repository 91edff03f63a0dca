"""Executors from their additions and removals, in whatever order these were read.

An executor's memory is that which its container was asked for, in MiB.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from r2d2.vmcost.events.problems import LogProblem, LogProblemCounts
from r2d2.vmcost.events.schema import ExecutorAdded, ExecutorRemoved, ResourceProfileAdded
from r2d2.vmcost.model import Executor

DRIVER = "driver"
LEAST_OVERHEAD_MIB = 384
OVERHEAD_FACTOR = 0.1
OTHER_OVERHEAD_FACTOR = 0.4
"""Of Python and R on Kubernetes."""
_CORES_AND_MEMORY = {"cores", "memory", "memoryOverhead", "offHeap", "pyspark.memory"}
_RESOURCE = re.compile(r"spark\.executor\.resource\.(\w+)\.amount")
_SIZE = re.compile(r"(\d+)\s*([kmgtp]?)b?", re.IGNORECASE)
_MIB = {"": 1.0, "k": 2**-10, "m": 1.0, "g": 2**10, "t": 2**20, "p": 2**30}


@dataclass(frozen=True, slots=True)
class ExecutorRequests:
    """The resources asked for executors: profiles by number, and Spark's properties."""

    profiles: Mapping[int, ResourceProfileAdded]
    properties: Mapping[str, str]

    def task_cpus(self, profile: int) -> int:
        """The cores that a task takes."""
        known = self.profiles.get(profile)
        if known is not None and "cpus" in known.task and 0 < known.task["cpus"].amount < 2**31:
            return ceil(known.task["cpus"].amount)
        cpus = self.properties.get("spark.task.cpus", "")
        return int(cpus) if cpus.isdecimal() and 0 < int(cpus) < 2**31 else 1

    def resources(self, profile: int) -> tuple[str, ...]:
        """The names of what an executor asks for besides cores and memory."""
        known = self.profiles.get(profile)
        if known is not None:
            return tuple(sorted(known.executor.keys() - _CORES_AND_MEMORY))
        names = map(_RESOURCE.fullmatch, self.properties)
        return tuple(sorted(match[1] for match in names if match))

    def memory_mib(self, executor: str, profile: int) -> int | None:
        """Heap, overhead and off-heap together, None where nothing says it."""
        return memory_mib(self.profiles.get(profile), self.properties, local=executor == DRIVER)


def executors(
    added: Sequence[ExecutorAdded],
    removed: Sequence[ExecutorRemoved],
    requests: ExecutorRequests,
    problems: LogProblemCounts,
) -> tuple[Executor, ...]:
    """The executors in order of their coming, then of their ids."""
    events: dict[str, list[ExecutorAdded | ExecutorRemoved]] = {}
    for come in added:
        events.setdefault(come.id, []).append(come)
    for gone in removed:
        events.setdefault(gone.id, []).append(gone)
    stays = [
        _executor(*stay, requests) for each in events.values() for stay in _stays(each, problems)
    ]
    return tuple(sorted(stays, key=lambda each: (each.added_ms, len(each.id), each.id)))


def _stays(
    events: list[ExecutorAdded | ExecutorRemoved], problems: LogProblemCounts
) -> list[tuple[ExecutorAdded, ExecutorRemoved | None]]:
    """Each stay of one executor, from an addition to the next removal; none has a negative time."""
    stays: list[tuple[ExecutorAdded, ExecutorRemoved | None]] = []
    unknown: list[ExecutorRemoved] = []
    here: ExecutorAdded | None = None
    for event in sorted(events, key=_moment):
        if isinstance(event, ExecutorRemoved):
            if here is None:
                unknown.append(event)
            else:
                stays.append((here, event))
                here = None
        elif here is None:
            here = event
        else:
            problems[LogProblem.EXECUTOR_ADDED_TWICE] += 1
    if here is not None and unknown and not stays:
        problems[LogProblem.EXECUTOR_REMOVED_EARLY] += 1
        gone = ExecutorRemoved(here.added_ms, here.id, unknown[0].reason)
        return [(here, gone)]
    problems[LogProblem.EXECUTOR_REMOVED_UNKNOWN] += len(unknown)
    if here is not None:
        problems[LogProblem.EXECUTOR_NOT_REMOVED] += here.id != DRIVER
        stays.append((here, None))
    return stays


def _moment(event: ExecutorAdded | ExecutorRemoved) -> tuple[int, bool]:
    if isinstance(event, ExecutorRemoved):
        return event.removed_ms, True
    return event.added_ms, False


def _executor(
    come: ExecutorAdded, gone: ExecutorRemoved | None, requests: ExecutorRequests
) -> Executor:
    profile = come.info.profile
    return Executor(
        id=come.id,
        host=come.info.host or "",
        cores=come.info.cores,
        added_ms=come.added_ms,
        removed_ms=None if gone is None else gone.removed_ms,
        removed_reason="" if gone is None else gone.reason or "",
        profile=profile,
        task_cpus=min(requests.task_cpus(profile), max(1, come.info.cores)),
        memory_mib=requests.memory_mib(come.id, profile),
        resources=requests.resources(profile),
    )


def memory_mib(
    profile: ResourceProfileAdded | None, properties: Mapping[str, str], local: bool
) -> int | None:
    """Heap, overhead, off-heap and Python's own together; None where no heap is told.

    Overhead that nobody asked for is what Spark adds by itself on YARN and Kubernetes: a tenth of
    the heap, at least 384 MiB ("Running Spark on Kubernetes", `spark.executor.memoryOverhead`).
    In local mode executor and driver are one, which has the driver's heap and no overhead.
    """
    if local:
        return _size(properties, "spark.driver.memory")
    requested = (
        {} if profile is None else {key: each.amount for key, each in profile.executor.items()}
    )
    heap = requested.get("memory", _size(properties, "spark.executor.memory"))
    if heap is None:
        return None
    overhead = requested.get("memoryOverhead", _size(properties, "spark.executor.memoryOverhead"))
    if overhead is None:
        overhead = _added(heap, properties)
    off_heap = requested.get("offHeap", _off_heap(properties))
    python = requested.get(
        "pyspark.memory", _size(properties, "spark.executor.pyspark.memory") or 0
    )
    total = heap + overhead + off_heap + python
    return int(total) if 0 <= total < 2**40 else None


def _added(heap_mib: float, properties: Mapping[str, str]) -> float:
    master = properties.get("spark.master", "")
    if not master.startswith(("yarn", "k8s")):
        return 0.0
    factor = _number(properties, "spark.executor.memoryOverheadFactor")
    if factor is None and master.startswith("k8s"):
        factor = _number(properties, "spark.kubernetes.memoryOverheadFactor")
        kind = properties.get("spark.kubernetes.resource.type", "java")
        if factor is None and kind != "java":
            factor = OTHER_OVERHEAD_FACTOR
    least = _size(properties, "spark.executor.minMemoryOverhead")
    added = heap_mib * (OVERHEAD_FACTOR if factor is None else factor)
    return max(LEAST_OVERHEAD_MIB if least is None else least, int(added))


def _off_heap(properties: Mapping[str, str]) -> float:
    if properties.get("spark.memory.offHeap.enabled") != "true":
        return 0.0
    size = properties.get("spark.memory.offHeap.size", "")
    # Alone among these a size without a unit is in bytes.
    return (
        int(size) / 2**20
        if size.isdecimal()
        else _size(properties, "spark.memory.offHeap.size") or 0.0
    )


def _size(properties: Mapping[str, str], key: str) -> int | None:
    """A size as Spark writes it ("4g", "512m"), MiB where it has no unit."""
    match = _SIZE.fullmatch(properties.get(key, "").strip())
    return None if match is None else int(int(match[1]) * _MIB[match[2].lower()])


def _number(properties: Mapping[str, str], key: str) -> float | None:
    match = re.fullmatch(r"\d+(\.\d*)?|\.\d+", properties.get(key, ""))
    return None if match is None else float(match[0])
