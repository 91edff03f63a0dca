"""Where right-sizing has its seconds from: a log scheduled anew, or a model of several runs."""

from dataclasses import dataclass, field
from typing import Protocol

from r2d2.vmcost.advice.replay import replay_plan
from r2d2.vmcost.advice.replay.plan import Plan
from r2d2.vmcost.advice.replay.reading import plan_of
from r2d2.vmcost.advice.replay.slots import Life, first_arrival_ms, measured_lives, slots_of
from r2d2.vmcost.advice.right_size.ernest import Ernest, Prediction
from r2d2.vmcost.model import Application, Price


class RunTime(Protocol):
    """Says how long an application takes on so many machines of a type."""

    def unfit(self, price: Price) -> str | None:
        """Why a type cannot run the application at all; None where it can."""

    def expected(self, price: Price, count: int) -> Prediction:
        """Modelled seconds on `count` machines of a type that is fit."""


@dataclass(frozen=True, slots=True)
class ReplayTime:
    """Seconds by replay: each `task_cpus` vCPUs of a machine are a slot, of the log's speed.

    `memory_mib_per_slot` is what a machine must have for each slot that it offers; a type with
    less is unfit. Other executor shapes, faster cores and shared disks are not modelled.
    """

    plan: Plan
    first_arrival_ms: int
    task_cpus: int = 1
    memory_mib_per_slot: float = 0.0
    _known: dict[int, float] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def of(app: Application) -> "ReplayTime":
        """From a log; the memory is what its executors had for each slot, where the log says."""
        memory = [one.memory_mib / slots_of(one) for one in app.executors if one.memory_mib]
        task_cpus = max((one.task_cpus for one in app.executors), default=1)
        arrival_ms = first_arrival_ms(measured_lives(app))
        return ReplayTime(plan_of(app), arrival_ms, task_cpus, max(memory, default=0.0))

    def unfit(self, price: Price) -> str | None:
        """Why a type cannot run the application: too few cores or too little memory."""
        if price.vcpu is None:
            return "its vCPUs are not known"
        slots = price.vcpu // self.task_cpus
        if not slots:
            return f"{price.vcpu} vCPUs are fewer than a task takes ({self.task_cpus})"
        if not self.memory_mib_per_slot:
            return None
        if price.mem_mib is None:
            return "its memory is not known"
        needed_mib = slots * self.memory_mib_per_slot
        if price.mem_mib < needed_mib:
            return f"{price.mem_mib} MiB are less than its {slots} slots need ({needed_mib:.0f})"
        return None

    def expected(self, price: Price, count: int) -> Prediction:
        """Modelled seconds on the slots of `count` machines, all there from the same moment on."""
        slots = count * ((price.vcpu or 0) // self.task_cpus)
        if slots not in self._known:
            lives = [Life(slots, self.first_arrival_ms)]
            self._known[slots] = replay_plan(self.plan, lives) / 1000
        return Prediction(self._known[slots])


@dataclass(frozen=True, slots=True)
class ErnestTime:
    """Seconds by Ernest's model for so much data; its machines are taken to be vCPUs.

    As in Ernest's own examples, runs are fitted on cores, so that types of other sizes compare.
    """

    model: Ernest
    scale: float

    def unfit(self, price: Price) -> str | None:
        """Why a type cannot be modelled."""
        return "its vCPUs are not known" if price.vcpu is None else None

    def expected(self, price: Price, count: int) -> Prediction:
        """Modelled seconds on the vCPUs of `count` machines."""
        return self.model.predict(self.scale, count * (price.vcpu or 0))
