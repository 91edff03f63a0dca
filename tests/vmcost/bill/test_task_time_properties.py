"""Usage of random applications, against sums one by one."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.vmcost.bill.task_time import (
    busy_core_ms,
    busy_fraction,
    core_seconds,
    duration_s,
    executor_intervals_ms,
    job_positions,
    split_us,
    stage_positions,
    task_intervals_ms,
    task_time,
    task_time_by_executor,
    task_time_by_job,
    task_time_by_stage,
)
from r2d2.vmcost.model import TASK, Application, Executor
from tests.support.vmcost.random_logs import SEEDS, RandomLog, logs, random_log


@pytest.mark.slow
def test_a_thousand_logs_use_what_they_were_made_to_use() -> None:
    for seed in SEEDS:
        log = random_log(seed)
        app = log.truth
        assert core_seconds(app) == log.core_ms / 1000
        assert task_time(app).total_s == pytest.approx(log.task_ms / 1000, abs=1e-6)
        busy = busy_fraction(app)
        assert busy is None if log.core_ms == 0 else 0 <= busy <= 1


@pytest.mark.slow
@given(logs())
def test_parts_of_task_time_are_never_negative_and_sum_to_the_task(log: RandomLog) -> None:
    split = split_us(log.truth)
    tasks = log.truth.tasks
    assert (split >= 0).all()
    assert split.sum(axis=1).tolist() == (1000 * (tasks["finish_ms"] - tasks["launch_ms"])).tolist()


@given(logs())
def test_stages_jobs_and_executors_each_sum_to_the_whole(log: RandomLog) -> None:
    app = log.truth
    whole = task_time(app)
    for parts in (task_time_by_stage(app), task_time_by_job(app), task_time_by_executor(app)):
        assert sum(part.total_s for part in parts) == pytest.approx(whole.total_s)
        assert sum(part.gc_s for part in parts) == pytest.approx(whole.gc_s)


@given(logs())
def test_tasks_find_their_stage_and_job(log: RandomLog) -> None:
    app = log.truth
    stages = [app.stages[place].id for place in stage_positions(app)]
    assert stages == app.tasks["stage"].tolist()
    jobs = Counter(job_positions(app).tolist())
    assert jobs == Counter(
        place
        for place, job in enumerate(app.jobs)
        for stage in app.tasks["stage"]
        if stage in job.stages
    )


@given(logs(), st.data())
def test_the_order_of_executors_and_tasks_is_irrelevant(
    log: RandomLog, data: st.DataObject
) -> None:
    app = log.truth
    order = data.draw(st.permutations(range(len(app.executors))))
    place = np.argsort(np.array(order, np.int32)) if order else np.empty(0, np.int32)
    tasks = app.tasks[np.array(data.draw(st.permutations(range(len(app.tasks)))), np.int64)]
    if order:
        tasks["executor"] = place[tasks["executor"]]
    other = replace(app, executors=tuple(app.executors[each] for each in order), tasks=tasks)
    assert core_seconds(other) == core_seconds(app)
    assert busy_fraction(other) == busy_fraction(app)
    assert task_time(other) == task_time(app)


@given(logs(), st.integers(-(10**6), 10**6), st.integers(0, 10**6))
def test_nothing_outside_the_application_counts(log: RandomLog, late_ms: int, ms: int) -> None:
    app = replace(
        log.truth,
        started_ms=log.truth.started_ms + late_ms,
        ended_ms=log.truth.started_ms + late_ms + ms,
    )
    assert core_seconds(app) == pytest.approx(brute_core_ms(app) / 1000)
    stood, ran = executor_intervals_ms(app), task_intervals_ms(app)
    for found in (stood, ran):
        assert ((app.started_ms <= found) & (found <= app.ended_ms)).all()
        assert (found[:, 0] <= found[:, 1]).all()
    busy = busy_fraction(app)
    assert busy is None or 0 <= busy <= 1
    assert (split_us(app) >= 0).all()


def brute_core_ms(app: Application) -> int:
    moments = Counter[int]()
    for each in app.executors:
        first = max(each.added_ms, app.started_ms)
        last = min(each.removed_ms or app.ended_ms, app.ended_ms)
        moments[each.cores] += max(0, last - first)
    return sum(cores * ms for cores, ms in moments.items())


def one(executors: tuple[Executor, ...], **task: int) -> Application:
    """An application of ten seconds with one task."""
    tasks = np.zeros(1, TASK)
    for name, value in task.items():
        tasks[name] = value
    return Application(
        "app", None, "", "3.5.3", 1_000, 11_000, True, executors, (), (), tasks, {}, ()
    )


def test_an_executor_of_the_far_future_has_no_core_seconds() -> None:
    app = one((Executor("0", "host", 8, 10**12),), launch_ms=2_000, finish_ms=3_000)
    assert (duration_s(app), core_seconds(app), busy_fraction(app)) == (10.0, 0.0, None)


def test_an_application_without_executors_is_not_busy() -> None:
    app = one((), executor=-1, launch_ms=2_000, finish_ms=3_000)
    assert (core_seconds(app), busy_fraction(app), task_time(app).total_s) == (0.0, None, 0.0)
    assert len(task_time_by_executor(app)) == 0


def test_a_task_on_an_executor_never_added_is_busy_on_nobodys_cores() -> None:
    app = one((Executor("0", "host", 2, 1_000),), executor=-1, launch_ms=2_000, finish_ms=3_000)
    assert busy_core_ms(app).tolist() == [0]


def test_a_task_is_busy_on_as_many_cores_as_it_takes() -> None:
    app = one((Executor("0", "host", 4, 1_000, task_cpus=2),), launch_ms=2_000, finish_ms=4_000)
    assert busy_core_ms(app).tolist() == [4_000]
    assert busy_fraction(app) == 0.1


def test_task_time_goes_where_the_metrics_say() -> None:
    app = one(
        (Executor("0", "host", 1, 1_000),),
        launch_ms=2_000,
        finish_ms=3_000,
        deserialize_ms=100,
        run_ms=800,
        result_ms=50,
        cpu_ns=300_000_000,
        gc_ms=70,
        fetch_wait_ms=30,
        shuffle_write_ns=20_000_000,
    )
    found = task_time(app)
    assert (found.cpu_s, found.gc_s, found.fetch_wait_s) == (0.3, 0.07, 0.03)
    assert (found.shuffle_write_s, found.waiting_s) == (0.02, 0.38)
    assert (found.deserialize_s, found.result_s, found.scheduling_s) == (0.1, 0.05, 0.05)


def test_metrics_beyond_the_task_are_cut_to_it() -> None:
    app = one(
        (Executor("0", "host", 1, 1_000),),
        launch_ms=2_000,
        finish_ms=2_010,
        run_ms=8,
        cpu_ns=9_000_000_000,
        gc_ms=50,
    )
    found = task_time(app)
    assert (found.cpu_s, found.gc_s, found.scheduling_s) == (0.008, 0.0, 0.002)
