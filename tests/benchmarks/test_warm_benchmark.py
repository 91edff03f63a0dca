"""Both engines in turns, in one session: edges, seconds, jobs and bytes shuffled."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from benchmarks import warm
from benchmarks.errors import BenchmarkError
from benchmarks.shuffled import shuffled_turns
from benchmarks.warm import Turn, cpu_seconds, descendants, turns_of, turns_table
from r2d2.engines.spark import scans as spark_scans
from r2d2.graph import Graph


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two tables, of which one is contained in the other."""
    for name, rows in (("part", 5000), ("whole", 9000)):
        pq.write_table(pa.table({"x": range(rows)}), tmp_path / f"{name}.parquet")
    return tmp_path


def turn(lake: Path, local_s: float, spark_s: float) -> Turn:
    """A turn in which both engines found the same in so many seconds."""
    graph = r2d2.find(lake)
    funnel = [replace(row, core_seconds=0.5, bytes_shuffled=7) for row in graph.funnel]
    graph = replace(graph, funnel=tuple(funnel))
    return Turn(graph, local_s, 2.0, graph, spark_s, 5.0, 4, 1000, 2.0)


def cells(table: str) -> dict[str, str]:
    """The last row of a table by its heads; of equal heads the last."""
    heads, _, row = ([cell.strip() for cell in line.split("|")] for line in table.splitlines())
    return dict(zip(heads, row, strict=True))


def test_ratios_are_medians_of_the_turns_own_ratios(lake: Path) -> None:
    counted = [turn(lake, 1.0, 3.0), turn(lake, 4.0, 4.0), turn(lake, 2.0, 3.0)]
    told = cells(turns_table(counted, "local[2]"))
    assert told["tables"] == "2"
    assert told["edges"] == "1"
    assert told["local s"].startswith("2.00")
    assert told["Spark jobs"] == "4"
    assert "| 1.50 (1.00–3.00)" in turns_table(counted, "local[2]")
    assert told["ratio"].startswith("2.50")


def test_core_seconds_of_spark_are_those_of_the_funnel_and_of_the_jvm(lake: Path) -> None:
    one = turn(lake, 1.0, 1.0)
    told = cells(shuffled_turns([one]))
    stages = len(one.spark.funnel)
    assert told["local core s"].startswith(f"{0.5 * stages:.2f}")
    assert told["Spark core s"].startswith(f"{0.5 * stages + 2:.2f}")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_the_cpu_seconds_of_what_a_process_started_are_found() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\ntime.sleep(60)"
    started = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    with subprocess.Popen([sys.executable, "-c", started]) as parent:
        try:
            deadline = time.monotonic() + 60
            while sum(map(cpu_seconds, descendants(parent.pid))) < 0.2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            for process in [*descendants(parent.pid), parent.pid]:
                subprocess.run(["kill", "-9", str(process)], check=True)
    assert cpu_seconds(parent.pid) == 0.0


@pytest.mark.spark
def test_a_turn_counts_what_spark_did(
    lake: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = islice(turns_of(lake, spark), 2)
    assert 0 < second.jobs <= first.jobs
    assert len(first.spark.edges) == 1
    assert first.spark_cpu_s > first.jvm_s >= 0
    assert first.shuffled_bytes == 0
    monkeypatch.setattr(spark_scans, "HELD_BYTES", 0)
    monkeypatch.setattr(spark_scans, "FEW_PARTITIONS", 0)
    (third,) = islice(turns_of(lake, spark), 1)
    assert third.shuffled_bytes > 0
    assert third.jobs > second.jobs


@pytest.mark.spark
def test_engines_that_differ_are_an_error(
    lake: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(folder: Path, **how: Any) -> Graph:
        graph = r2d2.find(folder, **how)
        return replace(graph, edges=()) if how else graph

    monkeypatch.setattr(warm, "find", find)
    turns: Iterator[Turn] = turns_of(lake, spark)
    with pytest.raises(BenchmarkError, match="edges differ"):
        next(turns)
