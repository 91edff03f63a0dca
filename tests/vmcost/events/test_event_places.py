"""The files of each log, in every form that Spark and Databricks leave them."""

import gzip
from pathlib import Path

import pytest

from r2d2.progress import Silence
from r2d2.vmcost.events import EventLogs, LeftOutLog, read_applications, read_logs
from tests.support.vmcost.event_lines import added, app_end, app_start, job_end, job_start, task_end

START = [app_start(), added("1", 0)]
FIRST = [job_start(0, 1), task_end(0, 1, 2), job_end(0, 3)]
SECOND = [job_start(1, 4), task_end(1, 5, 6), job_end(1, 7)]
END = [app_end(9)]
NORMAL = {"executor_not_removed": 1}


def write(path: Path, *groups: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for group in groups for line in group), encoding="utf-8")
    return path


def jobs(logs: EventLogs) -> list[list[int]]:
    return [[job.id for job in app.jobs] for app in logs.applications]


@pytest.fixture
def rolling(tmp_path: Path) -> Path:
    """A rolling folder of twelve parts: 10 comes after 9 whatever their names' order."""
    folder = tmp_path / "eventlog_v2_app-1"
    parts = [[START], [FIRST], *[[]] * 8, [SECOND], [END]]
    for number, lines in enumerate(parts, 1):
        write(folder / f"events_{number}_app-1", *lines)
    write(folder / "appstatus_app-1.inprogress")
    return folder


def test_a_rolling_folder_is_one_log(rolling: Path) -> None:
    logs = read_logs([rolling])
    assert jobs(logs) == [[0, 1]]
    (app,) = logs.applications
    assert [Path(file).name for file in app.files][8:] == [
        *("events_9_app-1", "events_10_app-1", "events_11_app-1", "events_12_app-1")
    ]
    assert app.problems == NORMAL | {"file_empty": 8}


def test_a_rolling_folder_needs_no_status_file(rolling: Path) -> None:
    (rolling / "appstatus_app-1.inprogress").unlink()
    assert jobs(read_logs([rolling])) == [[0, 1]]


@pytest.mark.parametrize("gone", [2, 5])
def test_a_part_that_is_missing_is_counted(rolling: Path, gone: int) -> None:
    (rolling / f"events_{gone}_app-1").unlink()
    (app,) = read_applications([rolling])
    assert app.problems["part_missing"] == 1


def test_without_its_first_part_a_rolling_log_is_refused(rolling: Path) -> None:
    (rolling / "events_1_app-1").unlink()
    (refused,) = read_logs([rolling]).refused
    assert refused.path == str(rolling)
    assert "no application starts" in refused.reason


def test_parts_that_are_named_one_by_one_are_one_log(rolling: Path) -> None:
    assert jobs(read_logs(sorted(rolling.glob("events_*")))) == [[0, 1]]


def test_a_part_that_is_there_in_two_forms_is_read_once(rolling: Path) -> None:
    packed = gzip.compress((rolling / "events_2_app-1").read_bytes())
    (rolling / "events_2_app-1.gz").write_bytes(packed)
    (app,) = read_applications([rolling])
    assert [job.id for job in app.jobs] == [0, 1]
    assert app.problems["part_repeated"] == 1


def test_a_compact_part_stands_for_those_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "eventlog_v2_app-1"
    write(folder / "events_1_app-1", START, FIRST)
    write(folder / "events_2_app-1", FIRST)
    write(folder / "events_2_app-1.compact", START)
    write(folder / "events_3_app-1", SECOND, END)
    logs = read_logs([folder])
    assert jobs(logs) == [[1]]
    assert logs.applications[0].problems == NORMAL | {"parts_compacted": 1}


def test_parts_of_two_applications_in_one_folder_are_two_logs(tmp_path: Path) -> None:
    for name in ("app-1", "app-2"):
        write(tmp_path / f"events_1_{name}", [app_start(app_id=name)])
        write(tmp_path / f"events_2_{name}", END)
    assert [app.id for app in read_applications([tmp_path])] == ["app-1", "app-2"]


