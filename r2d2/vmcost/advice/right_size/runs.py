"""What several logs of one application tell of its models: runs to fit, and errors to expect."""

from collections.abc import Sequence

from r2d2.vmcost.advice.replay import replay_plan
from r2d2.vmcost.advice.replay.reading import plan_of
from r2d2.vmcost.advice.replay.slots import fixed_lives, measured_lives, peak_slots
from r2d2.vmcost.advice.right_size.ernest import Run
from r2d2.vmcost.model import Application


def measured_run(app: Application, scale: float) -> Run:
    """A log as a run for Ernest's model, on the most slots that the application had at once.

    `scale` is the share of the data that it worked on; with one core to a task, slots are vCPUs.
    """
    return Run(scale, peak_slots(measured_lives(app)), (app.ended_ms - app.started_ms) / 1000)


def replay_ratios(apps: Sequence[Application]) -> tuple[float, ...]:
    """Measured over replayed time, of each log as each other one predicts it.

    The logs are of the same work, on the same number of machines or on others. The ratios are the
    errors to expect when one of them is replayed on a size that was not measured.
    """
    plans = [plan_of(app) for app in apps]
    slots = [peak_slots(measured_lives(app)) for app in apps]
    return tuple(
        other.measured_ms / replay_plan(own, fixed_lives(app, slots[place]))
        for number, (app, own) in enumerate(zip(apps, plans, strict=True))
        for place, other in enumerate(plans)
        if place != number
    )
