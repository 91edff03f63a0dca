"""What the DAG shows a person and writes, from plans made up here; needs Airflow's environment."""

import io
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

sys.path.insert(0, str(Path(__file__).parents[3] / "jobs" / "dags"))
from r2d2_dag import make_dag, proposal, r2d2_task_group, summary
from r2d2_jobs import SHOWN
from r2d2_purge_dag import MOST, make_purge_dag, to_purge

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
        a_summary_tells_how_its_run_ended,
        only_a_person_who_said_yes_has_something_deleted,
        a_dag_that_runs_for_days_of_the_past_cannot_have_the_tasks,
        a_purge_is_asked_for_no_more_tables_than_fit_and_for_those_only,
    ):
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
            check(Path(folder) / "plan.json")
        print(check.__name__.replace("_", " "))


def nothing_is_proposed_where_nothing_is_deleted(plan: Path) -> None:
    write(plan, 0)
    assert proposal(str(plan), "file:///page") is None


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
    told = fails(AirflowFailException, lambda: proposal(str(plan), "file:///page"))
    assert "none of 2 tables could be read" in told, told


def a_plan_that_changed_since_it_was_approved_fails(plan: Path) -> None:
    write(plan, 1)
    proposed = proposal(str(plan), "file:///page")
    assert proposed is not None
    write(plan, 2)
    told = fails(AirflowFailException, lambda: summary(str(plan), proposed))
    assert "is not the plan that was approved" in told, told
    assert not plan.with_name("summary.json").exists()


def a_dag_may_be_told_to_fail_on_what_cannot_be_read(_: Path) -> None:
    for ok in (True, False):
        dag = make_dag(f"unreadable_ok_{ok}", unreadable_ok=ok)
        for name in ("find", "plan"):
            assert ("--unreadable-ok" in dag.get_task(name).application_args) == ok


ANN = {"id": "ann", "name": "ann"}
APPROVE, REJECT = ["Approve"], ["Reject"]


def a_summary_tells_how_its_run_ended(plan: Path) -> None:
    write(plan, 2)
    yes = {"chosen_options": APPROVE, "responded_by_user": ANN}
    no = {"chosen_options": REJECT, "responded_by_user": ANN}
    late = no | {"responded_by_user": None}
    gone = {"step": "Applied", "table": "t0", "deletion": "d", "size_bytes": 1}
    would = gone | {"table": "t1", "deletion": ""}
    stays = {"step": "Refused", "table": "t1", "reason": "r"}
    killed = "it was stopped"
    for answer, failed, steps, problem, outcome, told in (
        (yes, None, [gone, stays], None, "deleted", "1 of 2 tables deleted, 1.000 MB freed, $1.00"),
        (yes, None, [would], None, "told", "Nothing was deleted. The Param `delete` is off."),
        (None, None, [would], None, "told", "Nothing was deleted. No person approved."),
        (no, None, None, None, "rejected", "ann rejected the plan. Nothing was deleted."),
        (late, None, None, None, "expired", "Nobody answered in time. Nothing was deleted."),
        (yes, "check", None, None, "failed", "`check` failed: its log says why. Nothing was"),
        (yes, "apply", [gone], "no disk", "failed", "`apply` stopped: no disk. 1 of 2 tables"),
        (
            yes,
            "apply",
            [],
            killed,
            "failed",
            "`apply` stopped: it was stopped. `r2d2 status /lake`",
        ),
    ):
        applied, written = (plan.with_name(f"{name}.json") for name in ("applied", "summary"))
        applied.unlink(missing_ok=True)
        if steps is not None:
            applied.write_text(json.dumps({"steps": steps, "problem": problem}))
        ends_in = {"failed": AirflowFailException, "deleted": None, "told": None}
        expected = ends_in.get(outcome, AirflowSkipException)
        proposed = proposal(str(plan), "file:///page")

        def work(answer: Any = answer, failed: Any = failed, proposed: Any = proposed) -> None:
            summary(str(plan), proposed, ti=instance(answer, failed))

        fails(expected, work) if expected else work()
        found = json.loads(written.read_text())
        assert found["outcome"] == outcome, found
        assert found["told"].startswith(told), found["told"]
        assert found["page"] == "file:///page"
        assert (found["deleted"] is None) == (problem == killed)


