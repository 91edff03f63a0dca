"""The plan of a log: work, order and gaps, and not the times of tasks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.vmcost.advice.replay import replay
from r2d2.vmcost.advice.replay.slots import Life, fixed_lives, measured_lives
from r2d2.vmcost.advice.replay.workload import Workload, workload_of
from r2d2.vmcost.model import Application, Job, SparkStage
from tests.support.vmcost.applications import START_MS, application
from tests.support.vmcost.random_logs import SEEDS, random_log


def two_stages() -> Application:
    """Four tasks and two that read them, on two cores, with gaps of 100, 20, 30, 40 and 50."""
    rows = [(0, 0, 120, 220), (0, 0, 120, 220), (0, 0, 220, 320), (0, 0, 220, 320)]
    rows += [(1, 0, 380, 480), (1, 0, 380, 480)]
    app = application(rows, 570, cores=2, parents={1: (0,)})
    stages = (
        SparkStage(0, 0, "map", 4, START_MS + 100, START_MS + 320),
        SparkStage(1, 0, "reduce", 2, START_MS + 350, START_MS + 480, (0,)),
    )
    return replace(app, stages=stages, jobs=(Job(0, (0, 1), START_MS + 100, START_MS + 520),))


def work_ms(plan: Workload) -> int:
    return sum(task.duration_ms for step in plan.steps for task in step.tasks)


def test_gaps_and_delays_are_those_of_the_log() -> None:
    plan = workload_of(two_stages())
    (job,), (first, second) = plan.jobs, plan.steps
    assert (job.gap_ms, job.tail_ms, plan.tail_ms) == (100, 40, 50)
    assert (first.delay_ms, first.lead_ms, first.tail_ms) == (0, 20, 0)
    assert (second.delay_ms, second.lead_ms, second.after, second.reads) == (30, 30, (0,), (0,))
    assert work_ms(plan) == 600


def test_the_measured_size_gives_the_measured_time_where_nothing_is_left_to_chance() -> None:
    found = replay(two_stages())
    assert (found.predicted_s, found.measured_s, found.relative_error) == (0.57, 0.57, 0.0)


def test_other_sizes_change_what_tasks_wait_and_nothing_else() -> None:
    assert replay(two_stages(), 1).predicted_s == pytest.approx(0.57 + 0.2 + 0.1)
    assert replay(two_stages(), 4).predicted_s == pytest.approx(0.57 - 0.1)
    assert replay(two_stages(), 100).predicted_s == pytest.approx(0.57 - 0.1)


def test_a_wait_for_the_first_executor_is_no_delay_of_the_driver() -> None:
    app = two_stages()
    late = tuple(replace(one, added_ms=START_MS + 118) for one in app.executors)
    assert workload_of(replace(app, executors=late)).steps[0].lead_ms == 2


def test_a_wait_for_slots_that_others_hold_is_no_delay_of_the_driver() -> None:
    rows = [(0, 0, 0, 100), (1, 0, 105, 200)]
    app = application(rows, 200, cores=1)
    stages = tuple(replace(stage, submitted_ms=START_MS) for stage in app.stages)
    assert [one.lead_ms for one in workload_of(replace(app, stages=stages)).steps] == [0, 5]


def test_an_executor_that_was_said_to_come_after_its_first_task_came_with_it() -> None:
    app = two_stages()
    late = tuple(replace(one, added_ms=START_MS + 10**9) for one in app.executors)
    assert measured_lives(replace(app, executors=late)) == (Life(2, 120),)


def test_an_executor_from_the_far_future_that_ran_nothing_is_left_out() -> None:
    app = two_stages()
    ghost = replace(app.executors[0], id="ghost", added_ms=START_MS + 10**9)
    assert measured_lives(replace(app, executors=(*app.executors, ghost))) == (Life(2, 0),)


def test_without_executors_the_slots_are_those_that_were_ever_busy() -> None:
    app = two_stages()
    lost = app.tasks.copy()
    lost["executor"] = -1
    assert measured_lives(replace(app, executors=(), tasks=lost)) == (Life(2, 120),)


def test_less_than_one_slot_is_refused() -> None:
    with pytest.raises(UsageError, match="0 slots run no task"):
        fixed_lives(two_stages(), 0)


def test_a_stage_of_no_job_counts_as_a_job_of_its_own() -> None:
    plan = workload_of(replace(two_stages(), jobs=()))
    assert [job.id for job in plan.jobs] == [-1, -1]
    assert replay(replace(two_stages(), jobs=())).predicted_s == 0.57


def test_a_skipped_parent_is_the_last_stage_that_wrote_and_was_not_read() -> None:
    app = two_stages()
    tasks = app.tasks.copy()
    tasks["shuffle_write_bytes"][tasks["stage"] == 0] = 1
    stages = (app.stages[0], replace(app.stages[1], parents=(7,)))
    jobs = (
        Job(0, (0,), START_MS + 100, START_MS + 320),
        Job(1, (1, 7), START_MS + 350, START_MS + 520),
    )
    plan = workload_of(replace(app, tasks=tasks, stages=stages, jobs=jobs))
    assert [step.reads for step in plan.steps] == [(), (0,)]
    tasks["shuffle_write_bytes"] = 0
    plan = workload_of(replace(app, tasks=tasks, stages=stages, jobs=jobs))
    assert [step.reads for step in plan.steps] == [(), ()]


def test_the_first_tasks_of_an_executor_are_cold_by_what_they_took_beyond_all_others() -> None:
    rows = [(0, 0, 0, 500), (0, 0, 500, 600), (0, 0, 600, 720)]
    plan = workload_of(application(rows, 720, cores=1))
    assert plan.cold_ms == 380
    assert [task.cold_ms for task in plan.steps[0].tasks] == [380, None, None]
    assert [task.duration_ms for task in plan.steps[0].tasks] == [120, 100, 120]


def test_a_lone_first_task_tells_nothing_of_a_cold_start() -> None:
    assert workload_of(application([(0, 0, 0, 500)], 500, cores=1)).cold_ms == 0


@pytest.mark.slow
@given(st.sampled_from(SEEDS))
def test_the_order_of_stages_jobs_and_executors_is_irrelevant(seed: int) -> None:
    app = random_log(seed).truth
    order = np.random.default_rng(seed).permutation(len(app.executors))
    place = np.append(np.argsort(order), -1)
    tasks = app.tasks.copy()
    tasks["executor"] = place[tasks["executor"]]
    mixed = replace(
        app,
        executors=tuple(app.executors[number] for number in order),
        stages=app.stages[::-1],
        jobs=app.jobs[::-1],
        tasks=tasks,
    )
    assert replay(mixed, 3) == replay(app, 3)
    assert work_ms(workload_of(mixed)) == work_ms(workload_of(app))


@given(st.sampled_from(SEEDS))
def test_no_run_is_shorter_than_its_work_on_all_its_slots(seed: int) -> None:
    app = random_log(seed).truth
    plan = workload_of(app)
    awaited_ms = sum(task.duration_ms for one in plan.steps for task in one.tasks if task.awaited)
    for slots in (1, 3):
        assert replay(app, slots).predicted_s * 1000 * slots >= awaited_ms - slots


def test_random_logs_are_met_at_their_own_size() -> None:
    errors = [abs(replay(random_log(seed).truth).relative_error) for seed in range(200)]
    assert np.median(errors) < 0.001
    assert np.quantile(errors, 0.95) < 0.08
