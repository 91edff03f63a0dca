"""The Airflow 3.3 DAG `r2d2`: find, plan, a person's approval, and deletion where it is wanted.

Copy it into the folder of DAGs with r2d2_jobs.py, or import `make_dag` or `r2d2_task_group` from it
there for DAGs with a schedule, other Spark options, or defaults of your own. It needs Airflow and
apache-airflow-providers-apache-spark; r2d2 and pyspark live in another environment, since the
provider's pyspark-client overwrites files of pyspark.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from r2d2_jobs import (
    APPROVED,
    APPROVED_PLAN,
    CONFIG,
    ENVIRONMENT,
    FOLDER,
    LAKE,
    OUT,
    PERSON,
    RUN_TYPES,
    Approval,
    cell,
    jobs_of,
    lake_dag,
    lake_params,
    optional,
    shown,
)

DOC = """
### r2d2: what can be deleted from a lake, and its deletion once a person said yes

1. **find** proves which tables are contained in others;
2. **plan** chooses which of them to delete so that each can be rebuilt in time, and runs every
   recipe once;
3. **proposal** reads the plan and what could not be read; the run ends here if there is nothing to
   delete;
4. **approve** asks a person (Browse → Required Actions), and takes no answer for *Reject*;
5. **check** derives the plan's figures again and looks at the lake: the run fails if a file that
   the plan is about has changed since;
6. **apply** records the approval and moves the tables into quarantine, each compared with its
   rebuild, if the Param *delete* is on; otherwise it only tells what it would move. It is never
   tried again by itself: clear it, and it goes on where it stopped;
7. **summary** writes `summary.json`, however the run went: what was approved, by whom, and what
   became of it. The task is skipped where nobody approved, and fails where the run did.

