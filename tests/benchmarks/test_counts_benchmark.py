"""The counts that scale is judged by: measured at tiny sizes, and the arithmetic beyond them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.counts import Counted, lake_of
from benchmarks.counts_report import counts_text
from benchmarks.errors import BenchmarkError
from benchmarks.projection import Assumed, fixed_and_rate, growths, projections


def point(gigabytes: float, tasks_s: float, once_s: float, engine: str = "local") -> Counted:
    """A `find` that decodes for half of the tasks' time."""
    work = {
        "bytes_decoded": gigabytes * 3e9,
        "rows_hashed": gigabytes * 1e7,
        "decode_s": tasks_s / 2,
        "hash_s": tasks_s / 4,
        "exchange_s": tasks_s / 4,
    }
    row = {"stage": "exact", "bytes_read": 1, "bytes_shuffled": 0, "rows_read": gigabytes * 2e7}
    row |= {"core_seconds": tasks_s + once_s, "work": work}
    cpu_s = tasks_s + once_s + (tasks_s if engine == "spark" else 0.0)
    return Counted(engine, gigabytes, 31, 45, 1.0, cpu_s, 100.0, 2.5, [row], 2 * cpu_s, 1.0)


def test_the_steps_of_a_run_sum_up_to_its_core_seconds() -> None:
    for engine in ("local", "spark"):
        run = point(2.0, 8.0, 1.0, engine)
        assert run.step_s["once"] == 1.0
        assert sum(run.step_s.values()) == run.cpu_s
    assert run.step_s["JVM, start"] == 8.0
    assert run.step_gigabytes["decode"] == 6.0
    assert run.step_gigabytes["exchange"] == pytest.approx(0.32)


def test_twice_the_work_for_each_doubling_has_exponent_one() -> None:
    slopes = {each.what: each for each in growths([point(s, s * 5, s * 1) for s in (1, 2, 4)])}
    assert {"decode", "hash", "exchange", "once", "find", "plan"} == set(slopes)
    found = slopes["find"]
    assert (found.in_bytes, found.in_rows) == (pytest.approx(1.0), pytest.approx(1.0))
    square = {each.what: each for each in growths([point(s, s * s, 1) for s in (1, 2, 4)])}
    assert square["decode"].last == pytest.approx(2.0)
    assert growths([point(1, 5, 1)]) == []


def test_what_is_done_once_is_no_less_on_more_cores() -> None:
    points = [point(1, 6, 3), point(3, 18, 5)]
    few, many = projections(points, (1.0,), (64, 1000), Assumed(0.5, 1e9))
    assert few.core_s == many.core_s == 6000
    assert few.once_s == many.once_s == pytest.approx(2 + 1000)
    assert few.compute_s == pytest.approx(6000 / 32)
    assert many.seconds == pytest.approx(1002 + 12)
    assert many.limit == "once"
    assert few.grown_s == pytest.approx(few.seconds)


def test_a_jvms_start_is_no_part_of_each_gigabyte() -> None:
    points = [replace(point(size, 6.0 * size, 0), engine="spark") for size in (1.0, 3.0)]
    points = [replace(each, cpu_s=each.cpu_s + 20 + each.gigabytes) for each in points]
    (far,) = projections(points, (1.0,), (1000,), Assumed(1.0, 1e9))
    assert far.core_s == pytest.approx(7000)
    assert far.once_s == pytest.approx(20)


def test_reading_is_the_limit_where_a_core_gets_few_bytes() -> None:
    (slow,) = projections([point(1, 6, 0)], (1.0,), (100,), Assumed(0.6, 10.0))
    assert (slow.limit, slow.seconds) == ("reading", pytest.approx(1000.0))


def test_growth_above_one_is_told_beside_the_projection() -> None:
    points = [point(size, size**1.1, 0) for size in (1, 10)]
    (far,) = projections(points, (1.0,), (64,), Assumed(1.0, 1e9))
    assert far.grown_s / far.seconds == pytest.approx(math.pow(100, 0.1))


def test_a_line_with_a_part_below_zero_goes_without_it() -> None:
    assert fixed_and_rate([1, 3], [4, 2]) == (3.0, 0.0)
    assert fixed_and_rate([4], [8]) == (8.0, 0.0)


def test_the_text_judges_a_terabyte_by_all_core_seconds() -> None:
    assumed = Assumed()
    text = counts_text([point(1, 8.0, 1.0)], assumed)
    assert "local: 9.00 core-seconds in all for a GB of files, so 1 TB of files on 64 c" in text
    assert "takes 234 s, within 240 s" in text
    assert "local: 3.00 core-seconds in all for a GB decoded" in text
    assert "of one size: no growth" in text
    slow = counts_text([replace(point(1, 8.0, 1.0), cpu_s=10.0)], assumed)
    assert "takes 260 s, over 240 s" in slow


def test_a_lake_that_the_disk_has_no_room_for_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"takes 16000000\.0 GB while it is made"):
        lake_of(1e7, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_tiny_lakes_are_counted_with_their_plans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--counts", "--gigabytes", "0.003,0.001", "--work", str(tmp_path), "--runs", "1"]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    small, large = told["counts"]
    assert small["gigabytes"] < large["gigabytes"]
    assert small["edges"] == large["edges"] > 40
    for each in told["counts"]:
        assert sum(each["steps_core_s"].values()) == pytest.approx(each["cpu_s"])
        assert each["steps_gb"]["decode"] > 0
        assert each["plan_cpu_s"] > 0
    assert {each["what"] for each in told["growth"]} >= {"find", "plan", "decode", "hash"}
    assert [(each["terabytes"], each["cores"]) for each in told["projection"]] == [
        *((1.0, 64), (1.0, 1000)),
        *((100.0, 64), (100.0, 1000)),
    ]


def test_a_size_that_fails_loses_none_of_those_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--counts", "--gigabytes", "0.001,1e7", "--work", str(tmp_path), "--runs", "1"]
    assert main([*arguments, "--no-plan"]) == 1
    told = capsys.readouterr()
    assert "of one size: no growth" in told.out
    assert "stopped early: a lake of 1e+07 GB takes" in told.err


@pytest.mark.spark
def test_spark_is_counted_with_what_its_jvm_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--counts", "--gigabytes", "0.001", "--work", str(tmp_path), "--runs", "1"]
    assert main([*arguments, "--engines", "local,spark", "--no-plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    local, spark = told["counts"]
    assert (spark["engine"], spark["edges"]) == ("spark", local["edges"])
    assert spark["steps_core_s"]["JVM, start"] > spark["steps_core_s"]["decode"] > 0
    assert spark["plan_cpu_s"] is None
    assert {each["engine"] for each in told["projection"]} == {"local", "spark"}
