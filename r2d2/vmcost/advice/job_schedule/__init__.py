"""The cheapest schedule of a pipeline's jobs on rented VMs: their types, number and order.

    job j ∈ J with jobs before it P_j, and r_jk, its time on a VM of type k where it can run there
    VMs i of type k_i may be rented, as many as wanted; each runs its jobs one after another
    v_j                             the VM of job j, and an order of the jobs on each VM
    start_j = max(end of every job in P_j, end of the job before it on v_j, start-up)
    end_j   = start_j + r_{j, k(v_j)}
    minimise  Σ_i rent(last end_i - first start_i + start-up + tail, p_{k_i})
              + penalty(max_j end_j - deadline)
    rent(t, p) = ceil(max(minimum, t) / quantum) · quantum · p
    penalty(l) = 0 where l ≤ 0, else fixed usd + usd per hour · l

A job starts as soon as it may, as a workflow engine starts it. A VM is rented ahead by its
start-up, and kept, idle, between its own jobs: so a job put on a VM that already stands pays for
the gap and for no start-up, and fills what the quantum has left. That is GATES's question (Shen et
al., IJCAI 2025, Cost-aware Dynamic Workflow Scheduling) with the jobs known ahead. Few jobs are
decided exactly, more by list scheduling; never at a higher cost than the best single type.
"""

from collections.abc import Sequence

from r2d2.vmcost.advice.job_schedule.problem import (
    Lateness,
    Machine,
    PipelineJob,
    Schedule,
    SchedulingProblem,
)
from r2d2.vmcost.advice.job_schedule.schedule import schedule_of
from r2d2.vmcost.advice.job_schedule.search import (
    cheapest_listed,
    cheapest_of_all,
    cheapest_single_type,
)
from r2d2.vmcost.model import Billing

EXACT_UP_TO = 6


def best_schedule(
    jobs: Sequence[PipelineJob],
    machines: Sequence[Machine],
    deadline_ms: int,
    lateness: Lateness,
    billing: Billing | None = None,
    exact_up_to: int = EXACT_UP_TO,
) -> Schedule:
    """The cheapest schedule found, exact for up to `exact_up_to` jobs.

    Raises:
        UsageError: a name is unknown or twice, the jobs wait for each other in a circle, or a job
            has no machine.
    """
    problem = SchedulingProblem.of(jobs, machines, deadline_ms, lateness, billing or Billing())
    plan = cheapest_listed(problem)
    exact = len(jobs) <= exact_up_to
    if exact:
        plan = cheapest_of_all(problem, plan)
    return schedule_of(problem, plan, exact, cheapest_single_type(problem))
