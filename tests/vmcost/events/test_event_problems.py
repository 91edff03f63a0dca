"""Every accident that logs are met with is counted under its name, and invents nothing."""

import json
from pathlib import Path

import pytest

import r2d2.vmcost.events.tasks
from r2d2.vmcost.bill.task_time import busy_fraction, core_seconds, duration_s
from r2d2.vmcost.events import EventLogError, read_applications, read_logs
from r2d2.vmcost.model import Application, Outcome
from tests.support.vmcost.event_lines import (
    T,
    added,
    app_end,
    app_start,
    at,
    job_end,
    job_start,
    line,
    removed,
    stage_info,
    task_end,
    task_start,
)

FUTURE = 5_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def read(log: Path, *lines: str) -> Application:
    log.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
    (found,) = read_applications([log])
    return found


def test_without_an_end_event_the_last_moment_of_work_is_the_end(log: Path) -> None:
    app = read(log, app_start(), added("1", 1), job_start(0, 2), task_end(0, 3, 8), job_end(0, 9))
    assert (duration_s(app), app.ended_told) == (9.0, False)
    assert app.problems == {"application_without_end": 1, "executor_not_removed": 1}
    assert core_seconds(app) == 32.0


def test_a_task_that_runs_on_where_the_log_stops_is_missed(log: Path) -> None:
    app = read(log, app_start(), added("1", 1), job_start(0, 2), task_start(7, 4))
    assert (duration_s(app), len(app.tasks)) == (4.0, 0)
    assert app.problems["task_without_end"] == 1
    assert app.problems["job_without_end"] == 1


def test_a_log_that_stops_before_any_work_ends_with_its_last_executor(log: Path) -> None:
    app = read(log, app_start(), added("1", 1), added("2", 30))
    assert (duration_s(app), core_seconds(app)) == (30.0, 116.0)


def test_a_job_that_ends_without_a_start_is_there_without_one(log: Path) -> None:
    app = read(log, app_start(), job_end(3, 9, "JobFailed"), app_end(10))
    (job,) = app.jobs
    assert (job.started_ms, job.ended_ms, job.succeeded) == (None, at(9), False)
    assert app.problems == {"job_without_start": 1}


@pytest.mark.parametrize("told", [True, False])
def test_executors_of_the_far_future_extend_nothing(told: bool, log: Path) -> None:
    lines = [app_start(), added("1", 1), job_start(0, 2), task_end(0, 3, 8), job_end(0, 9)]
    far = [added(str(number), FUTURE + number, host="b") for number in range(2, 10)]
    app = read(log, *lines, *far, *([app_end(9)] if told else []))
    assert (duration_s(app), core_seconds(app)) == (9.0, 32.0)
    assert app.problems["executor_added_late"] == 8
    assert app.problems.get("moment_disbelieved", 0) == (0 if told else 8)


def test_a_task_of_the_far_future_extends_nothing(log: Path) -> None:
    lines = [app_start(), added("1", 1), job_start(0, 2), job_end(0, 9)]
    app = read(log, *lines, task_end(0, 3, FUTURE), removed("1", FUTURE))
    assert (duration_s(app), core_seconds(app), busy_fraction(app)) == (9.0, 32.0, 6 / 32)
    assert app.problems["moment_disbelieved"] == 2


def test_work_after_an_idle_weekend_is_believed(log: Path) -> None:
    monday = 250_000.0
    lines = [app_start(), added("1", 1), job_start(0, 2), job_end(0, 9)]
    more = [job_start(1, monday), task_start(0, monday), task_end(0, monday, monday + 5)]
    app = read(log, *lines, *more, job_end(1, monday + 6))
    assert duration_s(app) == monday + 6
    assert "moment_disbelieved" not in app.problems


