"""The Spark engine beyond a session in this process: Connect, a cluster, a submitted job."""

import importlib.util
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.cli import main
from r2d2.engines.spark.session import session_of, spark_errors
from r2d2.errors import EXIT_SOME_UNREADABLE, MissingDependencyError, R2D2Error
from tests.support.engines.cluster import REPOSITORY, run, standalone
from tests.support.engines.losing_workers import WORKERS

pytestmark = pytest.mark.spark

SAME = ("edges.csv", "degenerate.csv", "tables.csv", "graph.json")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty small tables in three nested families, some rows missing here and there; one is cut."""
    folder = tmp_path_factory.mktemp("nested")
    for index in range(60):
        rows = [*range(index % 3, 50 + 5 * index, 3), -(index % 7)]
        table = pa.table({"x": rows, "y": [str(row) for row in rows]})
        pq.write_table(table, folder / f"{index:02}.parquet")
    (folder / "cut.parquet").write_bytes(b"PAR1 and no more")
    return folder


@pytest.fixture(scope="module")
def written(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the local engine writes of that lake."""
    out = tmp_path_factory.mktemp("local")
    told = ["find", str(lake), "--min-fraction", "0.5", "--out", str(out)]
    assert main(told) == EXIT_SOME_UNREADABLE
    return out


def check_same(written: Path, out: Path) -> None:
    for name in SAME:
        assert (out / name).read_bytes() == (written / name).read_bytes()


@pytest.mark.skipif(not importlib.util.find_spec("grpc"), reason="no grpcio: pyspark[connect]")
def test_a_spark_connect_server_gives_the_same_edges(
    lake: Path, written: Path, tmp_path: Path
) -> None:
    ended = run(
        ["-m", "r2d2", "find", str(lake), "--min-fraction", "0.5", "--engine", "spark",
         "--out", str(tmp_path)],
        SPARK_REMOTE="local[2]",
    )  # fmt: skip
    assert ended.returncode == EXIT_SOME_UNREADABLE, ended.stderr
    check_same(written, tmp_path)


def test_the_job_for_spark_submit_writes_what_the_command_line_writes_and_ends_well(
    lake: Path, written: Path, tmp_path: Path
) -> None:
    submit = ["-m", "pyspark.find_spark_home"]
    home = run(submit).stdout.strip()
    assert home
    job = str(REPOSITORY / "jobs/find_containment.py")
    ended = run(
        ["-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])",
         f"{home}/bin/spark-submit", "--master", "local[2]", "--conf", "spark.ui.enabled=false",
         job, str(lake), "--min-fraction", "0.5", "--out", str(tmp_path), "--unreadable-ok", ""]
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    check_same(written, tmp_path)


def test_a_cluster_that_loses_workers_in_mid_job_gives_the_same_edges(
    lake: Path, tmp_path: Path
) -> None:
    (tmp_path / "gate").mkdir()
    with standalone(WORKERS, tmp_path) as cluster:
        ended = run(
            ["-m", "tests.support.engines.losing_workers", cluster.master, str(lake),
             str(tmp_path / "gate"), *map(str, cluster.workers[:2])]
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    graph = r2d2.find(lake, min_fraction=0.5)
    edges = [[e.child, e.parent, e.fraction, e.missing_rows] for e in graph.edges]
    assert json.loads(ended.stdout.splitlines()[-1]) == edges


def test_the_session_that_is_active_is_used_and_not_stopped(spark: object) -> None:
    with session_of(None) as session:
        assert session is spark
    with session_of(None) as session:
        assert session.range(3).count() == 3


def test_without_pyspark_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(MissingDependencyError, match="pip install"), session_of(None):
        pass


def test_without_java_the_message_says_so(tmp_path: Path) -> None:
    ended = run(
        ["-m", "r2d2", "find", str(tmp_path), "--engine", "spark"],
        PATH=str(tmp_path),
        JAVA_HOME="",
    )
    assert ended.returncode == R2D2Error.exit_code
    assert "Java" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_without_r2d2_is_told_how_to_get_it() -> None:
    from pyspark.errors import PythonException

    text = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'r2d2'"
    with pytest.raises(MissingDependencyError, match="--py-files"), spark_errors():
        raise PythonException(text)


def test_what_a_worker_could_not_do_is_told_in_one_line() -> None:
    from pyspark.errors import PythonException

    text = "[X] thrown:\nTraceback (most recent call last):\n  at a\nMemoryError: full\n\nJVM:\n"
    with (
        pytest.raises(
            R2D2Error, match=r"^Spark could not finish: MemoryError: full; .*pyspark\.memory"
        ),
        spark_errors(),
    ):
        raise PythonException(text)
