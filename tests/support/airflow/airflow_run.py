"""One run of the DAG by `airflow dags test`, and the person who answers it through Airflow's API.

Each run has a home and a database of its own: SQLite lets one process write at a time, and a run
that finds its database locked fails. For the same reason the run's log is watched, not its tables,
until there is something to ask or to answer.
"""

import atexit
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import create_app
from starlette.testclient import TestClient

DATE = "2026-01-01"
ALL = ["find", "plan", "proposal", "approve", "check", "apply", "summary"]
WAITING = "Waiting for Human-in-the-loop input"
LONGEST_S = 600
RUNS = "/api/v2/dags/r2d2/dagRuns"


def own_home(migrated: Path, home: Path) -> dict[str, str]:
    """The environment of a run whose home is that folder, with a copy of the migrated database."""
    home.mkdir()
    shutil.copy(migrated / "airflow.db", home / "airflow.db")
    return os.environ | {"AIRFLOW_HOME": str(home), "R2D2_DAG_OUT": str(home / "runs")}


class Run:
    """The run of this process's home."""

    def __init__(self, conf: dict[str, Any], *more: str) -> None:
        self.folder = Path(os.environ["R2D2_DAG_OUT"]) / f"{DATE.replace('-', '')}T000000"
        self.log = Path(os.environ["AIRFLOW_HOME"]) / "run.log"
        self.began = time.monotonic()
        command = ["airflow", "dags", "test", "r2d2", DATE, "--conf", json.dumps(conf), *more]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"},
                start_new_session=True,
            )
        atexit.register(self._stop)
        self.api = _api()

    def answer(self, choice: str, meanwhile: Callable[[], object] = lambda: None) -> str:
        """Answers as a person would, after `meanwhile`; returns what the person was shown."""
        while WAITING not in self.told():
            assert self.process.poll() is None, f"it ended without asking: {self.states()}"
            assert time.monotonic() - self.began < LONGEST_S, f"it does not ask: {self.states()}"
            time.sleep(0.5)
        path = f"{self.path()}/taskInstances/approve/-1/hitlDetails"
        asked = self.api.get(path).json()
        meanwhile()
        done = self.api.patch(path, json={"chosen_options": [choice], "params_input": {}})
        assert done.status_code == 200, done.text
        return f"{asked['subject']}\n{asked['body']}"

    def ends(self, expected: list[str | None]) -> str:
        """The run's log once it ended, its tasks in the states that are expected, as `ALL` goes."""
        self.process.wait(timeout=LONGEST_S)
        found = self.tasks()
        took = {task: round(found[task]["duration"] or 0, 1) for task in ALL}
        print(f"{time.monotonic() - self.began:.0f} s; of each task: {took}")
        assert self.states() == dict(zip(ALL, expected, strict=True)), self.states()
        return self.told()

    def told(self) -> str:
        return self.log.read_text(errors="replace")

    def states(self) -> dict[str, str | None]:
        found = self.tasks()
        return {task: found[task]["state"] for task in ALL}

    def tasks(self) -> dict[str, Any]:
        instances = self.api.get(f"{self.path()}/taskInstances").json()["task_instances"]
        return {each["task_id"]: each for each in instances}

    def _stop(self) -> None:
        """Ends the run and its job, where a check failed before they were done."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)

    def path(self) -> str:
        runs = self.api.get(RUNS).json()["dag_runs"]
        assert len(runs) == 1, f"it did not start: {self.told()[-5000:]}"
        return f"{RUNS}/{runs[0]['dag_run_id']}"


def _api() -> TestClient:
    api = TestClient(create_app(apps="core"), base_url="http://localhost")
    token = api.get("/auth/token")
    if token.is_success:
        api.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
    return api
