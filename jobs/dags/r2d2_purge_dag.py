"""The Airflow 3.3 DAG `r2d2_purge`: what was deleted is destroyed once its retention is over.

It is set up as r2d2_dag.py is, beside r2d2_jobs.py; `make_purge_dag` makes DAGs with a schedule.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task
from r2d2_jobs import (
    APPROVED,
    CONFIG,
    ENVIRONMENT,
    FOLDER,
    LAKE,
    OUT,
    Approval,
    cell,
    jobs_of,
    lake_dag,
    lake_params,
    shown,
)

DOC = """
### r2d2: files of deleted tables are destroyed once their retention is over and a person said yes

1. **due** rebuilds each table whose retention is over from its parents, and tells which may go;
2. **to_purge** reads that; the run ends here if there is nothing to destroy;
3. **approve** asks a person (Browse → Required Actions), and takes no answer for *Reject*;
4. **purge** rebuilds them once more and destroys their files: of the tables that the person was
   shown, and of no others. `purged.json` says what became of each.

The retention is `[deletion] retention_days` of the settings, 30 days without. A run that is
rejected, expired or failed destroys nothing, and no backfill runs.
"""
ONLY = "{{ '--only=' ~ (ti.xcom_pull(task_ids='to_purge')['ids'] | join(',')) }}"
YES = f"{{{{ '--yes' if {APPROVED} }}}}"
MOST = 1000
"""So many tables are destroyed by a run: their ids are one argument, which may not be longer."""


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
    with lake_dag(
        dag_id,
        "Destroys files of deleted tables whose retention is over; a person decides",
        DOC,
        schedule=schedule,
        allowed_run_types=["manual", "scheduled"],
        retries=retries,
        params=lake_params(lake, out, config),
        **more,
    ) as dag:
        job = jobs_of(environment, jobs, conn_id, submit)
        given = ["{{ params.lake }}", CONFIG, "--refused-ok"]
        due = job("due", "purge.py", [*given, f"--out={FOLDER}/due.json"])
        listed = task.short_circuit(to_purge)(f"{FOLDER}/due.json")
        approve = Approval(
            task_id="approve",
            subject="Destroy for good what was deleted from {{ params.lake }}?",
            body="{{ ti.xcom_pull(task_ids='to_purge')['told'] }}",
            defaults="Reject",
            response_timeout=answer_within,
        )
        purge = job("purge", "purge.py", [*given, ONLY, YES, f"--out={FOLDER}/purged.json"])
        due >> listed >> approve >> purge
    return dag


def to_purge(due: str) -> dict[str, Any] | None:
    """What may be destroyed, and the approval's form; None if that is nothing."""
    steps = json.loads(Path(due).read_text(encoding="utf-8"))["steps"]
    may_go = [step for step in steps if step["step"] == "Purged"]
    if not may_go:
        return None
    now, later = may_go[:MOST], len(may_go) - MOST
    size = sum(step["size_bytes"] for step in now)
    told = f"{len(now):,} table{'s' if len(now) > 1 else ''}, {size / 1e6:,.3f} MB."
    told += " Each was rebuilt from its parents just now, and can be again."
    told += f" {later:,} more wait for the next run." if later > 0 else ""
    lines = [f"| {cell(step['table'])} | {step['size_bytes'] / 1e6:,.3f} |" for step in now]
    form = [told, "", "| table | MB |", "|---|---|", *shown(lines)]
    return {"ids": [step["deletion"] for step in now], "told": "\n".join(form)}


# Airflow reads this file under a name of its own; who imports it makes other DAGs.
if __name__ != "r2d2_purge_dag":
    purge_dag = make_purge_dag(lake=LAKE, out=OUT, environment=ENVIRONMENT)
