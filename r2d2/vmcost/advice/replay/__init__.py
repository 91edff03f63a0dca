"""The run time of an application on another number of slots: its log, scheduled anew.

Task durations, the stage graph and the driver's gaps are taken from the log (`replay.workload`);
launches, waits, order and ends are simulated (`replay.simulation`).

Durations stay as they were measured. So their changes with the size are left out: tasks that share
disks, memory bandwidth or network with more or fewer others, data that is nearer or farther, memory
that no longer spills.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from r2d2.vmcost.advice.replay.simulation import Simulation
from r2d2.vmcost.advice.replay.slots import Life, fixed_lives, measured_lives
from r2d2.vmcost.advice.replay.workload import Workload, workload_of
from r2d2.vmcost.model import Application


@dataclass(frozen=True, slots=True)
class Replay:
    """A modelled run. `slots` is None where executors came and went as in the log.

    `measured_s` is how long the application ran in the log, on the executors it had there.
    """

    slots: int | None
    predicted_s: float
    measured_s: float

    @property
    def relative_error(self) -> float:
        """Predicted over measured, less 1: meaningful where both are of the same size."""
        return self.predicted_s / self.measured_s - 1 if self.measured_s else 0.0


def replay(app: Application, slots: int | None = None) -> Replay:
    """The application's modelled seconds on `slots` slots, or on the executors of its log.

    Raises:
        UsageError: `slots` is below 1.
        StuckError: the log has tasks and its executors have no slot for them.
    """
    lives = measured_lives(app) if slots is None else fixed_lives(app, slots)
    workload = workload_of(app)
    return Replay(slots, replay_workload(workload, lives) / 1000, workload.measured_ms / 1000)


def replay_workload(workload: Workload, lives: Sequence[Life]) -> int:
    """Milliseconds from the application's start to its end, on executors that come and go.

    Raises:
        StuckError: there are tasks, and no slot to run them.
    """
    run = Simulation.of(workload)
    for executor, life in enumerate(lives):
        run.clock.at(life.from_ms, partial(run.slots.offer, executor, life.slots))
        if life.until_ms is not None:
            run.clock.at(life.until_ms, partial(run.slots.retire, executor))
    return run.to_the_end()
