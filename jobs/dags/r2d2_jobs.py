"""What the DAGs of r2d2 share: their Params and Spark jobs, and how a form names tables; no DAG."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, Param

LAKE = os.environ.get("R2D2_DAG_LAKE", "/lake")
OUT = os.environ.get("R2D2_DAG_OUT", "/var/lib/r2d2")
ENVIRONMENT = os.environ.get("R2D2_DAG_ENVIRONMENT", "/opt/r2d2")
# An argument that is left empty is passed all the same: the jobs take it for none.
CONFIG = "{{ '--config=' ~ params.config if params.config }}"
# A run that an asset triggered has no logical date.
FOLDER = "{{ params.out }}/{{ (dag_run.logical_date or dag_run.run_after) | ts_nodash }}"
# Nobody answered where the time was over, or where the task was marked as done.
ANSWER = "(ti.xcom_pull(task_ids='approve', key='answer') or {})"
PERSON = f"{ANSWER}.get('responded_by_user')"
APPROVED = f"({ANSWER}.get('chosen_options') == ['Approve'] and {PERSON})"
SHOWN = 50
# A backfill, or all runs that a schedule missed, would ask for the lake of today once for each day.
RUN_TYPES = ["manual", "scheduled", "asset_triggered"]
APPROVED_PLAN = Asset("r2d2_approved_plan")


class Approval(ApprovalOperator):  # type: ignore[misc]  # Airflow is in another environment
    """A person's yes or no, and by *Reject* what nobody answers; XCom `answer` has what and whose.

    Airflow's own operator returns nothing where the tasks after it are skipped.
    """

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Goes on by the answer, or by the default once its time is over."""
        answer = {key: event.get(key) for key in ("chosen_options", "responded_by_user")}
        context["ti"].xcom_push(key="answer", value=answer)
        return super().execute_complete(context=context, event=event)


def lake_dag(dag_id: str, description: str, doc: str, *, retries: int, **more: Any) -> DAG:
    """A DAG of r2d2: one run at a time, missed ones are not caught up; `more` is of DAG."""
    return DAG(
        dag_id,
        description=description,
        doc_md=doc,
        catchup=False,
        max_active_runs=1,
        default_args={"retries": retries},
        tags=["r2d2"],
        **more,
    )


def jobs_of(
    environment: str | None,
    jobs: str | None,
    conn_id: str,
    submit: Mapping[str, Any] | None,
) -> Callable[..., SparkSubmitOperator]:
    """Makes a task of a job's file, its arguments, and more arguments of its operator."""
    folder = jobs or str(Path(__file__).resolve().parents[1])
    spark: dict[str, Any] = {"conn_id": conn_id, **(submit or {})}
    if environment is not None:
        path = os.pathsep.join([f"{environment}/bin", "/usr/local/bin", "/usr/bin", "/bin"])
        found = {"PATH": path, "PYSPARK_PYTHON": f"{environment}/bin/python"}
        spark["env_vars"] = found | spark.get("env_vars", {})

    def job(task_id: str, file: str, arguments: list[str], **more: Any) -> SparkSubmitOperator:
        return SparkSubmitOperator(
            task_id=task_id,
            name=f"r2d2 {task_id}",
            application=f"{folder}/{file}",
            application_args=arguments,
            **spark,
            **more,
        )

    return job


def shown(lines: list[str], beginning: str = "\n") -> list[str]:
    """The first of the lines, and how many there are more."""
    more = [f"{beginning}… and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]


def cell(name: str) -> str:
    """A table's name, which may be anything, as text in a Markdown table."""
    told = "".join(
        c if c.isprintable() and c not in "`|<>" else "\N{REPLACEMENT CHARACTER}" for c in name
    )
    return f"`{told}`"


def lake_params(lake: str | None, out: str | None, config: str | None) -> dict[str, Param]:
    """The Params that each of the DAGs for a lake has."""
    absolute = r"^(/|[a-z0-9]+://).+"
    return {
        "lake": Param(
            lake,
            title="Lake",
            description="A folder (absolute) or s3://, gs://, abfss:// with the tables.",
            type="string",
            pattern=absolute,
        ),
        "out": out_param(out),
        "config": optional(
            config, "Settings", "TOML of `r2d2 init`: prices, limits, protected tables, retention."
        ),
    }


def out_param(out: str | None) -> Param:
    """The Param of the folder into which a DAG's runs write."""
    return Param(
        out,
        title="Out folder",
        description="Absolute; a run writes into a folder of its own, by its logical date.",
        type="string",
        pattern="^/.+",
    )


def optional(default: str | None, title: str, description: str) -> Param:
    """A Param that may be empty."""
    return Param(default, title=title, description=description, type=["null", "string"])
