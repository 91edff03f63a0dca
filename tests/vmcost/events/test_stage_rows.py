"""Jobs and stages as columns: the rows are those of objects, in little memory, in any order."""

import tracemalloc
from dataclasses import replace
from itertools import permutations

from r2d2.vmcost.bill.task_time import jobs_of_attempts, stage_positions
from r2d2.vmcost.events.problems import LogProblem, LogProblemCounts
from r2d2.vmcost.events.schema import JobEnd, JobResult, JobStart, StageEvent, StageInfo
from r2d2.vmcost.events.stages import MOST_NAMES, JobsAndStages
from r2d2.vmcost.model import Executor, Job, SparkStage
from tests.support.vmcost.bill_apps import application, task

MOST_BYTES = 240
"""Of a job with its stage, whose names are the code's; as objects they took 700."""


def test_events_in_any_order_make_the_same_rows() -> None:
    info = StageInfo(3, 1, "load", 2, (2, 1, 2), 50, None)
    events = [
        ("start", JobStart(7, 40, (3, 2), [StageInfo(3, 1, "load", 2, (2, 1))])),
        ("end", JobEnd(7, 90, JobResult("JobFailed"))),
        ("stage_event", StageEvent(info)),
        ("stage_event", StageEvent(StageInfo(3, 1, "load", 2, (1, 2), -1, 80, "lost"))),
        ("stage_event", StageEvent(StageInfo(3, 0, "load", 2))),
    ]
    for order in permutations(events):
        rows, problems = JobsAndStages(), LogProblemCounts()
        for way, event in order:
            getattr(rows, way)(event)
        assert tuple(rows.stages()) == (
            SparkStage(3, 0, "load", 2),
            SparkStage(3, 1, "load", 2, 50, 80, (1, 2), "lost"),
        )
        assert tuple(rows.jobs(problems)) == (Job(7, (2, 3), 40, 90, False, "load"),)
        assert not +problems


def test_a_job_without_its_start_or_end_is_a_row_and_counted() -> None:
    rows, problems = JobsAndStages(), LogProblemCounts()
    rows.end(JobEnd(2, 90))
    rows.start(JobStart(1, 40))
    assert tuple(rows.jobs(problems)) == (Job(1, (), 40), Job(2, (), None, 90))
    assert +problems == {LogProblem.JOB_WITHOUT_START: 1, LogProblem.JOB_WITHOUT_END: 1}


def test_more_names_than_are_kept_once_are_all_told() -> None:
    rows = JobsAndStages()
    for number in range(MOST_NAMES + 10):
        rows.stage_event(StageEvent(StageInfo(number, 0, f"stage {number}")))
    stages = rows.stages()
    assert [each.name for each in stages] == [f"stage {each.id}" for each in stages]
    assert stages[-2:] == tuple(stages)[-2:]


def test_jobs_and_stages_of_a_stream_take_few_bytes_each() -> None:
    count, rows = 20_000, JobsAndStages()
    tracemalloc.start()
    for number in range(1_000_000, 1_000_000 + count):
        at_ms = 1_700_000_000_000 + number
        stage = StageInfo(number, 0, f"{'count'} at Query.scala:42", 4, (number - 1,), at_ms, at_ms)
        rows.start(JobStart(number, at_ms, (number,), [stage]))
        rows.stage_event(StageEvent(stage))
        rows.end(JobEnd(number, at_ms))
    kept = rows.stages(), rows.jobs(LogProblemCounts())
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept[0]) == len(kept[1]) == count
    assert taken / count < MOST_BYTES


def test_an_attempt_of_a_number_below_0_has_its_stage_and_its_job() -> None:
    tasks = [task(0, 10, stage=1, stage_attempt=-1), task(0, 10, stage=1), task(0, 9, stage=2)]
    app = application(10, [Executor("1", "h", 4, 0)], tasks, [Job(0, (1,), 0, 10)])
    named = (SparkStage(1, -1, "odd", 1), SparkStage(1, 0, "", 1))
    app = replace(app, stages=named)
    attempts, places, jobs = jobs_of_attempts(app)
    of_tasks = [attempts[place].tolist() for place in places.tolist()]
    assert sorted(of_tasks) == [[1, -1], [1, 0], [2, 0]]
    assert [jobs[place] for place in places] == [0 if stage == 1 else -1 for stage, _ in of_tasks]
    expected = [{(1, -1): 0, (1, 0): 1}.get((stage, attempt), -1) for stage, attempt in of_tasks]
    assert stage_positions(app).tolist() == expected
