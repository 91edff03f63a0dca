"""A plan tells what `find` could not read or take, and which rules `find` did not have."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE
from r2d2.plan.check import check_plan
from r2d2.plan.lake_now import compare_lake

RULES = '[[table]]\nfolder = "parts"\n[[text]]\ntables = "ragged.csv"\ndelimiter = ";"\n'


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A table, its copy, and one that only its rows show to be damaged."""
    folder = tmp_path / "lake"
    folder.mkdir()
    table = pa.table({"x": range(90)})
    pq.write_table(table, folder / "one.parquet")
    pq.write_table(table, folder / "two.parquet")
    lines = ["id,x", *(f"{number},{number * 7}" for number in range(2000)), ""]
    (folder / "whole.csv").write_text("\n".join(lines))
    (folder / "ragged.csv").write_text("\n".join([*lines[:900], "1,2,3", ""]))
    return folder


def plan_of(run: Path) -> Any:
    return json.loads((run / "plan.json").read_text())


def reason(run: Path, name: str) -> str:
    (entry,) = (table for table in plan_of(run)["tables"] if table["table"] == name)
    return str(entry["reason"])


def test_the_reason_of_a_table_that_was_found_damaged_while_it_was_read_is_told(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_SOME_UNREADABLE
    graph = json.loads((run / "graph.json").read_text())
    (problem,) = (t["problem"] for t in graph["tables"] if t["location"] == "ragged.csv")
    capsys.readouterr()
    assert main(["plan", "--run", str(run)]) == EXIT_SOME_UNREADABLE
    assert reason(run, "ragged.csv") == f"it cannot be judged: {problem}"
    told = capsys.readouterr().out
    assert f"kept 1: it cannot be judged: {problem.removeprefix('ragged.csv: ')}" in told
    assert check_plan(plan_of(run), run) == check_plan(plan_of(run)) == ()
    assert compare_lake(plan_of(run), run).broken == ()


def test_plan_exits_with_4_while_a_table_is_unreadable_and_what_fail_on_names_goes_before(
    lake: Path, tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    main(["find", str(lake), "--out", run])
    plan = ["plan", "--run", run]
    assert main(plan) == main([*plan, "--what-if"]) == EXIT_SOME_UNREADABLE
    assert main([*plan, "--explain", "one.parquet"]) == EXIT_SOME_UNREADABLE
    assert main([*plan, "--fail-on", "savings=0"]) == EXIT_FOUND
    (lake / "ragged.csv").unlink()
    main(["find", str(lake), "--out", run])
    assert main(plan) == EXIT_OK


def test_a_table_that_is_not_eligible_is_no_table_that_could_not_be_read(
    lake: Path, tmp_path: Path
) -> None:
    (lake / "ragged.csv").unlink()
    twice = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(twice, lake / "twice.parquet")
    run = tmp_path / "run"
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_OK
    assert main(["plan", "--run", str(run)]) == EXIT_OK
    assert reason(run, "twice.parquet").startswith("it is not eligible: ")


def test_a_rule_for_tables_that_find_did_not_have_is_told_with_the_remedy(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (lake / "ragged.csv").write_text("a;b\n1;2\n")
    run, config = tmp_path / "run", tmp_path / "r2d2.toml"
    config.write_text(RULES)
    main(["find", str(lake), "--out", str(run)])
    capsys.readouterr()
    assert main(["plan", "--run", str(run), "--config", str(config)]) == EXIT_OK
    told = capsys.readouterr().err
    remedy = f"run `r2d2 find {lake} --config {config} --out {run}` again"
    for rule in ('[[table]] folder = "parts"', '[[text]] tables = "ragged.csv"'):
        assert f"{config}: {rule}: `find` ran without this rule; {remedy}" in told
    main(["find", str(lake), "--config", str(config), "--out", str(run)])
    capsys.readouterr()
    main(["plan", "--run", str(run), "--config", str(config)])
    assert "ran without" not in capsys.readouterr().err
