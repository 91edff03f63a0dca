"""Single events as Spark writes them, to put accidents together; times are seconds after T."""

import json
from typing import Any

T = 1_700_000_000_000


def line(event: str, **fields: Any) -> str:
    return json.dumps({"Event": f"SparkListener{event}", **fields}, separators=(",", ":"))


def at(seconds: float) -> int:
    return T + round(1000 * seconds)


def app_start(name: str = "app", app_id: str = "app-1", **more: Any) -> str:
    own = {"App Name": name, "App ID": app_id, "Timestamp": T, "User": "nobody"}
    return line("ApplicationStart", **own | more)


def app_end(seconds: float) -> str:
    return line("ApplicationEnd", Timestamp=at(seconds))


def added(executor: str, seconds: float, cores: int = 4, host: str = "a", **info: Any) -> str:
    known = {"Host": host, "Total Cores": cores, "Log Urls": {}, **info}
    own = {"Timestamp": at(seconds), "Executor ID": executor, "Executor Info": known}
    return line("ExecutorAdded", **own)


def removed(executor: str, seconds: float) -> str:
    own = {"Timestamp": at(seconds), "Executor ID": executor, "Removed Reason": "gone"}
    return line("ExecutorRemoved", **own)


def job_start(job: int, seconds: float, stages: tuple[int, ...] = (0,), **more: Any) -> str:
    infos = [stage_info(stage) for stage in stages]
    own = {"Job ID": job, "Submission Time": at(seconds), "Stage Infos": infos}
    return line("JobStart", **own, **{"Stage IDs": list(stages)}, **more)


def job_end(job: int, seconds: float, result: str = "JobSucceeded") -> str:
    own = {"Job ID": job, "Completion Time": at(seconds), "Job Result": {"Result": result}}
    return line("JobEnd", **own)


def stage_info(stage: int, attempt: int = 0, **more: Any) -> dict[str, Any]:
    own = {"Stage ID": stage, "Stage Attempt ID": attempt, "Stage Name": f"stage {stage}"}
    return {**own, "Number of Tasks": 2, "Parent IDs": [], **more}


def task_start(task: int, seconds: float) -> str:
    info = {"Task ID": task, "Index": 0, "Attempt": 0, "Launch Time": at(seconds)}
    return line("TaskStart", **{"Stage ID": 0, "Stage Attempt ID": 0, "Task Info": info})


def task_end(task: int, launch: float, finish: float, executor: str = "1", **more: Any) -> str:
    info = {
        "Task ID": task, "Index": 0, "Attempt": 0, "Launch Time": at(launch),
        "Executor ID": executor, "Host": "a", "Speculative": False, "Finish Time": at(finish),
    }  # fmt: skip
    own = {"Stage ID": 0, "Stage Attempt ID": 0, "Task End Reason": {"Reason": "Success"}}
    return line("TaskEnd", **own | {"Task Info": info} | more)
