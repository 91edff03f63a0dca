"""What a library raises on an executor costs the table that it is about, and never the run."""

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
