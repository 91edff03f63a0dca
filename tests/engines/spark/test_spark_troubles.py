"""What goes wrong on an executor costs the table that it is about, and never the run."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import EXIT_SOME_UNREADABLE
from tests.support.engines import troubled
from tests.support.engines.cluster import REPOSITORY, run
from tests.support.engines.troubled.sitecustomize import errors

pytestmark = pytest.mark.spark


def test_a_foreign_error_on_an_executor_costs_its_table(tmp_path: Path) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    lake.mkdir()
    values = [f"value {number}" for number in range(9)]
    for name in ("good", "copy", *(f"read {name}" for name in errors())):
        pq.write_table(pa.table({"x": values}), lake / f"{name}.parquet")
    for name in errors():
        pq.write_table(pa.table({"x": [f"hash {name}", *values]}), lake / f"hash {name}.parquet")
    ended = run(
        ["-m", "r2d2", "find", str(lake), "--engine", "spark", "--out", str(out)],
        PYTHONPATH=f"{Path(troubled.__path__[0])}:{REPOSITORY}",
        SPARK_SUBMIT_OPTS="",  # r2d2's own session chooses another collector
    )
    assert ended.returncode == EXIT_SOME_UNREADABLE, ended.stderr
    graph = json.loads((out / "graph.json").read_text())
    assert {(edge["child"], edge["parent"]) for edge in graph["edges"]} == {
        ("good.parquet", "copy.parquet"),
        ("copy.parquet", "good.parquet"),
    }
    told = {table["location"]: table["problem"] for table in graph["tables"] if table["problem"]}
    assert told.keys() == {f"{at} {name}.parquet" for at in ("read", "hash") for name in errors()}
    for location, problem in told.items():
        assert location.removesuffix(".parquet").partition(" ")[2] in problem


def test_a_table_that_is_too_big_for_a_worker_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    lake.mkdir()
    tables = {"huge": ["v" * (1 << 20)] * 700, "part": ["a"], "whole": ["a", "b"]}
    for name, values in tables.items():
        pq.write_table(pa.table({"x": values}), lake / f"{name}.parquet")
    ended = run(
        ["-m", "r2d2", "find", str(lake), "--engine", "spark", "--stages", "schema,exact",
         "--master", "local[1]", "--out", str(out)],
        PYSPARK_SUBMIT_ARGS="--conf spark.executor.pyspark.memory=700m pyspark-shell",
        SPARK_SUBMIT_OPTS="",
    )  # fmt: skip
    assert ended.returncode == EXIT_SOME_UNREADABLE, ended.stderr
    graph = json.loads((out / "graph.json").read_text())
    edges = [(edge["child"], edge["parent"]) for edge in graph["edges"]]
    assert edges == [("part.parquet", "whole.parquet")]
    told = {table["location"]: table["problem"] for table in graph["tables"] if table["problem"]}
    assert list(told) == ["huge.parquet"]
    assert "not enough memory" in told["huge.parquet"]
    assert "Spark's workers" in told["huge.parquet"]


def test_a_table_whose_readers_are_killed_on_every_try_is_named_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    lake.mkdir()
    for name, rows in (("kill me", 8000), ("part", 5000), ("whole", 9000), ("kill too", 7000)):
        pq.write_table(pa.table({"x": range(rows)}), lake / f"{name}.parquet")
    ended = run(
        ["-m", "r2d2", "find", str(lake), "--engine", "spark", "--master", "local[2]",
         "--stages", "schema,exact", "--out", str(out)],
        PYTHONPATH=f"{Path(troubled.__path__[0])}:{REPOSITORY}",
        SPARK_SUBMIT_OPTS="",
    )  # fmt: skip
    assert ended.returncode == EXIT_SOME_UNREADABLE, ended.stderr
    graph = json.loads((out / "graph.json").read_text())
    edges = [(edge["child"], edge["parent"]) for edge in graph["edges"]]
    assert edges == [("part.parquet", "whole.parquet")]
    told = {table["location"]: table["problem"] for table in graph["tables"] if table["problem"]}
    assert list(told) == ["kill me.parquet", "kill too.parquet"]
    assert all("died" in problem and "memory" in problem for problem in told.values())