Nothing is destroyed here: `r2d2 undo` puts all back until `r2d2_purge`, which asks again. A run
that is rejected, expired, changed or failed deletes nothing more, and no backfill runs. Clear
*approve* to be asked again. The page of the plan is `report.html` beside it. All output is in *out
folder*/*logical date*, so a run that is cleared and repeated writes the same files. That folder
must be one that the Spark driver and Airflow's workers share; in client mode they are one machine.

Spark's master is that of the connection, `spark_default` unless another is named. **Without that
connection the provider takes YARN, silently**:
`airflow connections add spark_default --conn-type spark --conn-host 'local[*]'`

A table that cannot be read stays, and the proposal names it; the run fails if none can be read.
"""
USAGE = "{{ '--usage=' ~ params.usage if params.usage }}"
PROFILE = "{{ '--profile=' ~ params.profile if params.profile }}"
PLAN, PAGE, APPLIED = (f"{FOLDER}/{name}" for name in ("plan.json", "report.html", "applied.json"))
LINK = f"{{{{ params.pages or 'file://' ~ params.out }}}}{PAGE.removeprefix('{{ params.out }}')}"
WHO = f"{{{{ '--approved-by=' ~ {PERSON}['name'] if {APPROVED} }}}}"
SHA256 = "{{ '--sha256=' ~ ti.xcom_pull(task_ids='proposal')['sha256'] }}"


def make_dag(
    dag_id: str = "r2d2",
    *,
    lake: str | None = None,
    out: str | None = None,
    config: str | None = None,
    usage: str | None = None,
    profile: str | None = None,
    pages: str | None = None,
    delete: bool = False,
    schedule: Any = None,
    environment: str | None = None,
    jobs: str | None = None,
    conn_id: str = "spark_default",
    submit: Mapping[str, Any] | None = None,
    unreadable_ok: bool = True,
    retries: int = 2,
    answer_within: timedelta = timedelta(days=7),
    **more: Any,
) -> DAG:
    """The DAG; the defaults of its Params are lake, out, config, usage, profile, pages, delete.

    Args:
        environment: as for `r2d2_task_group`; also jobs, conn_id, submit, unreadable_ok and
            answer_within.
        more: arguments of DAG, such as start_date.
    """
    with lake_dag(
        dag_id,
        "Which tables of a lake can be deleted and rebuilt; a person decides",
        DOC,
        schedule=schedule,
        allowed_run_types=RUN_TYPES,
        retries=retries,
        params=lake_params(lake, out, config) | _params(usage, profile, pages, delete),
        **more,
    ) as dag:
        r2d2_task_group(
            environment=environment,
            jobs=jobs,
            conn_id=conn_id,
            submit=submit,
            unreadable_ok=unreadable_ok,
            answer_within=answer_within,
        )
    return dag


def r2d2_task_group(
    *,
    lake: str = "{{ params.lake }}",
    config: str = CONFIG,
    usage: str = USAGE,
    profile: str = PROFILE,
    delete: str = "params.delete",
    environment: str | None = None,
    jobs: str | None = None,
    conn_id: str = "spark_default",
    submit: Mapping[str, Any] | None = None,
    unreadable_ok: bool = True,
    answer_within: timedelta = timedelta(days=7),
) -> TaskGroup:
    """The tasks of the DAG as a group within another; that one needs the Param `out`.

    It also needs catchup=False, and allowed_run_types without backfills.

    Args:
        lake: of the others too: an argument of the jobs, or a template that gives it or nothing.
        delete: whether to delete what a person approved, or only to tell it: of Jinja.
        environment: folder of the virtual environment that has r2d2 and pyspark, where spark-submit
            starts the driver on the worker; None leaves it to the worker's PATH, or the cluster.
        jobs: folder, or URL that Spark can open, of find_containment.py and the other jobs; beside
            this file's folder if None.
        submit: more arguments of SparkSubmitOperator, such as py_files, archives, conf.
        unreadable_ok: whether the run goes on without tables that cannot be read, or fails.
        answer_within: after it the plan is rejected.

    Raises:
        ValueError: the DAG would run for days that are over.
    """
    go_on = ["--unreadable-ok"] if unreadable_ok else []
    with TaskGroup("r2d2", prefix_group_id=False) as group:
        _refuse_runs_of_the_past(group.dag)
        job = jobs_of(environment, jobs, conn_id, submit)
        find = job("find", "find_containment.py", [lake, f"--out={FOLDER}", config, *go_on])
        learnt = [config, usage, profile, *go_on]
        plan = job(
            "plan",
            "plan_deletions.py",
            [f"--run={FOLDER}", f"--out={PLAN}", f"--report={PAGE}", *learnt],
        )
        proposed = task.short_circuit(proposal)(PLAN, LINK)
        approve = Approval(
            task_id="approve",
            subject="{% set tables = ti.xcom_pull(task_ids='proposal')['tables'] | length %}"
            f"Delete {{{{ tables }}}} table{{{{ '' if tables == 1 else 's' }}}} of {lake}?",
            body="{{ ti.xcom_pull(task_ids='proposal')['told'] }}",
            defaults="Reject",
            response_timeout=answer_within,
        )
        check = job("check", "check_plan.py", [PLAN])
        # Tables that are refused stay live; the summary tells why.
        told = [config, f"--out={APPLIED}", "--refused-ok", "--no-catalogue"]
        yes = f"{{{{ '--yes' if ({delete}) and {APPROVED} }}}}"
        # After an error nothing more is deleted before somebody looked.
        apply = job("apply", "apply_plan.py", [PLAN, WHO, SHA256, yes, *told], retries=0)
        end = task(trigger_rule="all_done", outlets=[APPROVED_PLAN])
        find >> plan >> proposed >> approve >> check >> apply >> end(summary)(PLAN, proposed)
    return group


def _refuse_runs_of_the_past(dag: DAG) -> None:
    allowed = dag.allowed_run_types
    if dag.catchup or allowed is None or "backfill" in allowed:
        told = "would ask for the lake of today once for each day of the past"
        raise ValueError(
            f"{dag.dag_id}: a backfill {told}; give its DAG catchup=False and"
            f" allowed_run_types={RUN_TYPES}"
        )


def proposal(plan: str, page: str) -> dict[str, Any] | None:
    """What the plan would delete, for the approval's form; None if that is nothing.

    Raises:
        AirflowFailException: no table of the lake could be read.
    """
    unreadable = unreadable_tables(plan)
    for entry in unreadable:
        print(f"could not be read, and stays: {entry['table']!r}: {entry['problem']!r}")
    made = json.loads(Path(plan).read_text(encoding="utf-8"))
    tables = [
        {key: entry[key] for key in KEYS} for entry in made["tables"] if entry["choice"] == "delete"
    ]
    if not tables:
        return None
    tables.sort(key=lambda entry: (-entry["saving_usd_per_month"], entry["table"]))
    freed, saved = (made["totals"][key] for key in ("freed_bytes", "saving_usd_per_month"))
    lines = [
        f"{freed / 1e6:,.3f} MB freed, ${saved:,.2f} a month saved: [the page]({page}) of the plan"
        f" `{plan}`.",
        *_unreadable_lines(unreadable),
        "",
        "| table | MB | $ a month | rebuilt in | from |",
        "|---|---|---|---|---|",
        *shown([_line(entry) for entry in tables]),
    ]
    return {
        "sha256": made["sha256"],
        "page": page,
        "tables": tables,
        "unreadable": unreadable,
        "told": "\n".join(lines),
    }


def unreadable_tables(plan: str) -> list[dict[str, str]]:
    """The tables that `find` could not read, and why, from the graph.json beside the plan.

    Raises:
        AirflowFailException: it could read none.
    """
    graph = Path(plan).with_name("graph.json").read_text(encoding="utf-8")
    tables = json.loads(graph)["tables"]
    unreadable = [
        {"table": entry["location"], "problem": entry["problem"]}
        for entry in tables
        if entry["unreadable"]
    ]
    if unreadable and len(unreadable) == len(tables):
        count = "1 table" if len(tables) == 1 else f"{len(tables):,} tables"
        raise AirflowFailException(
            f"none of {count} could be read, first {unreadable[0]['problem']!r}:"
            " may the job read the lake's files?"
        )
    return unreadable


def summary(plan: str, proposed: dict[str, Any] | None, ti: Any = None) -> dict[str, Any]:
    """Writes summary.json beside the plan: what somebody approved, and what became of it.

    Raises:
        AirflowFailException: the run failed, or the plan is not the one that was approved.
        AirflowSkipException: nobody approved.
    """
    if proposed is None:
        raise AirflowFailException("there is no proposal: the log of find, plan or proposal says")
    made = json.loads(Path(plan).read_text(encoding="utf-8"))
    if made["sha256"] != proposed["sha256"]:
        raise AirflowFailException(
            f"{plan} is not the plan that was approved: run again from `proposal`"
        )
    answer = ti.xcom_pull(task_ids="approve", key="answer") or {}
    data = {
        "lake": made["lake"],
        "plan": plan,
        "plan_sha256": made["sha256"],
        "page": proposed["page"],
        "answer": (answer.get("chosen_options") or [None])[0],
        "answered_by": answer.get("responded_by_user"),
        "would_delete": proposed["tables"],
        "frees_bytes": made["totals"]["freed_bytes"],
        "saving_usd_per_month": made["totals"]["saving_usd_per_month"],
        "unreadable": proposed["unreadable"],
    }
    steps, problem = _applied(Path(plan).with_name("applied.json"))
    data |= _told_of(steps, proposed["tables"], is_known=bool(steps) or problem is None)
    outcome, told = _outcome(data, _failed(ti), problem)
    data = {"outcome": outcome, "told": told} | data
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    Path(plan).with_name("summary.json").write_text(text + "\n", encoding="utf-8")
    print(f"{outcome}: {told}\n{data['page']}")
    if outcome == "failed":
        raise AirflowFailException(told)
    if outcome in ("rejected", "expired"):
        raise AirflowSkipException(told)
    return {key: data[key] for key in ("outcome", "told", "page", "plan_sha256")}


def _applied(file: Path) -> tuple[list[dict[str, Any]], str | None]:
    """The steps of apply so far, and the problem that ended it."""
    if not file.exists():
        return [], None
    told = json.loads(file.read_text(encoding="utf-8"))
    return told["steps"], told["problem"]


def _told_of(
    steps: list[dict[str, Any]], tables: list[dict[str, Any]], is_known: bool
) -> dict[str, Any]:
    """What was deleted and refused, and what that saves; null where a killed job did not tell."""
    deleted = [step for step in steps if step["step"] == "Applied" and step["deletion"]]
    gone = {step["table"] for step in deleted}
    of_gone = [entry for entry in tables if entry["table"] in gone]
    told = {
        "deleted": deleted,
        "freed_bytes": sum(entry["frees_bytes"] for entry in of_gone),
        "saved_usd_per_month": sum(entry["saving_usd_per_month"] for entry in of_gone),
        "refused": [step for step in steps if step["step"] == "Refused"],
    }
    return told if is_known else dict.fromkeys(told)


def _failed(ti: Any) -> str | None:
    """The task after the proposal that failed."""
    tasks = ["approve", "check", "apply"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=tasks, run_ids=[ti.run_id])[ti.run_id]
    return next((name for name in tasks if states.get(name) == "failed"), None)


def _outcome(data: dict[str, Any], failed: str | None, problem: str | None) -> tuple[str, str]:
    """How the run ended, in a word and in sentences."""
    so_far, who = _done(data), data["answered_by"]
    if failed == "apply":
        remedy = f"Run `r2d2 fsck {data['lake']} --yes`, then clear `apply`: the others go on."
        return "failed", f"`apply` stopped: {problem or 'its log says why'}. {so_far} {remedy}"
    if failed:
        remedy = "Trigger the DAG again for a plan of today."
        return "failed", f"`{failed}` failed: its log says why. {so_far} {remedy}"
    if data["answer"] == "Reject":
        if who:
            return "rejected", f"{who['name']} rejected the plan. {so_far}"
        return "expired", f"Nobody answered in time. {so_far} Clear `approve` to be asked again."
    if data["deleted"] or data["refused"]:
        return "deleted", so_far
    return "told", f"{so_far} {'The Param `delete` is off.' if who else 'No person approved.'}"


def _done(data: dict[str, Any]) -> str:
    if data["deleted"] is None:
        return f"`r2d2 status {data['lake']}` lists what was deleted."
    deleted, refused = len(data["deleted"]), len(data["refused"])
    if not deleted and not refused:
        return "Nothing was deleted."
    freed, saved = data["freed_bytes"] / 1e6, data["saved_usd_per_month"]
    return (
        f"{deleted:,} of {len(data['would_delete']):,} tables deleted, {freed:,.3f} MB freed,"
        f" ${saved:,.2f} a month saved, {refused:,} refused."
    )


KEYS = ("table", "frees_bytes", "saving_usd_per_month", "rebuild_p95_s", "way", "parents")


def _unreadable_lines(unreadable: list[dict[str, str]]) -> list[str]:
    if not unreadable:
        return []
    lines = [f"- {cell(entry['table'])}: {cell(entry['problem'])}" for entry in unreadable]
    return ["", "Could not be read, so they stay:", "", *shown(lines, "- ")]


def _line(entry: Mapping[str, Any]) -> str:
    cells = (
        cell(entry["table"]),
        f"{entry['frees_bytes'] / 1e6:,.3f}",
        f"{entry['saving_usd_per_month']:,.2f}",
        f"{entry['rebuild_p95_s']:,.0f} s" + (" (view)" if entry["way"] == "view" else ""),
        ", ".join(map(cell, entry["parents"])),
    )
    return f"| {' | '.join(cells)} |"


def _params(
    usage: str | None, profile: str | None, pages: str | None, delete: bool
) -> dict[str, Param]:
    return {
        "usage": optional(
            usage, "Usage", "CSV of who reads what (see usage_exports.md). Empty: settings say."
        ),
        "profile": optional(
            profile, "Profile", "profile.json of profile_vm_cost.py. Empty: the settings' rates."
        ),
        "pages": optional(
            pages, "Pages", "URL at which the out folder is served. Empty: links to its files."
        ),
        "delete": Param(
            delete,
            title="Delete",
            description="Move what a person approved into quarantine. Off: only tell.",
            type="boolean",
        ),
    }


# Airflow reads this file under a name of its own; who imports it makes other DAGs.
if __name__ != "r2d2_dag":
    dag = make_dag(lake=LAKE, out=OUT, environment=ENVIRONMENT)
