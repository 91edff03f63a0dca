"""A whole Airflow, and runs of its DAGs, asked and answered through its API.

A scheduler, a processor of DAGs and an API server share one home and one database.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

DATE = "2026-01-01"
ORDER = [
    "find",
    "plan",
    "proposal",
    "due",
    "to_purge",
    "approve",
    "check",
    "apply",
    "purge",
    "summary",
    "profile",
]
"""Of the tasks of all DAGs, each of which has some."""
LONGEST_S = 1800
SERVICES = {"scheduler": ["--skip-serve-logs"], "dag-processor": [], "api-server": []}
ENDED = ("success", "failed")


class Airflow:
    """The API of the Airflow that runs."""

    def __init__(self, url: str, scheduled: Path) -> None:
        self.scheduled = scheduled
        self.client = httpx.Client(base_url=url, timeout=300)
        token = until(lambda: self._token(), "the API server answers")
        self.client.headers["Authorization"] = f"Bearer {token}"

    def _token(self) -> str | None:
        try:
            return str(self.client.get("/auth/token").raise_for_status().json()["access_token"])
        except httpx.HTTPError:
            return None

    def unpause(self, dag: str) -> None:
        """Lets a DAG run, once Airflow knows it."""
        until(lambda: "dag_id" in self.call("GET", f"/dags/{dag}"), f"{dag} is known")
        self.call("PATCH", f"/dags/{dag}", is_paused=False)

    def call(self, method: str, path: str, **body: Any) -> Any:
        """What the API answers; its refusals, too."""
        return self.client.request(method, f"/api/v2{path}", json=body or None).json()


@contextmanager
def airflow(home: Path) -> Iterator[Airflow]:
    """An Airflow in a folder whose database is migrated; it ends with the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = os.environ | {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
    }
    started = list[subprocess.Popen[bytes]]()

    def stop(*_: object) -> None:
        """Ends the services, too: each is a session of its own."""
        _end(started)
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    try:
        for service, flags in SERVICES.items():
            with (home / f"{service}.log").open("w") as log:
                command = ["airflow", service, *flags]
                streams = {"stdout": log, "stderr": subprocess.STDOUT}
                started.append(
                    subprocess.Popen(command, env=env, start_new_session=True, **streams)
                )
        api = Airflow(url, home / "scheduler.log")
        errors = api.call("GET", "/importErrors")["import_errors"]
        assert not errors, errors
        yield api
    finally:
        _end(started)


def _end(services: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in services:
        os.killpg(process.pid, signal.SIGTERM)
    for process in services:
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def until(told: Callable[[], Any], what: str) -> Any:
    """What is told, once it is something."""
    began = time.monotonic()
    while not (found := told()):
        assert time.monotonic() - began < LONGEST_S, f"not in {LONGEST_S} s: {what}"
        time.sleep(5)
    return found


class Run:
    """A run of a DAG; by a person, but for the first of a DAG with a schedule or an asset."""

    def __init__(self, api: Airflow, dag: str, date: str | None = DATE, **conf: Any) -> None:
        self.api, self.dag, self.began = api, f"/dags/{dag}", time.monotonic()
        api.unpause(dag)
        if date is None:
            run = until(lambda: api.call("GET", f"{self.dag}/dagRuns")["dag_runs"], "a run")[0]
        else:
            logical = f"{date}T00:00:00Z"
            run = api.call("POST", f"{self.dag}/dagRuns", logical_date=logical, conf=conf)
            assert "dag_run_id" in run, run
        self.path = f"{self.dag}/dagRuns/{run['dag_run_id']}"
        moment = datetime.fromisoformat(run["logical_date"] or run["run_after"])
        self.folder = Path(os.environ["R2D2_DAG_OUT"], dag, f"{moment:%Y%m%dT%H%M%S}")

    def answer(self, choice: str, meanwhile: Callable[[], object] = lambda: None) -> str:
        """Answers as a person would, after `meanwhile`; returns what the person was shown."""
        asked = self.asks()
        meanwhile()
        body = {"chosen_options": [choice], "params_input": {}}
        done = self.api.call("PATCH", f"{self.path}/taskInstances/approve/-1/hitlDetails", **body)
        assert done.get("chosen_options") == [choice], done
        return f"{asked['subject']}\n{asked['body']}"

    def asks(self) -> dict[str, Any]:
        """What a person is asked, once that is so.

        An answer that comes before the scheduler knows that the task has stopped fails it.
        """
        until(lambda: self._waits(), f"it asks: {self.states()}")
        until(self._is_known_to_wait, "the scheduler knows that it asks")
        asked: dict[str, Any] = self.api.call(
            "GET", f"{self.path}/taskInstances/approve/-1/hitlDetails"
        )
        return asked

    def _waits(self) -> bool:
        states = self.states()
        assert self._state() not in ENDED, f"it ended without asking: {states}"
        return states["approve"] == "awaiting_input"

    def _is_known_to_wait(self) -> bool:
        """Whether the scheduler has told that this try of the task stopped to ask."""
        asking = self.api.call("GET", f"{self.path}/taskInstances/approve")
        told = f"task_id=approve, run_id={self.path.rpartition('/')[2]},"
        number = f"try_number={asking['try_number']},"
        lines = self.api.scheduled.read_text(errors="replace").splitlines()
        finished = [line for line in lines if "TaskInstance Finished" in line and told in line]
        return any("state=awaiting_input" in line and number in line for line in finished)

    def mark_as_done(self, task: str) -> None:
        """Does what Airflow's *Mark as success* does."""
        done = self.api.call("PATCH", f"{self.path}/taskInstances/{task}", new_state="success")
        assert "task_instances" in done, done

    def clear(self, task: str) -> None:
        """Has the task, and those after it, run again."""
        asked = {"dry_run": False, "only_failed": False, "include_downstream": True}
        run = self.path.rpartition("/")[2]
        done = self.api.call(
            "POST", f"{self.dag}/clearTaskInstances", task_ids=[task], dag_run_id=run, **asked
        )
        assert "task_instances" in done, done
        until(lambda: self._state() not in ENDED, f"{task} is cleared")

    def ends(self, *expected: str) -> None:
        """Passes once it ended with the states that are expected of its tasks, in order."""
        until(lambda: self._state() in ENDED, f"it ends: {self.states()}")
        found = self.states()
        assert list(found.values()) == list(expected), found

    def took(self) -> str:
        found = {name: round(each["duration"] or 0) for name, each in self.tasks().items()}
        return f"{time.monotonic() - self.began:.0f} s; the last try of each task: {found}"

    def log(self, task: str) -> str:
        """What the task's last try said."""
        path = f"{self.path}/taskInstances/{task}/logs/{self.tasks()[task]['try_number']}"
        return json.dumps(self.api.call("GET", path)["content"], ensure_ascii=False)

    def states(self) -> dict[str, str | None]:
        return {name: each["state"] for name, each in self.tasks().items()}

    def tasks(self) -> dict[str, Any]:
        """The run's tasks, as they follow each other."""
        tasks = self.api.call("GET", f"{self.path}/taskInstances")["task_instances"]
        names = {each["task_id"]: each for each in tasks}
        return {name: names[name] for name in ORDER if name in names}

    def _state(self) -> str:
        return str(self.api.call("GET", self.path)["state"])
