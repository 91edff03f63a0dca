"""The Airflow 3.3 DAG `r2d2_vmcost`: what the VMs of Spark jobs cost, after each run of `r2d2`.

It is set up as r2d2_dag.py is, beside r2d2_jobs.py; `make_vmcost_dag` makes DAGs with a schedule.
"""

import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, Param
from r2d2_jobs import (
    APPROVED_PLAN,
    CONFIG,
    ENVIRONMENT,
    FOLDER,
    OUT,
    RUN_TYPES,
    jobs_of,
    lake_dag,
    optional,
    out_param,
)

DOC = """
### r2d2: what the VMs of Spark jobs cost

**profile** reads the event logs that Spark wrote, and writes

- their bill and what would be cheaper into *out folder*/*date*/vmcost: `report.html` and tables;
- the file *profile*: what a GB took and cost in r2d2's own jobs. Named as the Param *profile* of
  the DAG `r2d2`, it replaces assumed rates in the next plan.

It runs after each plan that was approved (the asset `r2d2_approved_plan`), or by a schedule. Spark
writes event logs into the folder `spark.eventLog.dir` where `spark.eventLog.enabled` is true: the
argument *submit* of the DAGs can say so.
"""
# Spark's own default.
EVENT_LOGS = os.environ.get("R2D2_DAG_EVENT_LOGS", "/tmp/spark-events")


def make_vmcost_dag(
    dag_id: str = "r2d2_vmcost",
    *,
    logs: str | None = None,
    profile: str | None = None,
    out: str | None = None,
    config: str | None = None,
    schedule: Any = APPROVED_PLAN,
    environment: str | None = None,
    jobs: str | None = None,
    conn_id: str = "spark_default",
    submit: Mapping[str, Any] | None = None,
    retries: int = 2,
    **more: Any,
) -> DAG:
    """The DAG; the defaults of its Params are logs, profile, out, config.

    The other arguments are those of `make_dag` and `r2d2_task_group`.
    """
    with lake_dag(
        dag_id,
        "What the VMs of Spark jobs cost, and the profile for the next plan",
        DOC,
        schedule=schedule,
        allowed_run_types=RUN_TYPES,
        retries=retries,
        params=_params(logs, profile, config) | {"out": out_param(out)},
        **more,
    ) as dag:
        job = jobs_of(environment, jobs, conn_id, submit)
        written = ["--out={{ params.profile }}", f"--report={FOLDER}/vmcost"]
        job("profile", "profile_vm_cost.py", ["{{ params.logs }}", CONFIG, *written])
    return dag


def _params(logs: str | None, profile: str | None, config: str | None) -> dict[str, Param]:
    return {
        "logs": Param(
            logs,
            title="Event logs",
            description="The folder or URL to which Spark writes them: spark.eventLog.dir.",
            type="string",
            minLength=1,
        ),
        "profile": Param(
            profile,
            title="Profile",
            description="Absolute; the file that is written, and that `r2d2` reads.",
            type="string",
            pattern="^/.+",
        ),
        "config": optional(config, "Settings", "TOML: machines, billing, what to advise on."),
    }


# Airflow reads this file under a name of its own; who imports it makes other DAGs.
if __name__ != "r2d2_vmcost_dag":
    vmcost_dag = make_vmcost_dag(
        logs=EVENT_LOGS, profile=f"{OUT}/profile.json", out=OUT, environment=ENVIRONMENT
    )
