"""Runs the DAG in a real Airflow, for `tests/airflow_dag`: approved, rejected, failing, empty.

Says what each run took and exits with 1 at the first thing that is not as expected.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import create_app
from starlette.testclient import TestClient

REPOSITORY = Path(__file__).parents[1]
PLAN_SETTINGS = str(REPOSITORY / "sample_lake" / "plan.toml")
OUT = Path(os.environ["R2D2_DAG_OUT"])
RUNS = "/api/v2/dags/r2d2/dagRuns"
ALL = ["find", "plan", "proposal", "approve", "summary"]


class Run:
    """One `airflow dags test r2d2 DATE`."""

    def __init__(self, date: str, conf: dict[str, str], *more: str) -> None:
        self.date, self.began = date, time.monotonic()
        self.folder = OUT / f"{date.replace('-', '')}T000000"
        self.log = OUT.parent / f"{date}.log"
        command = ["airflow", "dags", "test", "r2d2", date, "--conf", json.dumps(conf), *more]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"},
            )

    def path(self, api: TestClient) -> str:
        for run in api.get(f"{RUNS}?limit=100").json().get("dag_runs", []):
            if run["logical_date"].startswith(self.date):
                return f"{RUNS}/{run['dag_run_id']}/taskInstances"
        return f"{RUNS}/none/taskInstances"

    def answer(self, choice: str, api: TestClient) -> str:
        """Answers as a person would, through Airflow's API; returns what the person was shown."""
        while state(api, self, "approve") != "awaiting_input":
            assert self.process.poll() is None, "it ended without asking"
            time.sleep(1)
        path = f"{self.path(api)}/approve/-1/hitlDetails"
        asked = api.get(path).json()
        done = api.patch(path, json={"chosen_options": [choice], "params_input": {}})
        assert done.status_code == 200, done.text
        return f"{asked['subject']}\n{asked['body']}"

    def wait(self) -> str:
        """The log of the run that ended."""
        self.process.wait(timeout=600)
        return self.log.read_text()


def tasks(api: TestClient, run: Run) -> dict[str, Any]:
    answer = api.get(run.path(api)).json()
    return {each["task_id"]: each for each in answer.get("task_instances", [])}


def state(api: TestClient, run: Run, task: str) -> str | None:
    return tasks(api, run).get(task, {}).get("state")


def report(name: str, run: Run, api: TestClient, expected: list[str | None]) -> None:
    found = tasks(api, run)
    assert found, "it did not start"
    states = [found[task]["state"] for task in ALL]
    took = {task: round(found[task]["duration"] or 0, 1) for task in ALL}
    print(f"{name}: {time.monotonic() - run.began:.0f} s; {dict(zip(ALL, states, strict=True))}")
    print(f"  seconds of each task: {took}", flush=True)
    assert states == expected, states


def approved(api: TestClient) -> None:
    run = Run("2026-01-01", {"config": PLAN_SETTINGS}, "--mark-success-pattern", "approve")
    run.wait()
    report("approved", run, api, ["success"] * 5)
    plan = json.loads((run.folder / "plan.json").read_text())
    told = json.loads((run.folder / "summary.json").read_text())
    deleted = {each["table"] for each in plan["tables"] if each["choice"] == "delete"}
    assert deleted
    assert {each["table"] for each in told["would_delete"]} == deleted
    assert told["frees_bytes"] == plan["totals"]["freed_bytes"]
    assert told["plan_sha256"] == plan["sha256"]
    print(f"  {len(deleted)} tables, {told['frees_bytes']:,} bytes, approved {told['approved_by']}")


def approved_by_a_person(api: TestClient) -> None:
    run = Run("2026-01-02", {"config": PLAN_SETTINGS})
    print(run.answer("Approve", api))
    run.wait()
    report("approved by a person", run, api, ["success"] * 5)
    told = json.loads((run.folder / "summary.json").read_text())
    assert told["approved_by"], told


def rejected(api: TestClient) -> None:
    run = Run("2026-01-03", {"config": PLAN_SETTINGS})
    run.answer("Reject", api)
    run.wait()
    report("rejected", run, api, [*["success"] * 4, "skipped"])
    assert not (run.folder / "summary.json").exists()


def nothing_to_delete(api: TestClient) -> None:
    run = Run("2026-01-04", {})
    run.wait()
    report("nothing to delete", run, api, [*["success"] * 3, "skipped", "skipped"])


def failing(api: TestClient) -> None:
    run = Run("2026-01-05", {"lake": "/no/such/lake"})
    log = run.wait()
    report("failing", run, api, ["failed", *["upstream_failed"] * 4])
    tries = tasks(api, run)["find"]["try_number"]
    assert tries == 3, tries
    assert run.process.returncode != 0
    told = re.search(r"r2d2: .*/no/such/lake.*?(?= \[|$)", log, re.M)
    assert told, "the log does not say why"
    print(f"  {tries} tries; {told[0]}")


def main() -> None:
    with TestClient(create_app(apps="core"), base_url="http://localhost") as api:
        token = api.get("/auth/token")
        if token.is_success:
            api.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        for run in (approved, approved_by_a_person, rejected, nothing_to_delete, failing):
            if not sys.argv[1:] or run.__name__ in sys.argv[1:]:
                run(api)


if __name__ == "__main__":
    try:
        main()
    except AssertionError:
        for log in sorted(OUT.parent.glob("20*.log"))[-1:]:
            print(f"== the end of {log}\n{log.read_text()[-20000:]}", file=sys.stderr)
        raise
