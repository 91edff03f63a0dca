"""DAGs of one's own, as docs/running.md has it: one for each run of airflow_runs.py."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from r2d2_dag import make_dag
from r2d2_purge_dag import make_purge_dag
from r2d2_vmcost_dag import make_vmcost_dag

JOBS, FAULT = os.environ["R2D2_TEST_JOBS"], os.environ["R2D2_TEST_FAULT"]
SOON = timedelta(seconds=60)
NO_UI = {"spark.ui.enabled": "false"}


def faulty(name: str) -> dict[str, object]:
    """How jobs are submitted that meet the fault which a file of this name asks for."""
    path = os.pathsep.join(filter(None, [FAULT, os.environ.get("PYTHONPATH")]))
    fault_of = f"{os.environ['AIRFLOW_HOME']}/fault_of_{name}"
    return {"conf": NO_UI, "env_vars": {"PYTHONPATH": path, "R2D2_TEST_FAULT_OF": fault_of}}


def given(name: str) -> dict[str, object]:
    return {
        "dag_id": name,
        "lake": f"{os.environ['R2D2_DAG_LAKE']}/{name}",
        "out": f"{os.environ['R2D2_DAG_OUT']}/{name}",
        "config": os.environ["R2D2_TEST_CONFIG"],
        "environment": os.environ["R2D2_DAG_ENVIRONMENT"],
        "jobs": JOBS,
        "submit": {"conf": NO_UI},
        "retries": 0,
    }


deleted = make_dag(**given("deleted"), delete=True, pages="https://pages/r2d2")
asked_again = make_dag(
    **given("asked_again") | {"submit": faulty("asked_again")}, delete=True, answer_within=SOON
)
changed = make_dag(**given("changed"), delete=True)
killed = make_dag(**given("killed") | {"submit": faulty("killed")}, delete=True)
missed = make_dag(
    **given("missed") | {"config": None},
    delete=True,
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
)
failing = make_dag(**given("failing") | {"retries": 1})
purge = make_purge_dag(**given("purge") | {"lake": given("deleted")["lake"]}, answer_within=SOON)
cost = make_vmcost_dag(
    "cost",
    logs=str(Path(JOBS).parent / "tests" / "vmcost" / "logs"),
    profile=f"{given('cost')['out']}/profile.json",
    config=f"{os.environ['AIRFLOW_HOME']}/vmcost.toml",
    **{name: given("cost")[name] for name in ("out", "environment", "jobs", "submit", "retries")},
)
