"""Plans made by hand and at random, for tests of replay and of spot machines."""

from collections.abc import Sequence

from hypothesis import strategies as st

from r2d2.vmcost.advice.replay.workload import PlannedJob, PlannedStep, PlannedTask, ReplayPlan


def step(
    *durations_ms: int, stage: int = 0, job: int = 0, after: Sequence[int] = ()
) -> PlannedStep:
    """A step of tasks, which reads the steps that it waits for."""
    tasks = tuple(PlannedTask(duration) for duration in durations_ms)
    return PlannedStep(stage, 0, job, tasks, tuple(after), tuple(after))


def one_job(*steps: PlannedStep, cold_ms: int = 0) -> ReplayPlan:
    """All steps in one job, without any gap."""
    positions = tuple(range(len(steps)))
    return ReplayPlan((PlannedJob(0, 0, 0, positions, 0),), steps, 0, 0, cold_ms)


@st.composite
def chains(draw: st.DrawFn) -> ReplayPlan:
    """Up to three steps, each of which reads the one before it."""
    found = draw(
        st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=8), min_size=1, max_size=3)
    )
    return one_job(
        *(
            step(*durations, stage=number, after=range(max(0, number - 1), number))
            for number, durations in enumerate(found)
        )
    )
