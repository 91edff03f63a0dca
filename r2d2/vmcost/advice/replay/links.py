"""What follows from what in a plan, looked up once for many runs."""

from dataclasses import dataclass

from r2d2.vmcost.advice.replay.plan import Plan

Rank = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Links:
    """Of each step: its rank in the queue, who waits for it and who reads its output.

    Of each job: the steps that wait for its start. `waiting` are the jobs in the order in which
    their predecessors end; `job_awaiting` is the job that ends with a step, None for none.
    """

    ranks: tuple[Rank, ...]
    followers: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    starting: tuple[tuple[int, ...], ...]
    waiting: tuple[int, ...]
    job_awaiting: tuple[int | None, ...]


def links_of(plan: Plan) -> Links:
    """The plan's links, all by position."""
    followers: list[list[int]] = [[] for _ in plan.steps]
    readers: list[list[int]] = [[] for _ in plan.steps]
    starting: list[list[int]] = [[] for _ in plan.jobs]
    job_awaiting: list[int | None] = [None] * len(plan.steps)
    for position, step in enumerate(plan.steps):
        starting[step.job].append(position)
        for other in step.after:
            followers[other].append(position)
        for other in step.reads:
            readers[other].append(position)
    for position, job in enumerate(plan.jobs):
        for step_of_job in job.steps:
            job_awaiting[step_of_job] = position
    return Links(
        tuple(
            (plan.jobs[step.job].id, step.stage, step.attempt, position)
            for position, step in enumerate(plan.steps)
        ),
        tuple(map(tuple, followers)),
        tuple(map(tuple, readers)),
        tuple(map(tuple, starting)),
        tuple(sorted(range(len(plan.jobs)), key=lambda job: (plan.jobs[job].after, job))),
        tuple(job_awaiting),
    )
