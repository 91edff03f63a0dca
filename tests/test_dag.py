"""The DAG file is for Airflow's environment, which has neither r2d2 nor pyspark; and its jobs."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from jobs import find_containment, plan_deletions
from jobs.find_containment import find_arguments
from jobs.purge import purge_arguments
from r2d2.cli import main
from r2d2.errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE, EXIT_USAGE

SPARK = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "PYSPARK_PYTHON": sys.executable,
}
JOBS = Path(__file__).parents[1] / "jobs"
DAGS = {path.stem: ast.parse(path.read_text("utf-8")) for path in (JOBS / "dags").glob("*.py")}


def imported(tree: ast.AST) -> set[str]:
    """The packages that the module imports, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a DAG file is no part of a package"
            names.add(str(node.module).partition(".")[0])
    return names


@pytest.mark.parametrize("dag", sorted(DAGS))
def test_a_dag_file_imports_airflow_and_what_the_dags_share_only(dag: str) -> None:
    shared = set() if dag == "r2d2_jobs" else {"r2d2_jobs"}
    assert imported(DAGS[dag]) - sys.stdlib_module_names == {"airflow", *shared}


@pytest.mark.parametrize(
    "job",
    [
        "find_containment.py",
        "plan_deletions.py",
        "check_plan.py",
        "apply_plan.py",
        "purge.py",
        "profile_vm_cost.py",
    ],
)
def test_the_jobs_that_the_dag_submits_are_there(job: str) -> None:
    nodes = [node for dag in DAGS.values() for node in ast.walk(dag)]
    assert job in {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert (JOBS / job).is_file()


def test_the_job_keeps_its_own_flag_and_what_a_template_left_empty_from_find() -> None:
    assert find_arguments(["/lake", "", "--unreadable-ok", "--out=/o"]) == ["/lake", "--out=/o"]


def test_the_purge_that_a_person_approved_is_of_the_tables_named_only() -> None:
    told = ["/lake", "", "--refused-ok", "--only=a,b", "--yes", "--out=/o"]
    assert purge_arguments(told) == (["a", "b", "/lake", "--out=/o", "--yes"], True)


@pytest.mark.parametrize("only", ["--only=", "--only=a,", "--only=,"])
def test_a_purge_of_no_deletion_is_none_of_all(only: str) -> None:
    with pytest.raises(SystemExit, match=str(EXIT_USAGE)):
        purge_arguments(["/lake", only, "--yes"])


@pytest.mark.parametrize("job", [find_containment, plan_deletions])
def test_a_lake_with_an_unreadable_table_is_fine_only_where_the_job_is_told_so(
    job: ModuleType,
) -> None:
    told = ["/lake", "--unreadable-ok"]
    assert job.job_exit_code(EXIT_SOME_UNREADABLE, told) == EXIT_OK
    assert job.job_exit_code(EXIT_SOME_UNREADABLE, ["/lake"]) == EXIT_SOME_UNREADABLE


@pytest.mark.parametrize("job", [find_containment, plan_deletions])
@pytest.mark.parametrize("code", [EXIT_OK, EXIT_FAILED, EXIT_FOUND])
def test_the_flag_hides_no_other_failure(job: ModuleType, code: int) -> None:
    assert job.job_exit_code(code, ["/lake", "--unreadable-ok"]) == code


@pytest.mark.spark
def test_the_plan_that_spark_submit_makes_of_a_damaged_lake_keeps_the_table(
    tmp_path: Path,
) -> None:
    research = JOBS.parent / "sample_lake" / "research"
    (tmp_path / "lake").mkdir()
    for name in ("penguins.parquet", "penguins.orc"):
        shutil.copy(research / name, tmp_path / "lake" / name)
    (tmp_path / "lake" / "cut.parquet").write_bytes(b"PAR1 and no more")
    run = tmp_path / "run"
    assert main(["find", str(tmp_path / "lake"), "--out", str(run)]) == EXIT_SOME_UNREADABLE
    planned = (f"--run={run}", f"--out={run / 'plan.json'}", "")
    submit("plan_deletions.py", *planned, "--unreadable-ok")
    graph = json.loads((run / "graph.json").read_text())
    assert [t["location"] for t in graph["tables"] if t["unreadable"]] == ["cut.parquet"]
    plan = json.loads((run / "plan.json").read_text())
    (kept,) = (t for t in plan["tables"] if t["table"] == "cut.parquet")
    assert kept["choice"] == "keep"
    assert "no Parquet footer" in kept["reason"]


def submit(job: str, *arguments: str) -> None:
    from pyspark.find_spark_home import _find_spark_home

    command = [f"{_find_spark_home()}/bin/spark-submit", "--master", "local[2]"]
    ended = subprocess.run(
        [*command, "--conf", "spark.ui.enabled=false", str(JOBS / job), *arguments],
        env=os.environ | SPARK,
        capture_output=True,
        encoding="utf-8",
    )
    assert ended.returncode == 0, ended.stderr