@pytest.mark.parametrize("end", [-1.0, 40_000_000.0])
def test_an_end_before_the_start_or_years_later_is_not_believed(end: float, log: Path) -> None:
    app = read(log, app_start(), job_start(0, 2), job_end(0, 9), app_end(end))
    assert (duration_s(app), app.ended_told) == (9.0, False)
    assert app.problems == {"application_end_disbelieved": 1, "application_without_end": 1}


def test_an_executor_is_there_from_each_addition_to_the_next_removal(log: Path) -> None:
    app = read(
        log,
        app_start(),
        added("1", 1),
        removed("1", 3),
        added("1", 5, host="b"),
        task_end(0, 1, 2),
        task_end(1, 6, 7),
        app_end(10),
    )
    assert [(each.host, each.removed_ms) for each in app.executors] == [("a", at(3)), ("b", None)]
    assert app.tasks["executor"].tolist() == [0, 1]
    assert core_seconds(app) == 28.0


def test_additions_and_removals_that_make_no_stay_are_counted(log: Path) -> None:
    app = read(
        log,
        app_start(),
        *(added("1", 1), added("1", 2), removed("1", 4), removed("1", 5)),
        *(removed("2", 3), added("2", 4)),
        removed("3", 5),
        app_end(10),
    )
    assert app.problems == {
        "executor_added_twice": 1,
        "executor_removed_early": 1,
        "executor_removed_unknown": 2,
    }
    assert core_seconds(app) == 12.0
    assert all((each.removed_ms or T) >= each.added_ms for each in app.executors)


def test_a_task_on_an_executor_that_was_never_added_is_kept(log: Path) -> None:
    app = read(log, app_start(), task_end(0, 1, 2, executor="9"), app_end(3))
    assert app.tasks["executor"].tolist() == [-1]
    assert app.problems == {"task_without_executor": 1}


def test_an_executor_is_sized_by_its_resource_profile(log: Path) -> None:
    profile = {
        "Resource Profile Id": 1,
        "Executor Resource Requests": {
            "cores": {"Amount": 8},
            "memory": {"Amount": 4096},
            "memoryOverhead": {"Amount": 512},
            "offHeap": {"Amount": 256},
        },
        "Task Resource Requests": {"cpus": {"Amount": 2.0}},
    }
    properties = {"spark.executor.memory": "1g", "spark.master": "yarn", "spark.task.cpus": "1"}
    app = read(
        log,
        app_start(),
        line("EnvironmentUpdate", **{"Spark Properties": properties}),
        line("ResourceProfileAdded", **profile),
        added("1", 1, cores=8, **{"Resource Profile Id": 1}),
        added("2", 2, cores=2, **{"Resource Profile Id": 0}),
        app_end(3),
    )
    sizes = [(each.cores, each.task_cpus, each.memory_mib) for each in app.executors]
    assert sizes == [(8, 2, 4864), (2, 1, 1024 + 384)]
    assert core_seconds(app) == 18.0


def test_a_task_takes_no_more_cores_than_its_executor_has(log: Path) -> None:
    properties = {"spark.task.cpus": "1000000", "spark.master": "yarn"}
    setting = line("EnvironmentUpdate", **{"Spark Properties": properties})
    app = read(log, app_start(), setting, added("1", 0), task_end(0, 0, 5), app_end(10))
    assert [each.task_cpus for each in app.executors] == [4]
    assert busy_fraction(app) == 0.5


def test_a_log_of_which_nothing_can_be_unpacked_is_not_called_empty(log: Path) -> None:
    log.write_bytes(b"LZ4Block\x25" + b"\xff" * 40)
    with pytest.raises(EventLogError, match="data is damaged or stops too early; copy it anew"):
        read_applications([log])


def test_lines_that_are_no_events_are_counted_and_passed_over(log: Path) -> None:
    app = read(
        log,
        app_start(),
        '{"Event":"SparkListenerJobStart",_"Job ID":0}',
        '{"Event":"SparkListenerTaskEnd","Stage ID":0}',
        '{"Event":"SparkListenerTaskEnd","Stage ID":"zero"}',
        '{"Event":"SparkListenerSomethingNew","Text":"cut o',
        '{"Event":"SparkListenerSomethingNew","Text":"whole"}',
        '{"event":"lower"}',
        "[" * 200_000,
        "\x00\x00\x00",
        "",
        "   ",
        task_end(0, 1, 2)[:100],
        app_end(3),
    )
    assert app.problems == {"line_malformed": 8}


