"""A made-up run as the events that Spark 3.5 writes of it (`JsonProtocol`), in order of time."""

from collections.abc import Iterator, Mapping
from typing import Any

from r2d2.vmcost.model import Executor, Job, Outcome, SparkStage
from tests.support.vmcost.random_runs import SHAPES, START_MS, Run

Event = Mapping[str, Any]
SQL = "org.apache.spark.sql.execution.ui."


def events(run: Run) -> list[Event]:
    """All events; those that Spark writes first are first, the others by their time."""
    return [*_first(run), *(event for *_, event in sorted(_timed(run), key=lambda each: each[:2]))]


def _first(run: Run) -> Iterator[Event]:
    yield {"Event": "SparkListenerLogStart", "Spark Version": "3.5.3"}
    if not run.local:
        yield from (_profile(number, *shape) for number, shape in enumerate(SHAPES))
    yield {
        "Event": "SparkListenerEnvironmentUpdate",
        "JVM Information": {"Java Version": "17"},
        "Spark Properties": run.properties(),
        "System Properties": {"user.name": "nobody"},
    }
    yield {
        "Event": "SparkListenerApplicationStart",
        "App Name": f"<b>run</b> of {run.id}",
        "App ID": run.id,
        "Timestamp": START_MS,
        "User": "nobody",
    }


def _profile(number: int, cores: int, task_cpus: int, memory: int) -> Event:
    asked = {"cores": cores, "memory": memory, "offHeap": 0}
    return {
        "Event": "SparkListenerResourceProfileAdded",
        "Resource Profile Id": number,
        "Executor Resource Requests": {
            name: {"Resource Name": name, "Amount": amount, "Discovery Script": "", "Vendor": ""}
            for name, amount in asked.items()
        },
        "Task Resource Requests": {"cpus": {"Resource Name": "cpus", "Amount": float(task_cpus)}},
    }


def _timed(run: Run) -> Iterator[tuple[int, int, Event]]:
    """Time, rank among those of one time, event."""
    for executor in run.executors:
        yield executor.added_ms, 0, _added(executor, run.local)
        if executor.removed_ms is not None:
            yield executor.removed_ms, 5, _removed(executor)
    for job in run.jobs:
        yield _at(job.started_ms), 1, _job_start(job, run.stages)
        yield _at(job.ended_ms), 8, _job_end(job)
    for stage in run.stages:
        yield _at(stage.submitted_ms), 2, _stage("Submitted", stage, False)
        yield _at(stage.completed_ms), 7, _stage("Completed", stage, True)
    for task in run.tasks:
        yield task["launch_ms"], 3, _task_start(task, run.executors)
        yield task["finish_ms"], 6, _task_end(task, run.executors)
    if run.ended_told:
        yield run.end_ms, 9, {"Event": "SparkListenerApplicationEnd", "Timestamp": run.end_ms}
        yield run.end_ms, 10, {"Event": f"{SQL}SparkListenerSQLExecutionEnd", "time": run.end_ms}


def _at(moment: int | None) -> int:
    assert moment is not None
    return moment


def _added(executor: Executor, local: bool) -> Event:
    info = {"Host": executor.host, "Total Cores": executor.cores, "Log Urls": {}}
    if not local:
        info["Resource Profile Id"] = executor.profile
    return {
        "Event": "SparkListenerExecutorAdded",
        "Timestamp": executor.added_ms,
        "Executor ID": executor.id,
        "Executor Info": info,
    }


def _removed(executor: Executor) -> Event:
    return {
        "Event": "SparkListenerExecutorRemoved",
        "Timestamp": executor.removed_ms,
        "Executor ID": executor.id,
        "Removed Reason": executor.removed_reason,
    }


def _job_start(job: Job, stages: list[SparkStage]) -> Event:
    return {
        "Event": "SparkListenerJobStart",
        "Job ID": job.id,
        "Submission Time": job.started_ms,
        "Stage Infos": [_stage_info(stages[number], False, False) for number in job.stages],
        "Stage IDs": list(job.stages),
        "Properties": {"spark.rdd.scope.noOverride": "true"},
    }


def _job_end(job: Job) -> Event:
    result: dict[str, Any] = {"Result": "JobSucceeded"}
    if not job.succeeded:
        result = {"Result": "JobFailed", "Exception": {"Message": "aborted", "Stack Trace": []}}
    return {
        "Event": "SparkListenerJobEnd",
        "Job ID": job.id,
        "Completion Time": job.ended_ms,
        "Job Result": result,
    }


