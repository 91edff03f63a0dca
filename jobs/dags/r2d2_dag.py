"""The Airflow 3.3 DAGs `r2d2` (find, plan, a person's approval, deletion) and `r2d2_purge`.

Copy it into the folder of DAGs, or import `make_dag`, `make_purge_dag` or `r2d2_task_group` from it
there for DAGs with a schedule, other Spark options, or defaults of your own. It needs Airflow and
apache-airflow-providers-apache-spark; r2d2 and pyspark live in another environment, since the
provider's pyspark-client overwrites files of pyspark.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, Param, TaskGroup, task
from airflow.sdk.exceptions import AirflowFailException

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
   rebuild, if the Param *delete* is on; otherwise it only tells what it would move;
7. **summary** writes `summary.json`: what was approved, by whom, and what became of it.

Nothing is destroyed here: `r2d2 undo` puts all back until `r2d2_purge`, which asks again. A run
that is rejected, expired, changed or failed deletes nothing, and no backfill runs. The page of the
plan is `report.html` beside it. All output is in *out folder*/*logical date*, so a run that is
cleared and repeated writes the same files. That folder must be one that the Spark driver and
Airflow's workers share; in client mode they are one machine.

Spark's master is that of the connection, `spark_default` unless another is named. **Without that
connection the provider takes YARN, silently**:
`airflow connections add spark_default --conn-type spark --conn-host 'local[*]'`

A table that cannot be read stays, and the proposal names it; the run fails if none can be read.
"""
# An argument that is left empty is passed all the same: the jobs take it for none.
CONFIG = "{{ '--config=' ~ params.config if params.config }}"
USAGE = "{{ '--usage=' ~ params.usage if params.usage }}"
PROFILE = "{{ '--profile=' ~ params.profile if params.profile }}"
# A run that an asset triggered has no logical date.
FOLDER = "{{ params.out }}/{{ (dag_run.logical_date or dag_run.run_after) | ts_nodash }}"
PLAN, PAGE, APPLIED = f"{FOLDER}/plan.json", f"{FOLDER}/report.html", f"{FOLDER}/applied.json"
DUE = f"{FOLDER}/due.json"
# Where the task was marked as done, nobody answered.
ANSWER = "(ti.xcom_pull(task_ids='approve') or {}).get('responded_by_user')"
ANSWERED = f"{{{{ '--yes' if {ANSWER} }}}}"
YES = f"{{{{ '--yes' if params.delete and {ANSWER} }}}}"
WHO = f"{{{{ '--approved-by=' ~ {ANSWER}['name'] if {ANSWER} }}}}"
SHA256 = "{{ '--sha256=' ~ ti.xcom_pull(task_ids='proposal')['sha256'] }}"
SHOWN = 50
PURGE_PARAMS = ("lake", "out", "config")