def test_events_that_are_not_written_as_spark_does_are_read(log: Path) -> None:
    spaced = json.dumps(json.loads(app_start()), indent=None, separators=(", ", " : "))
    turned = json.dumps(dict(reversed(json.loads(app_end(4)).items())))
    app = read(log, "\ufeff" + spaced, turned)
    assert duration_s(app) == 4.0
    assert app.problems == {}


def test_text_that_is_no_unicode_is_replaced_and_counted(log: Path) -> None:
    start = app_start(name="NAME", app_id="a\ud800b").encode("utf-8", "surrogatepass")
    log.write_bytes(start.replace(b"NAME", b"caf\xe9") + b"\n" + app_end(3).encode())
    (app,) = read_applications([log])
    assert (app.name, app.id) == ("caf\ufffd", "a\ufffdb")
    assert app.problems == {"line_not_utf8": 1}
    app.id.encode()


def test_hostile_names_are_kept_as_data(log: Path) -> None:
    name = "<script>alert(1)</script>\x1b[31m\x00\u202e\"';DROP TABLE"
    app = read(log, app_start(name=name), added(name, 1, host=name), app_end(3))
    assert app.name == app.executors[0].id == app.executors[0].host == name
    assert app.problems == {"executor_not_removed": 1}


def test_a_line_beyond_the_limit_is_passed_over(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from r2d2.vmcost.events.codecs import lines

    monkeypatch.setattr(r2d2.vmcost.events, "lines", lambda chunks: lines(chunks, 1_000))
    app = read(log, app_start(), app_start(name="x" * 2_000), app_end(3))
    assert app.problems == {"line_too_long": 1}


def test_more_tasks_than_memory_is_meant_for_are_refused(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(r2d2.vmcost.events.tasks, "MOST_TASKS", 10)
    tasks = [task_end(number, 1, 2) for number in range(9_000)]
    with pytest.raises(EventLogError, match="more than 10 tasks"):
        read(log, app_start(), *tasks)


def test_a_task_that_ends_twice_counts_once(log: Path) -> None:
    app = read(log, app_start(), added("1", 0), *[task_end(0, 1, 3)] * 2, app_end(3))
    assert len(app.tasks) == 1
    assert app.problems == {"executor_not_removed": 1, "task_ended_twice": 1}


def test_a_task_whose_output_was_lost_has_no_time_twice(log: Path) -> None:
    lost = {"Task End Reason": {"Reason": "Resubmitted"}}
    app = read(
        log,
        *(app_start(), added("1", 0), task_end(0, 1, 3), task_end(0, 1, 3, **lost), app_end(3)),
    )
    assert (app.tasks["finish_ms"] - app.tasks["launch_ms"]).tolist() == [2_000, 0]
    assert app.tasks["outcome"].tolist() == [Outcome.SUCCEEDED, Outcome.FAILED]
    assert app.problems == {"executor_not_removed": 1, "task_resubmitted": 1}


def test_times_and_metrics_below_zero_are_none(log: Path) -> None:
    metrics = {"Executor Run Time": -5, "JVM GC Time": 7, "Shuffle Write Metrics": None}
    app = read(
        log,
        app_start(),
        added("1", 0),
        task_end(0, 5, 2, **{"Task Metrics": metrics}),
        task_end(1, -(T / 1000), 3),
        task_end(2, 1, -(T / 1000)),
        app_end(9),
    )
    assert (app.tasks["finish_ms"] == app.tasks["launch_ms"]).all()
    assert app.tasks["gc_ms"].sum() == 7
    assert app.tasks["run_ms"].sum() == 0
    assert app.problems["task_time_disbelieved"] == 3
    assert app.problems["metric_disbelieved"] == 1


def test_numbers_that_no_long_holds_make_a_line_malformed(log: Path) -> None:
    huge = {"Task Metrics": {"Executor Run Time": 2**63}}
    app = read(log, app_start(), task_end(0, 1, 2, **huge), task_end(1, 1, 1e10), app_end(3))
    assert app.problems == {"line_malformed": 2}


def test_outcomes_are_by_reason_and_without_one_by_flags(log: Path) -> None:
    reasons = ["Success", "TaskKilled", "ExceptionFailure", "TaskCommitDenied", "new in Spark 5"]
    told = [
        task_end(number, number, 9, **{"Task End Reason": {"Reason": reason}})
        for number, reason in enumerate(reasons)
    ]
    info = json.loads(task_end(8, 8, 9))["Task Info"]
    untold = task_end(8, 8, 9, **{"Task End Reason": None, "Task Info": info | {"Killed": True}})
    app = read(log, app_start(), *told, untold, app_end(10))
    failed, killed = Outcome.FAILED, Outcome.KILLED
    assert app.tasks["outcome"].tolist() == [0, killed, failed, failed, failed, killed]


def test_stages_that_never_ran_have_no_moments(log: Path) -> None:
    ran = stage_info(1, 1, **{"Submission Time": at(2), "Completion Time": at(3)})
    failed = ran | {"Stage Attempt ID": 0, "Failure Reason": "fetch failed"}
    app = read(
        log,
        app_start(),
        job_start(0, 1, (0, 1), Properties={"spark.job.description": "load"}),
        line("StageCompleted", **{"Stage Info": failed}),
        line("StageSubmitted", **{"Stage Info": ran}),
        job_end(0, 4),
        app_end(5),
    )
    known = [(each.id, each.attempt, each.submitted_ms, each.problem) for each in app.stages]
    assert known == [(0, 0, None, ""), (1, 0, at(2), "fetch failed"), (1, 1, at(2), "")]
    assert (app.jobs[0].name, app.jobs[0].stages) == ("load", (0, 1))


def test_a_second_start_is_counted_and_the_first_kept(log: Path) -> None:
    app = read(log, app_start(), app_start(name="other", Timestamp=at(1)), app_end(3))
    assert (app.name, duration_s(app)) == ("app", 3.0)
    assert app.problems == {"application_started_twice": 1}


def test_two_applications_in_one_file_are_refused_not_mixed(log: Path) -> None:
    with pytest.raises(EventLogError, match="app-1 attempt None, app-2 attempt None; split"):
        read(log, app_start(), app_start(app_id="app-2"), app_end(3))


def test_without_an_id_the_name_of_the_file_stands_for_it(log: Path) -> None:
    app = read(log, app_start(**{"App ID": None}), app_end(3))
    assert app.id == "log"
    assert app.problems == {"application_without_id": 1}


def test_a_driver_without_executors_uses_no_cores(log: Path) -> None:
    app = read(log, app_start(), app_end(3))
    assert (core_seconds(app), busy_fraction(app), app.problems) == (0.0, None, {})


def test_logs_without_an_application_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("not a log\n")
    (tmp_path / "start").write_text(app_start(Timestamp=0) + "\n")
    (tmp_path / "good").write_text(app_start() + "\n" + app_end(1) + "\n")
    logs = read_logs([tmp_path, tmp_path / "missing"])
    assert [app.id for app in logs.applications] == ["app-1"]
    reasons = {Path(path).name: reason for path, reason in logs.refused}
    assert reasons.keys() == {"empty", "text", "start", "missing"}
    assert "no application starts" in reasons["text"]
    assert "No such file" in reasons["missing"]
    assert reasons["empty"].startswith("empty")
    with pytest.raises(EventLogError, match="missing: cannot be read"):
        read_applications([tmp_path / "missing"])
