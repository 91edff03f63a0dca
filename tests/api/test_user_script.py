"""A user's script is typed: `mypy --strict` knows what each call returns, and what it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
GOOD = """
from typing import Any, assert_type

import polars as pl

import r2d2

for table in r2d2.tables("lake").tables:
    assert_type(table, r2d2.Table)
run = r2d2.find("lake", out="run", types="widened", min_fraction=0.9, threads=2)
assert_type(run, r2d2.Run)
assert_type(run.edges[0], r2d2.Edge)
assert_type(run.edges[:5].to_polars(), pl.DataFrame)
assert_type(run.equal[0], tuple[str, ...])
assert_type(run.to_polars(), pl.DataFrame)
assert_type(r2d2.open_run("run").plan, r2d2.Plan | None)
plan = r2d2.plan(run, "r2d2.toml", profile="profile.json")
assert_type(plan.deleted[0].saving_usd_per_month, float)
assert_type(plan.deleted[0].recipe, dict[str, Any])
assert_type(plan.tables[0].recipe, dict[str, Any] | None)
assert_type(plan.totals.payback_months, float | None)
assert_type(r2d2.vmcost("logs", vm="m5.xlarge", count=4).usd, float | None)
try:
    r2d2.plan("run")
except r2d2.MissingDependencyError as error:
    assert_type(error.exit_code, int)
"""
BAD = """
import r2d2

r2d2.find("lake", min_fractoin=0.9)
r2d2.find("lake", types="wide")
r2d2.plan(7)
r2d2.vmcost("log", vm=4)
r2d2.open_run("run").edgs
"""


@pytest.mark.slow
def test_a_users_script_is_typed(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    options = ("--strict", "--config-file=", "--no-error-summary", "--hide-error-context")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "good.py", "bad.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    errors = [line.split(": error: ")[0] for line in done.stdout.splitlines() if "error:" in line]
    assert errors == [f"bad.py:{line}" for line in range(4, 9)], done.stdout + done.stderr
