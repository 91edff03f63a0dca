"""The large log is the same each time, and what it says is read."""

from pathlib import Path

from benchmarks.event_log import main, timed, write
from r2d2.vmcost.bill.task_time import busy_fraction
from r2d2.vmcost.events import read_applications


def test_the_same_size_is_the_same_log(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert write(one, 0.5, True) == write(other, 0.5, True)
    assert one.read_bytes() == other.read_bytes()


def test_a_large_log_is_read_as_it_was_made(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert main(["--write", str(log), "--megabytes", "3", "--codec", "plain"]) == 0
    (app,) = read_applications([log])
    assert 3_000_000 <= log.stat().st_size < 3_100_000
    assert len(app.executors) == 16
    assert len(app.tasks) > 400
    assert 0.3 < (busy_fraction(app) or 0) <= 1
    assert app.problems == {
        "application_without_end": 1,
        "executor_not_removed": 16,
        "job_without_end": 1,
    }


def test_a_run_is_timed_with_its_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write(log, 0.5, True)
    seconds, most_bytes = timed(log, 1)
    assert seconds > 0
    assert most_bytes > 10_000_000
