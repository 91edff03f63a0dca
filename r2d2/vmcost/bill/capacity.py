"""Into how many parts a VM's money falls at each moment, and the unit in which all are counted.

While executors own c of a VM's v cores, each core takes 1/max(v, c) of the VM, so that executors
which claim more cores than there are pay for the whole VM and no more. Time is counted in whole
units, `scale` to a VM-millisecond: a multiple of every such v or c where that fits into 64 bits, so
that the parts are exact and their sums do not depend on an order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np

from r2d2.vmcost.bill.steps import Integers, cut, level
from r2d2.vmcost.bill.timeline import Run
from r2d2.vmcost.bill.vms import Vm

UNIT_BITS = 62
LARGEST_LCM = 1 << 20
SHARINGS = (720_720, 27_720, 2_520, 60, 1)
"""Into how many parts a core falls for tasks that overlap more than cores allow: the first that
fits. Up to 16, 12, 10, 6 tasks share exactly; what more of them lose by rounding down is idle."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """A VM's cores on each stretch between neighbouring times: owned ones, and all there are."""

    times: Integers
    owned: Integers
    cores: Integers

    def on(self, times: Integers) -> tuple[Integers, Integers]:
        """Owned cores and all cores on the stretches between finer times."""
        at = np.searchsorted(self.times, times[:-1], side="right") - 1
        return self.owned[at], self.cores[at]


def capacity(run: Run, vm: Vm, vcpu: int | None) -> Capacity:
    """The VM's cores while it was rented; without a known `vcpu` it has those that are owned."""
    lives = np.array([run.lived[number] for number in vm.executors], np.int64).reshape(-1, 2)
    cores = np.array([run.app.executors[number].cores for number in vm.executors], np.int64)
    rented = np.array(vm.rented, np.int64).reshape(-1)
    if not len(rented):
        return Capacity(rented, rented, rented)
    times = cut((int(rented[0]), int(rented[-1])), rented, lives.reshape(-1))
    owned = level(times, lives[:, 0], lives[:, 1], cores)
    return Capacity(times, owned, np.maximum(owned, vcpu or 1))


def unit_scale(capacities: Sequence[Capacity], run_ms: int) -> int:
    """Units to a VM-millisecond, such that all VMs' units of the run can be added."""
    common = 1
    for cores in sorted({int(c) for one in capacities for c in one.cores[one.owned > 0]}):
        if lcm(common, cores) <= LARGEST_LCM:
            common = lcm(common, cores)
    vm_ms = max(1, run_ms) * max(1, len(capacities))
    largest = max(1, (1 << UNIT_BITS) // vm_ms)
    fitting = [common * sharing for sharing in SHARINGS if common * sharing <= largest]
    return fitting[0] if fitting else largest
