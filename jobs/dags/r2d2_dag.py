"""The Airflow 3.3 DAG `r2d2`: find, plan, a person's approval, and what would be deleted.

Copy it into the folder of DAGs, or import `make_dag` from it there for a DAG with a schedule, other
Spark options, or defaults of your own. It needs Airflow and apache-airflow-providers-apache-spark;
r2d2 and pyspark live in another environment, since the provider's pyspark-client overwrites files
of pyspark.
"""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, Param, task
from airflow.sdk.exceptions import AirflowFailException

DOC = """
### r2d2: what can be deleted from a lake

1. **find** proves which tables are contained in others;
2. **plan** chooses which of them to delete so that each can be rebuilt in time, and runs every
   recipe once;
3. **proposal** reads the plan and what could not be read; the run ends here if there is nothing to
   delete;
4. **approve** asks a person (Browse → Required Actions), and takes no answer for *Reject*;
5. **check** derives the plan's figures again and looks at the lake: the run fails if a file that
   the plan is about has changed since;
6. **summary** writes `summary.json`: what would be deleted, if the plan is still the approved one.

Nothing is deleted. All output is in *out folder*/*logical date*, so a run that is cleared and
repeated writes the same files. That folder must be one that the Spark driver and Airflow's workers
share; in client mode they are one machine.

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
PLAN = f"{FOLDER}/plan.json"
SHOWN = 50


def make_dag(
    dag_id: str = "r2d2",
    *,
    lake: str | None = None,
    out: str | None = None,
    config: str | None = None,
    usage: str | None = None,
    profile: str | None = None,
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
    """The DAG, its Params' defaults being `lake`, `out`, `config`, `usage`, `profile`.

    Args:
        environment: folder of the virtual environment that has r2d2 and pyspark, where spark-submit
            starts the driver on the worker; None leaves it to the worker's PATH, or the cluster.
        jobs: folder, or URL that Spark can open, of find_containment.py, plan_deletions.py and
            check_plan.py; beside this file's folder if None.
        submit: more arguments of SparkSubmitOperator, such as py_files, archives, conf.
        unreadable_ok: whether the run goes on without tables that cannot be read, or fails.
        answer_within: after it the plan is rejected.
        more: arguments of DAG, such as start_date.
    """
    go_on = ["--unreadable-ok"] if unreadable_ok else []
    folder = jobs or str(Path(__file__).resolve().parents[1])
    spark: dict[str, Any] = {"conn_id": conn_id, **(submit or {})}
    if environment is not None:
        path = os.pathsep.join([f"{environment}/bin", "/usr/local/bin", "/usr/bin", "/bin"])
        found = {"PATH": path, "PYSPARK_PYTHON": f"{environment}/bin/python"}
        spark["env_vars"] = found | spark.get("env_vars", {})
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
        params=_params(lake, out, config, usage, profile),
        tags=["r2d2"],
        **more,
    ) as dag:
        find = SparkSubmitOperator(
            task_id="find",
            name="r2d2 find",
            application=f"{folder}/find_containment.py",
            application_args=[
                "{{ params.lake }}",
                f"--out={FOLDER}",
                CONFIG,
                *go_on,
            ],
            **spark,
        )
        plan = SparkSubmitOperator(
            task_id="plan",
            name="r2d2 plan",
            application=f"{folder}/plan_deletions.py",
            application_args=[f"--run={FOLDER}", f"--out={PLAN}", CONFIG, USAGE, PROFILE, *go_on],
            **spark,
        )
        proposed = task.short_circuit(proposal)(PLAN)
        approve = ApprovalOperator(
            task_id="approve",
            subject="{% set tables = ti.xcom_pull(task_ids='proposal')['tables'] | length %}"
            "Delete {{ tables }} table{{ '' if tables == 1 else 's' }} of {{ params.lake }}?",
            body="{{ ti.xcom_pull(task_ids='proposal')['told'] }}",
            defaults="Reject",
            response_timeout=answer_within,
        )
        check = SparkSubmitOperator(
            task_id="check",
            name="r2d2 check",
            application=f"{folder}/check_plan.py",
            application_args=[PLAN],
            **spark,
        )
        written = task(summary, outlets=[Asset("r2d2_approved_plan")])(PLAN, proposed)
        find >> plan >> proposed >> approve >> check >> written
    return dag


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
        f"{freed / 1e6:,.3f} MB freed, ${saved:,.2f} a month saved. Plan `{plan}`.",
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
    """Writes summary.json beside the plan: what would be deleted now that somebody approved it.

    Raises:
        ValueError: the plan is not the one that was approved.
    """
    made = json.loads(Path(plan).read_text(encoding="utf-8"))
    if made["sha256"] != proposed["sha256"]:
        raise ValueError(f"{plan} is not the plan that was approved: run again from `proposal`")
    answer = ti.xcom_pull(task_ids="approve") or {}
    data = {
        "lake": made["lake"],
        "plan": plan,
        "plan_sha256": made["sha256"],
        "approved_by": answer.get("responded_by_user"),
        "would_delete": proposed["tables"],
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
    usage: str | None,
    profile: str | None,
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
    }


dag = make_dag(
    lake=os.environ.get("R2D2_DAG_LAKE", "/lake"),
    out=os.environ.get("R2D2_DAG_OUT", "/var/lib/r2d2"),
    environment=os.environ.get("R2D2_DAG_ENVIRONMENT", "/opt/r2d2"),
)
