"""Ernest's model of run time by data and machines, fitted to a few runs.

Venkataraman et al., "Ernest: Efficient Performance Prediction for Large-Scale Advanced Analytics",
NSDI 2016. With m machines (or cores: any unit, the same in all runs) and a share `scale` of the
data,

    t = θ₀ + θ₁ · scale / m + θ₂ · m + θ₃ · ln m,   θ ≥ 0

that is a serial term, a parallel one, one for each machine and one for a tree of them; fitted by
non-negative least squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from r2d2.errors import UsageError
from r2d2.text_tables import by_number, pluralize
from r2d2.vmcost.advice.replay import replay_workload
from r2d2.vmcost.advice.replay.slots import fixed_lives, measured_lives, peak_slots
from r2d2.vmcost.advice.replay.workload import workload_of
from r2d2.vmcost.model import Application

FEWEST_RUNS = 4
FARTHEST = 4.0
"""Predictions beyond so many times the measured sizes are marked as extrapolated."""


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """A measured run: the share of the data (or bytes), the machines, the seconds."""

    scale: float
    machines: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Modelled seconds. `extrapolated` names the sizes beyond four times those measured."""

    seconds: float
    extrapolated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ernest:
    """A fitted model: θ in the order 1, scale / m, m, ln m, in seconds.

    `left_out_s` are, for each run, the seconds that the model fitted to the other runs predicts for
    it: as well as it will predict a run that was not measured.
    """

    theta: tuple[float, float, float, float]
    residual_norm_s: float
    runs: tuple[MeasuredRun, ...]
    left_out_s: tuple[float, ...]

    @property
    def left_out_error(self) -> float:
        """The mean of |predicted - measured| / measured over the runs, each left out once."""
        pairs = zip(self.left_out_s, self.runs, strict=True)
        return float(np.mean([abs(left_s / run.seconds - 1) for left_s, run in pairs]))

    @property
    def left_out_ratios(self) -> tuple[float, ...]:
        """Each run's seconds over those predicted without it, of which a millisecond is the least.

        So a model that says 0 seconds of a run that took some is far off, and its ratio a number.
        """
        pairs = zip(self.left_out_s, self.runs, strict=True)
        return tuple(run.seconds / max(left_s, 1e-3) for left_s, run in pairs)

    def predict(self, scale: float, machines: float) -> Prediction:
        """Modelled seconds for so much data on so many machines.

        Raises:
            UsageError: a size is not positive.
        """
        size = MeasuredRun(scale, machines, 1.0)
        _check(size)
        seconds = float(_design([size])[0] @ np.array(self.theta))
        return Prediction(seconds, tuple(_beyond(self.runs, size)))


def fit_ernest(runs: Sequence[MeasuredRun]) -> Ernest:
    """The model of four or more runs, with the error of each run when it is left out.

    Raises:
        UsageError: there are fewer than four runs, or a size or a time is not positive.
    """
    if len(runs) < FEWEST_RUNS:
        raise UsageError(
            f"{pluralize(str(len(runs)), 'run')} {by_number(len(runs), 'does', 'do')} not fit"
            f" a model of four terms: give {FEWEST_RUNS} or more"
        )
    for run in runs:
        _check(run)
    theta, residual_norm_s = _fit(runs)
    left_out_s = []
    for position, run in enumerate(runs):
        others, _ = _fit([*runs[:position], *runs[position + 1 :]])
        left_out_s.append(float(_design([run])[0] @ others))
    first, second, third, fourth = theta.tolist()
    return Ernest((first, second, third, fourth), residual_norm_s, tuple(runs), tuple(left_out_s))


def _fit(runs: Sequence[MeasuredRun]) -> tuple[npt.NDArray[np.float64], float]:
    from scipy.optimize import nnls  # takes longer to import than most logs to read

    theta, residual_norm = nnls(_design(runs), np.array([run.seconds for run in runs]))
    return theta, float(residual_norm)


def _design(runs: Sequence[MeasuredRun]) -> npt.NDArray[np.float64]:
    scale = np.array([run.scale for run in runs])
    machines = np.array([run.machines for run in runs])
    return np.column_stack([np.ones(len(runs)), scale / machines, machines, np.log(machines)])


def _beyond(runs: Sequence[MeasuredRun], run_size: MeasuredRun) -> list[str]:
    """The sizes that lie farther than four times from the nearest that was measured."""
    beyond = []
    for name in ("scale", "machines"):
        sizes, size = [getattr(run, name) for run in runs], getattr(run_size, name)
        if size > FARTHEST * max(sizes) or size < min(sizes) / FARTHEST:
            beyond.append(name)
    return beyond


def _check(run: MeasuredRun) -> None:
    for name in ("scale", "machines", "seconds"):
        if not isfinite(getattr(run, name)) or getattr(run, name) <= 0:
            raise UsageError(f"{run}: {name} must be a number above 0")


def measured_run(app: Application, scale: float) -> MeasuredRun:
    """A log as a run for Ernest's model, on the most slots that the application had at once.

    `scale` is the share of the data that it worked on; with one core to a task, slots are vCPUs.
    """
    return MeasuredRun(
        scale, peak_slots(measured_lives(app)), (app.ended_ms - app.started_ms) / 1000
    )


def replay_ratios(apps: Sequence[Application]) -> tuple[float, ...]:
    """Measured over replayed time, of each log as each other one predicts it.

    The logs are of the same work, on the same number of machines or on others. The ratios are the
    errors to expect when one of them is replayed on a size that was not measured.
    """
    workloads = [workload_of(app) for app in apps]
    slots = [peak_slots(measured_lives(app)) for app in apps]
    return tuple(
        other.measured_ms / replay_workload(workload, fixed_lives(app, slots[place]))
        for number, (app, workload) in enumerate(zip(apps, workloads, strict=True))
        for place, other in enumerate(workloads)
        if place != number
    )
