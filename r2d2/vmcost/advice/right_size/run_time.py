"""Modelled run times for right-sizing, by replay or by Ernest's model, and their spread as odds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, log, sqrt
from typing import Protocol

import numpy as np

from r2d2.errors import UsageError
from r2d2.text_tables import by_number, pluralize
from r2d2.vmcost.advice.replay import replay_workload
from r2d2.vmcost.advice.replay.slots import Life, first_arrival_ms, measured_lives, slot_cpus
from r2d2.vmcost.advice.replay.workload import Workload, workload_of
from r2d2.vmcost.advice.right_size.ernest import Ernest, Prediction
from r2d2.vmcost.model import Application, Price

EMPIRICAL_FROM = 20
"""From so many ratios on, their own quantiles are taken instead of a distribution's."""


class RunTime(Protocol):
    """The seconds that an application takes on so many machines of a type."""

    def unfit_reason(self, price: Price) -> str | None:
        """The reason why a type cannot run the application at all; None where it can."""

    def expected(self, price: Price, count: int) -> Prediction:
        """Modelled seconds on `count` machines of a type that is fit."""


@dataclass(frozen=True, slots=True)
class ReplayTime:
    """Seconds by replay: each `slot_cpus` vCPUs of a machine are a slot, of the log's speed.

    `memory_mib_per_slot` is what a machine must have for each slot that it offers; a type with
    less is unfit, as is one with fewer vCPUs than the widest task's `task_cpus`. Other executor
    shapes, faster cores and shared disks are not modelled.
    """

    workload: Workload
    first_arrival_ms: int
    task_cpus: int = 1
    slot_cpus: int = 1
    memory_mib_per_slot: float = 0.0
    _seconds_by_slots: dict[int, float] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def of(app: Application) -> "ReplayTime":
        """From a log; the memory is what its executors had for each slot, where the log says."""
        memory = [
            executor.memory_mib / max(1, executor.cores // slot_cpus(app))
            for executor in app.executors
            if executor.memory_mib
        ]
        task_cpus = max((executor.task_cpus for executor in app.executors), default=1)
        arrival_ms = first_arrival_ms(measured_lives(app))
        most_mib = max(memory, default=0.0)
        return ReplayTime(workload_of(app), arrival_ms, task_cpus, slot_cpus(app), most_mib)

    def unfit_reason(self, price: Price) -> str | None:
        """The reason why a type cannot run it: too few cores, too little memory; else None."""
        if price.vcpu is None:
            return "its vCPUs are not known"
        slots = price.vcpu // self.slot_cpus
        if price.vcpu < self.task_cpus:
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
        slots = count * ((price.vcpu or 0) // self.slot_cpus)
        if slots not in self._seconds_by_slots:
            lives = [Life(slots, self.first_arrival_ms)]
            self._seconds_by_slots[slots] = replay_workload(self.workload, lives) / 1000
        return Prediction(self._seconds_by_slots[slots])


@dataclass(frozen=True, slots=True)
class ErnestTime:
    """Seconds by Ernest's model for so much data; its machines are taken to be vCPUs.

    As in Ernest's own examples, runs are fitted on cores, so that types of other sizes compare.
    """

    model: Ernest
    scale: float

    def unfit_reason(self, price: Price) -> str | None:
        """The reason why a type cannot be modelled, or None."""
        return "its vCPUs are not known" if price.vcpu is None else None

    def expected(self, price: Price, count: int) -> Prediction:
        """Modelled seconds on the vCPUs of `count` machines."""
        return self.model.predict(self.scale, count * (price.vcpu or 0))


@dataclass(frozen=True, slots=True)
class Spread:
    """Ratios of measured to modelled run times, sorted, or a standard deviation that was given.

    `relative_sd` is the standard deviation of the ratios' logarithms, about that of the ratios.
    """

    ratios: tuple[float, ...]
    relative_sd: float

    @staticmethod
    def of(ratios: Sequence[float]) -> "Spread":
        """The spread of a model's own errors, e.g. of runs that it did not see.

        Raises:
            UsageError: there are fewer than two ratios, or one is not positive.
        """
        if len(ratios) < 2:
            raise UsageError(
                f"{pluralize(str(len(ratios)), 'ratio')} of measured to modelled time"
                f" {by_number(len(ratios), 'tells', 'tell')} no spread:"
                " give two or more runs, or a relative standard deviation"
            )
        if not all(isfinite(ratio) and ratio > 0 for ratio in ratios):
            raise UsageError(f"{list(ratios)}: ratios of run times must be numbers above 0")
        kept = tuple(sorted(float(ratio) for ratio in ratios))
        return Spread(kept, float(np.std(np.log(kept), ddof=1)))

    @staticmethod
    def given(relative_sd: float) -> "Spread":
        """A spread that the user states, e.g. 0.1 for run times that vary by a tenth.

        Raises:
            UsageError: it is negative or not finite.
        """
        if not isfinite(relative_sd) or relative_sd < 0:
            raise UsageError(f"{relative_sd}: a standard deviation must be 0 or above")
        return Spread((), float(relative_sd))

    @property
    def method(self) -> str:
        """The way the odds are computed: `empirical`, `student` or `normal`."""
        if len(self.ratios) >= EMPIRICAL_FROM:
            return "empirical"
        return "student" if self.ratios else "normal"

    def probability_within(self, expected_s: float, limit_s: float) -> float:
        """P(run time ≤ limit) where the model says `expected_s`.

        With n ≥ 20 ratios: the share k / (n + 1) of them that stay within, which allows for a run
        worse than all. With fewer: Student's t with n - 1 degrees of freedom on the logarithms, as
        for one more run, so that few runs cost confidence. With a given standard deviation: the
        normal distribution of the logarithm, with a mean of 0. A model that says 0 seconds says
        nothing, and nothing is promised of it.
        """
        if limit_s <= 0 or expected_s <= 0:
            return 0.0
        from scipy.special import ndtr, stdtr  # takes longer to import than most logs to read

        allowed, runs = limit_s / expected_s, len(self.ratios)
        if runs >= EMPIRICAL_FROM:
            return int(np.searchsorted(self.ratios, allowed, side="right")) / (runs + 1)
        mean = float(np.mean(np.log(self.ratios))) if runs else 0.0
        scale = self.relative_sd * (sqrt(1 + 1 / runs) if runs else 1.0)
        beyond = log(allowed) - mean
        if scale == 0:
            return float(beyond >= 0)
        return float(stdtr(runs - 1, beyond / scale) if runs else ndtr(beyond / scale))