def test_the_hours_of_databricks_are_one_log(tmp_path: Path) -> None:
    folder = tmp_path / "eventlog" / "10_0_0_1" / "42"
    write(folder / "eventlog", SECOND, END)
    for hour, lines in {"09": [START], "10": [FIRST]}.items():
        text = "".join(f"{line}\n" for group in lines for line in group)
        packed = gzip.compress(text.encode())
        (folder / f"eventlog-2021-06-15--{hour}-00.gz").write_bytes(packed)
    (app,) = read_applications([tmp_path])
    assert [Path(file).name for file in app.files] == [
        *("eventlog-2021-06-15--09-00.gz", "eventlog-2021-06-15--10-00.gz", "eventlog")
    ]
    assert app.problems == NORMAL


def test_a_folder_holds_logs_of_every_form(rolling: Path, tmp_path: Path) -> None:
    write(tmp_path / "plain", [app_start(app_id="app-2")])
    write(tmp_path / "deep" / "er" / "plain.inprogress", [app_start(app_id="app-3")])
    for name in (".hidden", "_SUCCESS", "plain.crc", ".plain.crc"):
        write(tmp_path / name, ["junk"])
    logs = read_logs([tmp_path])
    assert [app.id for app in logs.applications] == ["app-1", "app-2", "app-3"]
    assert logs.refused == ()


def test_folders_without_a_log_are_named(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    logs = read_logs([tmp_path])
    assert logs.refused == (LeftOutLog(str(tmp_path / "nothing"), "no event log in this folder"),)


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "log", [app_start()])
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    logs = read_logs([tmp_path])
    assert (len(logs.applications), logs.refused, logs.repeated) == (1, (), ())


def test_a_log_that_is_given_twice_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path / "log", START, END)
    (tmp_path / "link").symlink_to(path)
    logs = read_logs([path, tmp_path / "link", str(path), tmp_path])
    assert [app.problems for app in logs.applications] == [NORMAL]
    assert logs.repeated == ()


def test_of_two_logs_of_an_attempt_the_fuller_counts(tmp_path: Path) -> None:
    write(tmp_path / "a", START, FIRST)
    write(tmp_path / "b", START, FIRST, SECOND, END)
    write(tmp_path / "c", START, FIRST, SECOND, END)
    logs = read_logs([tmp_path])
    assert jobs(logs) == [[0, 1]]
    assert logs.applications[0].problems == NORMAL | {"application_read_twice": 2}
    assert [Path(path).name for path, _ in logs.repeated] == ["c", "a"]
    assert f"read from {tmp_path / 'b'}" in logs.repeated[0].reason


def test_attempts_are_applications_in_their_order(tmp_path: Path) -> None:
    for attempt in ("10", "9", "1"):
        write(tmp_path / f"log{attempt}", [app_start(**{"App Attempt ID": attempt})])
    assert [app.attempt for app in read_applications([tmp_path])] == ["1", "9", "10"]


def test_the_order_of_paths_is_irrelevant(rolling: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "plain", [app_start(app_id="app-2")])
    ids = [
        [app.id for app in read_applications(each)] for each in ([rolling, other], [other, rolling])
    ]
    assert ids == [["app-1", "app-2"]] * 2


def test_what_cannot_be_read_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    good = write(tmp_path / "good", [app_start()])
    logs = read_logs([good / "within", good])
    assert len(logs.applications) == 1
    assert logs.refused == (LeftOutLog(str(good / "within"), "cannot be read: Not a directory"),)


def test_a_file_that_fails_while_it_is_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "memory").symlink_to("/proc/self/mem")
    (refused,) = read_logs([tmp_path]).refused
    assert refused == (str(tmp_path / "memory"), "cannot be read: Input/output error")


def test_progress_is_told_within_a_log_and_comes_to_its_size(tmp_path: Path) -> None:
    class Told(Silence):
        sizes: list[int] = []  # noqa: RUF012

        def advance(self, size_bytes: int, rows: int) -> None:
            self.sizes.append(size_bytes)

    start = b'{"Event":"SparkListenerApplicationStart","App Name":"a","App ID":"b","Timestamp":1}\n'
    other = b'{"Event":"SparkListenerOther","x":"' + b"y" * 1000 + b'"}\n'
    log = tmp_path / "log"
    log.write_bytes(start + other * 4000)
    read_logs([log], Told())
    assert sum(Told.sizes) == log.stat().st_size
    assert len(Told.sizes) > 3
