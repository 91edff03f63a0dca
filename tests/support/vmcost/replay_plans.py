"""Plans made by hand and at random, for tests of replay and of spot machines."""

from collections.abc import Sequence

from hypothesis import strategies as st

from r2d2.vmcost.advice.replay.workload import Workload, WorkloadJob, WorkloadStep, WorkloadTask


def step(
    *durations_ms: int, stage: int = 0, job: int = 0, after: Sequence[int] = ()
) -> WorkloadStep:
    """A step of tasks, which reads the steps that it waits for."""
    tasks = tuple(WorkloadTask(duration) for duration in durations_ms)
    return WorkloadStep(stage, 0, job, tasks, tuple(after), tuple(after))


def one_job(*steps: WorkloadStep, cold_ms: int = 0) -> Workload:
    """All steps in one job, without any gap."""
    positions = tuple(range(len(steps)))
    return Workload((WorkloadJob(0, 0, 0, positions, 0),), steps, 0, 0, cold_ms)


@st.composite
def chains(draw: st.DrawFn) -> Workload:
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
