"""Scheduling a plan on slots: against a brute-force scheduler, bounds, and small cases by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.vmcost.advice.replay import Simulation, StuckError, replay_workload
from r2d2.vmcost.advice.replay.slots import Life
from r2d2.vmcost.advice.replay.workload import Workload, WorkloadJob, WorkloadTask
from tests.support.vmcost.replay_plans import chains, one_job, step


def on_slots(plan: Workload, slots: int) -> int:
    return replay_workload(plan, [Life(slots, 0)])


def by_brute_force(durations_ms: Sequence[int], slots: int) -> int:
    """Each task in turn on the slot that is free first."""
    free_ms = [0] * slots
    for duration_ms in durations_ms:
        slot = free_ms.index(min(free_ms))
        free_ms[slot] += duration_ms
    return max(free_ms)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(1, 8))
def test_one_stage_takes_what_a_scheduler_of_four_lines_says(
    durations_ms: list[int], slots: int
) -> None:
    assert on_slots(one_job(step(*durations_ms)), slots) == by_brute_force(durations_ms, slots)


@given(chains(), st.integers(1, 8))
def test_a_chain_of_stages_takes_the_sum_of_its_stages(plan: Workload, slots: int) -> None:
    each = [by_brute_force([t.duration_ms for t in one.tasks], slots) for one in plan.steps]
    assert on_slots(plan, slots) == sum(each)


@given(chains(), st.integers(1, 8), st.integers(1, 4))
def test_slots_of_many_executors_count_like_those_of_one(
    plan: Workload, slots: int, executors: int
) -> None:
    many = replay_workload(plan, [Life(slots, 0)] * executors)
    assert many == on_slots(plan, slots * executors)


def test_stages_that_do_not_wait_for_each_other_share_the_slots() -> None:
    assert on_slots(one_job(step(10, 10), step(10, 10, stage=1)), 4) == 10


def test_the_older_stage_goes_first() -> None:
    plan = one_job(step(10), step(10, 30, stage=1), step(1, stage=2, after=[0]))
    assert on_slots(plan, 1) == 10 + 10 + 30 + 1
    assert on_slots(plan, 2) == 40


def test_gaps_delays_leads_turnarounds_and_tails_add_up() -> None:
    steps = (replace(step(10, 10), delay_ms=1, lead_ms=2, turnaround_ms=4, tail_ms=8),)
    plan = Workload((WorkloadJob(0, 0, 16, (0,), 32),), steps, 64, 0)
    assert on_slots(plan, 1) == 16 + 1 + 2 + 10 + 4 + 10 + 8 + 32 + 64


def test_a_lead_begins_once_a_slot_is_free() -> None:
    plan = one_job(replace(step(10), lead_ms=5))
    assert replay_workload(plan, [Life(1, 100)]) == 115


def test_jobs_wait_for_those_that_had_ended_before_them() -> None:
    jobs = (
        WorkloadJob(0, 0, 0, (0,), 0),
        WorkloadJob(1, 0, 5, (1,), 0),
        WorkloadJob(2, 2, 7, (2,), 0),
    )
    steps = (step(20), step(40, stage=1, job=1), step(3, stage=2, job=2))
    assert on_slots(Workload(jobs, steps, 0, 0), 2) == 45 + 7 + 3


def test_an_executor_that_leaves_ends_its_tasks_and_takes_no_more() -> None:
    plan = one_job(step(10, 10, 10, 10))
    assert replay_workload(plan, [Life(1, 0), Life(1, 0, until_ms=5)]) == 30


def test_the_last_executor_stays_while_there_is_work() -> None:
    assert replay_workload(one_job(step(10, 10)), [Life(1, 0, until_ms=5)]) == 20


def test_a_slower_copy_holds_its_slot_and_not_its_stage() -> None:
    copied = (
        WorkloadTask(10),
        WorkloadTask(50, awaited=False, output=False, previous=0, offset_ms=4),
    )
    plan = one_job(replace(step(), tasks=copied), step(1, stage=1, after=[0]))
    assert on_slots(plan, 2) == 11


def test_a_failed_task_is_tried_again_after_it_failed() -> None:
    tried = (WorkloadTask(10, output=False), WorkloadTask(20, previous=0, offset_ms=10))
    assert on_slots(one_job(replace(step(), tasks=tried)), 2) == 30


def test_the_first_task_on_each_slot_starts_cold() -> None:
    plan = one_job(step(10, 10, 10, 10), cold_ms=3)
    assert on_slots(plan, 1) == 43
    assert on_slots(plan, 2) == 23


def test_a_task_that_was_cold_in_the_log_keeps_its_own_excess_when_it_starts_cold() -> None:
    tasks = (WorkloadTask(10, cold_ms=7), WorkloadTask(10, cold_ms=0))
    plan = one_job(replace(step(), tasks=tasks), cold_ms=3)
    assert on_slots(plan, 2) == 17
    assert on_slots(plan, 1) == 27


def test_without_slots_the_error_says_so() -> None:
    with pytest.raises(StuckError, match="still wait for slots"):
        replay_workload(one_job(step(10)), [])


def test_a_plan_without_tasks_needs_no_slots() -> None:
    assert replay_workload(Workload((WorkloadJob(0, 0, 5, (), 6),), (), 7, 0), []) == 18
    assert replay_workload(Workload((), (), 7, 0), []) == 7


def lost_at(plan: Workload, lost_ms: int, slots: int = 1) -> Simulation:
    """A run on two executors, of which the first is lost."""
    run = Simulation.of(plan)
    run.slots.offer(0, slots)
    run.slots.offer(1, slots)
    run.clock.at(lost_ms, lambda: run.lose(0))
    run.to_the_end()
    return run


def test_a_task_that_ran_on_a_lost_executor_begins_again() -> None:
    run = lost_at(one_job(step(10, 10)), 5)
    assert (run.ended_ms, run.running.again) == (20, 1)


def test_output_that_is_still_read_is_made_again_before_the_reader_goes_on() -> None:
    run = lost_at(one_job(step(10, 10), step(30, 30, stage=1, after=[0])), 15)
    assert (run.ended_ms, run.running.again) == (40 + 10 + 30, 2)


def test_output_that_is_read_later_is_made_again_when_it_is_asked_for() -> None:
    plan = one_job(step(10, 10), step(50, stage=1), step(5, stage=2, after=[0, 1]))
    run = lost_at(plan, 20, slots=2)
    assert (run.ended_ms, run.running.again) == (20 + 50 + 10 + 5, 2)


def test_output_that_nobody_reads_any_more_is_not_made_again() -> None:
    plan = one_job(step(10), step(10, stage=1, after=[0]), step(30, stage=2, after=[1]))
    run = Simulation.of(plan)
    run.slots.offer(0, 1)
    run.clock.at(5, lambda: run.slots.offer(1, 2))
    run.clock.at(25, lambda: run.lose(0))
    assert (run.to_the_end(), run.running.again) == (50, 0)


def test_what_lost_output_was_made_from_is_made_again_first() -> None:
    plan = one_job(step(10), step(20, stage=1, after=[0]), step(40, stage=2, after=[1]))
    run = Simulation.of(plan)
    run.slots.offer(0, 1)
    run.clock.at(50, lambda: run.lose(0))
    run.clock.at(60, lambda: run.slots.offer(1, 1))
    assert run.to_the_end() == 60 + 10 + 20 + 40
