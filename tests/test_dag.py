"""The DAG file is for Airflow's environment, which has neither r2d2 nor pyspark."""

import ast
import sys
from pathlib import Path

import pytest

JOBS = Path(__file__).parents[1] / "jobs"
DAG = ast.parse((JOBS / "dags" / "r2d2_dag.py").read_text(encoding="utf-8"))


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


def test_the_dag_file_imports_airflow_and_the_standard_library_only() -> None:
    assert imported(DAG) - sys.stdlib_module_names == {"airflow"}


@pytest.mark.parametrize("job", ["find_containment.py", "plan_deletions.py"])
def test_the_jobs_that_the_dag_submits_are_there(job: str) -> None:
    assert f"/{job}" in {node.value for node in ast.walk(DAG) if isinstance(node, ast.Constant)}
    assert (JOBS / job).is_file()