def _stage(what: str, stage: SparkStage, completed: bool) -> Event:
    return {"Event": f"SparkListenerStage{what}", "Stage Info": _stage_info(stage, True, completed)}


def _stage_info(stage: SparkStage, submitted: bool, completed: bool) -> dict[str, Any]:
    info: dict[str, Any] = {
        "Stage ID": stage.id,
        "Stage Attempt ID": stage.attempt,
        "Stage Name": stage.name,
        "Number of Tasks": stage.tasks,
        "RDD Info": [],
        "Parent IDs": list(stage.parents),
        "Details": "",
        "Accumulables": [],
    }
    if submitted:
        info["Submission Time"] = stage.submitted_ms
    if completed:
        info["Completion Time"] = stage.completed_ms
        if stage.problem:
            info["Failure Reason"] = stage.problem
    return info


def _task_info(task: Mapping[str, Any], executors: list[Executor], ended: bool) -> dict[str, Any]:
    return {
        "Task ID": task["number"],
        "Index": task["index"],
        "Attempt": task["attempt"],
        "Partition ID": task["index"],
        "Launch Time": task["launch_ms"],
        "Executor ID": executors[task["executor"]].id,
        "Host": executors[task["executor"]].host,
        "Locality": "PROCESS_LOCAL",
        "Speculative": task["speculative"],
        "Getting Result Time": 0,
        "Finish Time": task["finish_ms"] if ended else 0,
        "Failed": ended and task["outcome"] == Outcome.FAILED,
        "Killed": ended and task["outcome"] == Outcome.KILLED,
        "Accumulables": [],
    }


def _task_start(task: Mapping[str, Any], executors: list[Executor]) -> Event:
    return {
        "Event": "SparkListenerTaskStart",
        "Stage ID": task["stage"],
        "Stage Attempt ID": task["stage_attempt"],
        "Task Info": _task_info(task, executors, False),
    }


def _task_end(task: Mapping[str, Any], executors: list[Executor]) -> Event:
    event: dict[str, Any] = {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": task["stage"],
        "Stage Attempt ID": task["stage_attempt"],
        "Task Type": "ResultTask",
        "Task End Reason": _reason(task),
        "Task Info": _task_info(task, executors, True),
    }
    return event if task["lost"] else event | {"Task Metrics": _metrics(task)}


def _reason(task: Mapping[str, Any]) -> Mapping[str, Any]:
    if task["lost"]:
        return {"Reason": "ExecutorLostFailure", "Loss Reason": "lost"}
    if task["outcome"] == Outcome.KILLED:
        return {"Reason": "TaskKilled", "Kill Reason": "another attempt succeeded"}
    if task["outcome"] == Outcome.FAILED:
        return {
            "Reason": "ExceptionFailure",
            "Class Name": "java.io.IOException",
            "Description": "broken",
            "Stack Trace": [],
            "Full Stack Trace": "java.io.IOException: broken",
            "Accumulator Updates": [],
        }
    return {"Reason": "Success"}


def _metrics(task: Mapping[str, Any]) -> Mapping[str, Any]:
    local = task["shuffle_read_bytes"] // 3
    return {
        "Executor Deserialize Time": task["deserialize_ms"],
        "Executor Deserialize CPU Time": 0,
        "Executor Run Time": task["run_ms"],
        "Executor CPU Time": task["cpu_ns"],
        "Peak Execution Memory": task["peak_memory_bytes"],
        "Result Size": 1976,
        "JVM GC Time": task["gc_ms"],
        "Result Serialization Time": task["result_ms"],
        "Memory Bytes Spilled": task["spilled_memory_bytes"],
        "Disk Bytes Spilled": task["spilled_disk_bytes"],
        "Shuffle Read Metrics": {
            "Fetch Wait Time": task["fetch_wait_ms"],
            "Remote Bytes Read": task["shuffle_read_bytes"] - local,
            "Local Bytes Read": local,
            "Remote Blocks Fetched": 0,
            "Local Blocks Fetched": 0,
            "Total Records Read": 0,
        },
        "Shuffle Write Metrics": {
            "Shuffle Bytes Written": task["shuffle_write_bytes"],
            "Shuffle Write Time": task["shuffle_write_ns"],
            "Shuffle Records Written": 0,
        },
        "Input Metrics": {"Bytes Read": task["input_bytes"], "Records Read": 0},
        "Output Metrics": {"Bytes Written": task["output_bytes"], "Records Written": 0},
        "Updated Blocks": [],
    }
