"""What a task's charge went into, by its metrics."""

import numpy as np

from r2d2.vmcost.bill.model import Cause
from r2d2.vmcost.bill.steps import Integers
from r2d2.vmcost.model import Tasks

NS_PER_MS = 1_000_000


def cause_units(tasks: Tasks, charged: Integers) -> dict[Cause, Integers]:
    """Each task's charge by cause, in the order of `Cause`; a task's causes add up to its charge.

    Metrics may overlap and exceed the task's duration; then the later ones get what is left.
    """
    duration_ns = np.maximum(tasks["finish_ms"] - tasks["launch_ms"], 1) * float(NS_PER_MS)
    measured_ns = {
        Cause.CPU: tasks["cpu_ns"].astype(float),
        Cause.GC: tasks["gc_ms"] * float(NS_PER_MS),
        Cause.SHUFFLE_WAIT: tasks["fetch_wait_ms"] * float(NS_PER_MS) + tasks["shuffle_write_ns"],
        Cause.DESERIALIZE: tasks["deserialize_ms"] * float(NS_PER_MS),
    }
    left = charged.copy()
    units = {}
    for cause, spent_ns in measured_ns.items():
        share = np.clip(spent_ns / duration_ns, 0.0, 1.0)
        units[cause] = np.minimum(left, (charged * share).astype(np.int64))
        left = left - units[cause]
    spilled = (tasks["spilled_memory_bytes"] > 0) | (tasks["spilled_disk_bytes"] > 0)
    units[Cause.SPILL] = np.where(spilled, left, 0)
    units[Cause.OTHER] = np.where(spilled, 0, left)
    return units
