"""The memory that an executor's container was asked for, MiB."""

import re
from collections.abc import Mapping

from r2d2.vmcost.events.schema import ResourceProfileAdded

LEAST_OVERHEAD_MIB = 384
OVERHEAD_FACTOR = 0.1
OTHER_OVERHEAD_FACTOR = 0.4
"""Of Python and R on Kubernetes."""
_SIZE = re.compile(r"(\d+)\s*([kmgtp]?)b?", re.IGNORECASE)
_MIB = {"": 1.0, "k": 2**-10, "m": 1.0, "g": 2**10, "t": 2**20, "p": 2**30}


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
    asked = {} if profile is None else {key: each.amount for key, each in profile.executor.items()}
    heap = asked.get("memory", _size(properties, "spark.executor.memory"))
    if heap is None:
        return None
    overhead = asked.get("memoryOverhead", _size(properties, "spark.executor.memoryOverhead"))
    if overhead is None:
        overhead = _added(heap, properties)
    off_heap = asked.get("offHeap", _off_heap(properties))
    python = asked.get("pyspark.memory", _size(properties, "spark.executor.pyspark.memory") or 0)
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
    told = properties.get("spark.memory.offHeap.size", "")
    # Alone among these a size without a unit is in bytes.
    return (
        int(told) / 2**20
        if told.isdecimal()
        else _size(properties, "spark.memory.offHeap.size") or 0.0
    )


def _size(properties: Mapping[str, str], key: str) -> int | None:
    """A size as Spark writes it ("4g", "512m"), MiB where it has no unit."""
    found = _SIZE.fullmatch(properties.get(key, "").strip())
    return None if found is None else int(int(found[1]) * _MIB[found[2].lower()])


def _number(properties: Mapping[str, str], key: str) -> float | None:
    found = re.fullmatch(r"\d+(\.\d*)?|\.\d+", properties.get(key, ""))
    return None if found is None else float(found[0])
