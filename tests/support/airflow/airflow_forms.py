"""What the DAG shows a person and writes, from plans made up here; needs Airflow's environment."""

import io
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

sys.path.insert(0, str(Path(__file__).parents[3] / "jobs" / "dags"))
from r2d2_dag import SHOWN, make_dag, proposal, summary

HOSTILE = "a|b`<script>\n# c"


def forms() -> None:
    """All of them."""
    for check in (
        nothing_is_proposed_where_nothing_is_deleted,
        a_name_cannot_break_the_form,
        a_long_plan_is_cut_and_counted,
        a_lake_of_which_nothing_could_be_read_fails,
        a_plan_that_changed_since_it_was_approved_fails,
        a_dag_may_be_told_to_fail_on_what_cannot_be_read,
    ):
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
            check(Path(folder) / "plan.json")
        print(check.__name__.replace("_", " "))


def nothing_is_proposed_where_nothing_is_deleted(plan: Path) -> None:
    write(plan, 0)
    assert proposal(str(plan)) is None


def a_name_cannot_break_the_form(plan: Path) -> None:
    write(plan, 1, name=HOSTILE, unreadable=[HOSTILE])
    told = shown(plan)
    assert "<script>" not in told
    assert told.count("\n# c") == 0
    table = [line for line in told.splitlines() if line.startswith("| ")]
    assert [line.count("|") for line in table] == [6, 6], table


def a_long_plan_is_cut_and_counted(plan: Path) -> None:
    write(plan, SHOWN + 7, unreadable=[f"lost/{n}" for n in range(SHOWN + 3)])
    told = shown(plan)
    assert told.endswith("… and 7 more")
    assert "- … and 3 more" in told


def a_lake_of_which_nothing_could_be_read_fails(plan: Path) -> None:
    write(plan, 0, unreadable=["a", "b"], readable=0)
    told = fails(AirflowFailException, lambda: proposal(str(plan)))
    assert "none of 2 tables could be read" in told, told


def a_plan_that_changed_since_it_was_approved_fails(plan: Path) -> None:
    write(plan, 1)
    proposed = proposal(str(plan))
    assert proposed is not None
    write(plan, 2)
    told = fails(ValueError, lambda: summary(str(plan), proposed))
    assert "is not the plan that was approved" in told, told
    assert not plan.with_name("summary.json").exists()


def a_dag_may_be_told_to_fail_on_what_cannot_be_read(_: Path) -> None:
    for ok in (True, False):
        dag = make_dag(f"unreadable_ok_{ok}", unreadable_ok=ok)
        for name in ("find", "plan"):
            assert ("--unreadable-ok" in dag.get_task(name).application_args) == ok


def shown(plan: Path) -> str:
    proposed = proposal(str(plan))
    assert proposed is not None
    return str(proposed["told"])


def fails(kind: type[Exception], work: Any) -> str:
    try:
        work()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def write(
    plan: Path,
    deleted: int,
    name: str = "t",
    unreadable: Sequence[str] = (),
    readable: int = 1,
) -> None:
    """A plan that deletes so many tables, and the graph beside it."""
    tables = [
        {
            "table": f"{name}{number}",
            "choice": "delete",
            "frees_bytes": 10**6,
            "saving_usd_per_month": 1.0,
            "rebuild_p95_s": 120.0,
            "way": "rebuild",
            "parents": ["p"],
        }
        for number in range(deleted)
    ]
    totals = {"freed_bytes": deleted * 10**6, "saving_usd_per_month": float(deleted)}
    made = {"tables": tables, "totals": totals, "sha256": f"of {deleted}", "lake": "/lake"}
    plan.write_text(json.dumps(made), encoding="utf-8")
    located = [
        {"location": name, "problem": f"{name}: cut off", "unreadable": True} for name in unreadable
    ]
    located += [{"location": "p", "problem": None, "unreadable": False}] * readable
    plan.with_name("graph.json").write_text(json.dumps({"tables": located}), encoding="utf-8")