def make_dag(
    dag_id: str = "r2d2",
    *,
    lake: str | None = None,
    out: str | None = None,
    config: str | None = None,
    usage: str | None = None,
    profile: str | None = None,
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
    """The DAG, its Params' defaults being `lake`, `out`, `config`, `usage`, `profile`, `delete`.

    Args:
        environment: as for `r2d2_task_group`; also jobs, conn_id, submit, unreadable_ok and
            answer_within.
        more: arguments of DAG, such as start_date.
    """
    with DAG(
        dag_id,
        description="Which tables of a lake can be deleted and rebuilt; a person decides",
        doc_md=DOC,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        # A backfill would ask for the lake of today once for each day.
        allowed_run_types=["manual", "scheduled", "asset_triggered"],
        default_args={"retries": retries},
        params=_params(lake, out, config, usage, profile, delete),
        tags=["r2d2"],
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
    yes: str = YES,
    environment: str | None = None,
    jobs: str | None = None,
    conn_id: str = "spark_default",
    submit: Mapping[str, Any] | None = None,
    unreadable_ok: bool = True,
    answer_within: timedelta = timedelta(days=7),
) -> TaskGroup:
    """The tasks of the DAG as a group within another; that one needs the Param `out`.

    Args:
        lake: of the others too: an argument of the jobs, or a template that gives it or nothing.
        yes: "--yes" deletes what a person approved; "" only tells what would be deleted.
        environment: folder of the virtual environment that has r2d2 and pyspark, where spark-submit
            starts the driver on the worker; None leaves it to the worker's PATH, or the cluster.
        jobs: folder, or URL that Spark can open, of find_containment.py and the other jobs; beside
            this file's folder if None.
        submit: more arguments of SparkSubmitOperator, such as py_files, archives, conf.
        unreadable_ok: whether the run goes on without tables that cannot be read, or fails.
        answer_within: after it the plan is rejected.
    """
    go_on = ["--unreadable-ok"] if unreadable_ok else []
    with TaskGroup("r2d2", prefix_group_id=False) as group:
        job = _jobs(environment, jobs, conn_id, submit)
        find = job("find", "find_containment.py", [lake, f"--out={FOLDER}", config, *go_on])
        learnt = [config, usage, profile, *go_on]
        plan = job(
            "plan",
            "plan_deletions.py",
            [f"--run={FOLDER}", f"--out={PLAN}", f"--report={PAGE}", *learnt],
        )
        proposed = task.short_circuit(proposal)(PLAN)
        approve = ApprovalOperator(
            task_id="approve",
            subject="{% set tables = ti.xcom_pull(task_ids='proposal')['tables'] | length %}"
            f"Delete {{{{ tables }}}} table{{{{ '' if tables == 1 else 's' }}}} of {lake}?",
            body="{{ ti.xcom_pull(task_ids='proposal')['told'] }}",
            defaults="Reject",
            response_timeout=answer_within,
        )
        check = job("check", "check_plan.py", [PLAN])
        # Tables that are refused stay live; the summary tells why.
        told = [f"--out={APPLIED}", "--refused-ok"]
        apply = job("apply", "apply_plan.py", [PLAN, WHO, SHA256, yes, *told])
        written = task(summary, outlets=[Asset("r2d2_approved_plan")])(PLAN, proposed)
        find >> plan >> proposed >> approve >> check >> apply >> written
    return group


def make_purge_dag(
    dag_id: str = "r2d2_purge",
    *,
    lake: str | None = None,
    out: str | None = None,
    config: str | None = None,
    schedule: Any = None,
    environment: str | None = None,
    jobs: str | None = None,
    conn_id: str = "spark_default",
    submit: Mapping[str, Any] | None = None,
    answer_within: timedelta = timedelta(days=7),
    retries: int = 0,
    **more: Any,
) -> DAG:
    """The DAG that destroys what was deleted and whose retention is over, once a person said yes.

    Its arguments are those of `make_dag` and `r2d2_task_group`.
    """
    with DAG(
        dag_id,
        description="Destroys files of deleted tables whose retention is over; a person decides",
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        allowed_run_types=["manual", "scheduled"],
        default_args={"retries": retries},
        params={k: v for k, v in _params(lake, out, config).items() if k in PURGE_PARAMS},
        tags=["r2d2"],
        **more,
    ) as dag:
        job = _jobs(environment, jobs, conn_id, submit)
        given = ["{{ params.lake }}", CONFIG, "--refused-ok"]
        due = job("due", "purge.py", [*given, f"--out={DUE}"])
        listed = task.short_circuit(to_purge)(DUE)
        approve = ApprovalOperator(
            task_id="approve",
            subject="Destroy for good what was deleted from {{ params.lake }}?",
            body="{{ ti.xcom_pull(task_ids='to_purge') }}",
            defaults="Reject",
            response_timeout=answer_within,
        )
        purge = job("purge", "purge.py", [*given, ANSWERED, f"--out={FOLDER}/purged.json"])
        due >> listed >> approve >> purge
    return dag


def _jobs(
    environment: str | None,
    jobs: str | None,
    conn_id: str,
    submit: Mapping[str, Any] | None,
) -> Callable[[str, str, list[str]], SparkSubmitOperator]:
    """Makes a task of a job and its arguments."""
    folder = jobs or str(Path(__file__).resolve().parents[1])
    spark: dict[str, Any] = {"conn_id": conn_id, **(submit or {})}
    if environment is not None:
        path = os.pathsep.join([f"{environment}/bin", "/usr/local/bin", "/usr/bin", "/bin"])
        found = {"PATH": path, "PYSPARK_PYTHON": f"{environment}/bin/python"}
        spark["env_vars"] = found | spark.get("env_vars", {})

    def job(task_id: str, file: str, arguments: list[str]) -> SparkSubmitOperator:
        return SparkSubmitOperator(
            task_id=task_id,
            name=f"r2d2 {task_id}",
            application=f"{folder}/{file}",
            application_args=arguments,
            **spark,
        )

    return job


def to_purge(due: str) -> str | None:
    """What may be destroyed, for the approval's form; None if that is nothing."""
    steps = json.loads(Path(due).read_text(encoding="utf-8"))["steps"]
    may_go = [step for step in steps if step["step"] == "Purged"]
    if not may_go:
        return None
    lines = [f"| {_cell(s['table'])} | {s['size_bytes'] / 1e6:,.3f} |" for s in may_go[:SHOWN]]
    more = [f"\n… and {len(may_go) - SHOWN:,} more"] if len(may_go) > SHOWN else []
    told = "Each was rebuilt from its parents just now, and can be again."
    return "\n".join([told, "", "| table | MB |", "|---|---|", *lines, *more])


def proposal(plan: str) -> dict[str, Any] | None:
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
        f"{freed / 1e6:,.3f} MB freed, ${saved:,.2f} a month saved. Plan `{plan}`,"
        f" page `{Path(plan).with_name('report.html')}`.",
        *_unreadable_lines(unreadable),
        "",
        "| table | MB | $ a month | rebuilt in | from |",
        "|---|---|---|---|---|",
        *map(_line, tables[:SHOWN]),
    ]
    if len(tables) > SHOWN:
        lines.append(f"\n… and {len(tables) - SHOWN:,} more")
    return {
        "sha256": made["sha256"],
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


def summary(plan: str, proposed: dict[str, Any], ti: Any = None) -> dict[str, Any]:
    """Writes summary.json beside the plan: what somebody approved, and what became of it.

    Raises:
        ValueError: the plan is not the one that was approved.
    """
    made = json.loads(Path(plan).read_text(encoding="utf-8"))
    if made["sha256"] != proposed["sha256"]:
        raise ValueError(f"{plan} is not the plan that was approved: run again from `proposal`")
    answer = ti.xcom_pull(task_ids="approve") or {}
    applied = json.loads(Path(plan).with_name("applied.json").read_text(encoding="utf-8"))
    steps = applied["steps"]
    data = {
        "lake": made["lake"],
        "plan": plan,
        "plan_sha256": made["sha256"],
        "approved_by": answer.get("responded_by_user"),
        "page": str(Path(plan).with_name("report.html")),
        "would_delete": proposed["tables"],
        "deleted": [step for step in steps if step.get("deletion") and step["step"] == "Applied"],
        "refused": [step for step in steps if step["step"] == "Refused"],
        "unreadable": proposed["unreadable"],
        "frees_bytes": made["totals"]["freed_bytes"],
        "saving_usd_per_month": made["totals"]["saving_usd_per_month"],
    }
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    Path(plan).with_name("summary.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return {key: data[key] for key in ("plan_sha256", "frees_bytes", "saving_usd_per_month")}


KEYS = ("table", "frees_bytes", "saving_usd_per_month", "rebuild_p95_s", "way", "parents")


def _unreadable_lines(unreadable: list[dict[str, str]]) -> list[str]:
    if not unreadable:
        return []
    shown = [f"- {_cell(entry['table'])}: {_cell(entry['problem'])}" for entry in unreadable]
    more = [f"- … and {len(shown) - SHOWN:,} more"] if len(shown) > SHOWN else []
    return ["", "Could not be read, so they stay:", "", *shown[:SHOWN], *more]


def _line(entry: Mapping[str, Any]) -> str:
    cells = (
        _cell(entry["table"]),
        f"{entry['frees_bytes'] / 1e6:,.3f}",
        f"{entry['saving_usd_per_month']:,.2f}",
        f"{entry['rebuild_p95_s']:,.0f} s" + (" (view)" if entry["way"] == "view" else ""),
        ", ".join(map(_cell, entry["parents"])),
    )
    return f"| {' | '.join(cells)} |"


def _cell(name: str) -> str:
    """A table's name, which may be anything, as text in a Markdown table."""
    shown = "".join(
        c if c.isprintable() and c not in "`|<>" else "\N{REPLACEMENT CHARACTER}" for c in name
    )
    return f"`{shown}`"


def _params(
    lake: str | None,
    out: str | None,
    config: str | None,
    usage: str | None = None,
    profile: str | None = None,
    delete: bool = False,
) -> dict[str, Param]:
    absolute = r"^(/|[a-z0-9]+://).+"
    return {
        "lake": Param(
            lake,
            title="Lake",
            description="A folder (absolute) or s3://, gs://, abfss:// with the tables.",
            type="string",
            pattern=absolute,
        ),
        "out": Param(
            out,
            title="Out folder",
            description="Absolute; a run writes into a folder of its own, by its logical date.",
            type="string",
            pattern="^/.+",
        ),
        "config": Param(
            config,
            title="Settings",
            description="TOML of `r2d2 init`: prices, limits, protected tables. Empty: defaults.",
            type=["null", "string"],
        ),
        "usage": Param(
            usage,
            title="Usage",
            description="CSV of who reads what (see usage_exports.md). Empty: settings say.",
            type=["null", "string"],
        ),
        "profile": Param(
            profile,
            title="Profile",
            description="profile.json of profile_vm_cost.py. Empty: the settings' rates.",
            type=["null", "string"],
        ),
        "delete": Param(
            delete,
            title="Delete",
            description="Move what a person approved into quarantine. Off: only tell.",
            type="boolean",
        ),
    }


LAKE = os.environ.get("R2D2_DAG_LAKE", "/lake")
OUT = os.environ.get("R2D2_DAG_OUT", "/var/lib/r2d2")
ENVIRONMENT = os.environ.get("R2D2_DAG_ENVIRONMENT", "/opt/r2d2")
dag = make_dag(lake=LAKE, out=OUT, environment=ENVIRONMENT)
purge_dag = make_purge_dag(lake=LAKE, out=OUT, environment=ENVIRONMENT)
