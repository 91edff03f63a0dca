"""The figures that others measured on real logs, to the millisecond."""

from pathlib import Path

import pytest

from r2d2.vmcost.bill.task_time import busy_fraction, core_seconds, duration_s, task_time
from r2d2.vmcost.events import read_applications
from r2d2.vmcost.model import Application

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def event_logs(shared: Path) -> Path:
    """The folder of logs that others wrote."""
    return shared / "event-logs"


def only(path: Path) -> Application:
    (found,) = read_applications([path])
    return found


def percent(app: Application) -> float:
    busy = busy_fraction(app)
    assert busy is not None
    return round(100 * busy, 1)


def test_databricks_without_an_end_event(event_logs: Path) -> None:
    app = only(event_logs / "databricks-azure-e8s_v3.zstd")
    assert (duration_s(app), core_seconds(app), percent(app)) == (344.613, 5239.648, 67.9)
    assert not app.ended_told
    assert app.spark_version == "3.3.0"
    assert [each.cores for each in app.executors] == [8, 8]
    assert app.properties["spark.databricks.clusterUsageTags.clusterNodeType"] == "Standard_E8s_v3"


def test_emr_with_ten_executors_of_three_cores(event_logs: Path) -> None:
    app = only(event_logs / "emr-join-agg.zstd")
    assert (duration_s(app), core_seconds(app), percent(app)) == (43.657, 1093.875, 24.6)
    assert [each.cores for each in app.executors] == [3] * 10


def test_attempts_of_one_application_are_applications(event_logs: Path) -> None:
    paths = [event_logs / "emr-join-agg.zstd", event_logs / "emr-attempts"]
    apps = read_applications(paths)
    assert [app.attempt for app in apps] == ["1", "2", "4"]
    assert len({app.id for app in apps}) == 1
    assert [duration_s(app) for app in apps] == [42.664, 42.469, 43.657]


def test_dynamic_allocation(event_logs: Path) -> None:
    app = only(event_logs / "yarn-dynamic-allocation.zstd")
    assert (duration_s(app), core_seconds(app), percent(app)) == (205.291, 1993.48, 11.2)
    assert len(app.executors) == 15
    assert sum(each.removed_ms is not None for each in app.executors) == 14
    assert (app.tasks["gc_ms"].sum(), app.tasks["run_ms"].sum()) == (26_207, 173_557)


def test_executors_that_fail(event_logs: Path) -> None:
    app = only(event_logs / "yarn-executors-fail.zstd")
    assert (duration_s(app), core_seconds(app), len(app.tasks)) == (97.482, 2583.156, 8630)
    assert len({each.host for each in app.executors}) == 6
    assert app.problems == {
        "executor_not_removed": 6,
        "job_without_start": 5,
        "task_resubmitted": 50,
    }


@pytest.mark.parametrize("form", ["rolled", "databricks-rolled"])
def test_a_log_in_parts(event_logs: Path, form: str) -> None:
    app = only(event_logs / form)
    assert (duration_s(app), len(app.tasks)) == (133.857, 2801)
    assert [each.cores for each in app.executors] == [12]
    assert app.problems == {}


def test_one_run_in_two_forms_is_read_once(event_logs: Path) -> None:
    app = read_applications([event_logs / "rolled", event_logs / "databricks-rolled"])
    assert [len(each.tasks) for each in app] == [2801]
    assert app[0].problems == {"application_read_twice": 1}


def test_kubernetes_in_a_rolling_folder(event_logs: Path) -> None:
    app = only(event_logs / "k8s-spark-3.5")
    assert (duration_s(app), core_seconds(app), percent(app)) == (303.916, 938.554, 59.1)
    assert len(app.tasks) == 39


def test_local_mode_of_spark_2_3(event_logs: Path) -> None:
    app = only(event_logs / "local-spark-2.3")
    assert (duration_s(app), core_seconds(app), len(app.tasks)) == (15.975, 60.04, 8)
    assert app.tasks["run_ms"].sum() == 91
    assert task_time(app).total_s == pytest.approx(1.034)
    assert (app.tasks["finish_ms"] - app.tasks["launch_ms"]).sum() == 1034


def test_local_mode_of_spark_4_1(event_logs: Path) -> None:
    app = only(event_logs / "local-spark-4.1.zstd")
    assert (duration_s(app), core_seconds(app), len(app.tasks)) == (14.47, 27.206, 52)
    assert app.problems == {}


def test_damaged_logs_are_named_and_read_as_far_as_they_go(event_logs: Path) -> None:
    problems = {
        Path(app.files[0]).name: app.problems for app in read_applications([event_logs / "damaged"])
    }
    assert problems == {
        "empty": {},
        "malformed_json.zstd": {"executor_not_removed": 8, "line_malformed": 1},
        "truncated": {"application_without_end": 1, "job_without_end": 1, "task_without_end": 3},
    }