def instance(answer: dict[str, Any] | None, failed: str | None) -> Any:
    """The instance of the task *summary*, where a person answered so and that task failed."""

    class Instance:
        dag_id, run_id = "r2d2", "run"
        xcom_pull = staticmethod(lambda task_ids, key: answer)
        get_task_states = staticmethod(
            lambda dag_id, task_ids, run_ids: {
                "run": {name: "failed" if name == failed else "success" for name in task_ids}
            }
        )

    return Instance


def only_a_person_who_said_yes_has_something_deleted(_: Path) -> None:
    apply = make_dag("yes").get_task("apply")
    purge = make_purge_dag("yes_purge").get_task("purge")
    for answer, delete, says_yes in (
        ({"chosen_options": APPROVE, "responded_by_user": ANN}, True, True),
        ({"chosen_options": APPROVE, "responded_by_user": ANN}, False, False),
        ({"chosen_options": REJECT, "responded_by_user": ANN}, True, False),
        ({"chosen_options": APPROVE, "responded_by_user": None}, True, False),
        ({"chosen_options": REJECT, "responded_by_user": None}, True, False),
        (None, True, False),
    ):
        given = rendered(apply, answer, delete)
        assert ("--yes" in given) == says_yes, given
        assert ("--approved-by=ann" in given) == (says_yes or not delete), given
        given = rendered(purge, answer, delete)
        assert ("--yes" in given) == (says_yes or not delete), given
        assert "--only=a,b" in given, given


def rendered(job: Any, answer: dict[str, Any] | None, delete: bool) -> list[str]:
    """The arguments of the job, for what was answered."""
    pulled = {"approve": answer, "proposal": {"sha256": "0"}, "to_purge": {"ids": ["a", "b"]}}

    class Instance:
        xcom_pull = staticmethod(lambda task_ids, key=None: pulled[task_ids])

    class DagRun:
        logical_date = datetime(2026, 1, 1)

    params = {"delete": delete, "config": None, "out": "/out", "lake": "/lake"}
    known = {"ti": Instance, "params": params, "dag_run": DagRun}
    environment = job.dag.get_template_env()
    return [environment.from_string(each).render(known) for each in job.application_args]


def a_dag_that_runs_for_days_of_the_past_cannot_have_the_tasks(_: Path) -> None:
    for more in (
        {},
        {"allowed_run_types": ["manual", "backfill"]},
        {"allowed_run_types": ["manual"], "catchup": True, "start_date": datetime(2026, 1, 1)},
    ):
        with DAG("of_the_past", **more):
            told = fails(ValueError, r2d2_task_group)
        assert "catchup=False and allowed_run_types=" in told, told
    with DAG("of_today", allowed_run_types=["manual"]):
        r2d2_task_group()


def a_purge_is_asked_for_no_more_tables_than_fit_and_for_those_only(due: Path) -> None:
    steps = [
        {"step": "Purged", "table": f"{HOSTILE}{n}", "deletion": f"{n:032}", "size_bytes": 1}
        for n in range(MOST + 5)
    ]
    stays = {"step": "NotPurged", "table": "s", "deletion": "s", "reason": "r", "is_over": True}
    due.write_text(json.dumps({"steps": [stays, *steps], "problem": None}), encoding="utf-8")
    listed = to_purge(str(due))
    assert listed is not None
    assert listed["ids"] == [step["deletion"] for step in steps[:MOST]]
    assert len("--only=" + ",".join(listed["ids"])) < 128 * 1024
    assert listed["told"].startswith("1,000 tables, 0.001 MB.")
    assert "5 more wait for the next run" in listed["told"]
    assert "<script>" not in listed["told"]
    due.write_text(json.dumps({"steps": [stays], "problem": None}), encoding="utf-8")
    assert to_purge(str(due)) is None


def shown(plan: Path) -> str:
    proposed = proposal(str(plan), "file:///page")
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
