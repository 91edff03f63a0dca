"""The events of a large made-up application, as Spark 3.5 writes them: see `event_log`."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

SEED = 20_240_613
START_MS = 1_700_000_000_000
EXECUTORS, CORES, HOSTS = 16, 4, 8
STAGE_TASKS = 200
SQL_METRICS = (
    "data size", "duration", "number of output rows", "number of input batches", "peak memory",
    "spill size", "shuffle bytes written", "shuffle records written", "shuffle write time",
    "remote bytes read", "local blocks read", "fetch wait time", "records read",
    "time in aggregation build",
)  # fmt: skip
TASK_METRICS = (
    "executorDeserializeTime", "executorDeserializeCpuTime", "executorRunTime", "executorCpuTime",
    "resultSize", "jvmGCTime", "resultSerializationTime", "peakExecutionMemory",
    "shuffle.read.remoteBytesRead", "shuffle.read.localBytesRead", "shuffle.read.fetchWaitTime",
    "shuffle.write.bytesWritten", "shuffle.write.recordsWritten", "shuffle.write.writeTime",
    "input.bytesRead", "input.recordsRead",
)  # fmt: skip
MEMORY_METRICS = (
    "JVMHeapMemory", "JVMOffHeapMemory", "OnHeapExecutionMemory", "OffHeapExecutionMemory",
    "OnHeapStorageMemory", "OffHeapStorageMemory", "OnHeapUnifiedMemory", "OffHeapUnifiedMemory",
    "DirectPoolMemory", "MappedPoolMemory", "ProcessTreeJVMVMemory", "ProcessTreeJVMRSSMemory",
    "ProcessTreePythonVMemory", "ProcessTreePythonRSSMemory", "ProcessTreeOtherVMemory",
    "ProcessTreeOtherRSSMemory", "MinorGCCount", "MinorGCTime", "MajorGCCount", "MajorGCTime",
    "TotalGCTime",
)  # fmt: skip
Event = dict[str, Any]
PROPERTIES = {
    f"spark.setting.{number}": f"a value of setting {number}" for number in range(120)
} | {"spark.master": "yarn", "spark.executor.memory": "8g", "spark.executor.cores": str(CORES)}
DETAILS = "\n".join(f"org.apache.spark.sql.Dataset.count(Dataset.scala:{n})" for n in range(40))


def events() -> Iterator[Event]:
    """An application that never ends: jobs of one stage each, on executors that all stay."""
    chance = random.Random(SEED)
    yield from _first()
    accumulated = dict.fromkeys((*SQL_METRICS, *TASK_METRICS), 0)
    clock, tasks = START_MS + 20_000, 0
    for job in itertools.count():
        yield _query(job, clock)
        stage = _stage_info(job)
        yield {
            "Event": "SparkListenerJobStart", "Job ID": job, "Submission Time": clock,
            "Stage Infos": [stage], "Stage IDs": [job], "Properties": PROPERTIES,
        }  # fmt: skip
        stage = stage | {"Submission Time": clock}
        yield {
            "Event": "SparkListenerStageSubmitted",
            "Stage Info": stage,
            "Properties": PROPERTIES,
        }
        for started, ended in _tasks(job, tasks, clock, accumulated, chance):
            yield started
            yield ended
            clock = max(clock, ended["Task Info"]["Finish Time"])
        tasks += STAGE_TASKS
        stage = stage | {"Completion Time": clock, "Accumulables": _accumulables(accumulated, {})}
        yield {"Event": "SparkListenerStageCompleted", "Stage Info": stage}
        yield {
            "Event": "SparkListenerJobEnd", "Job ID": job, "Completion Time": clock,
            "Job Result": {"Result": "JobSucceeded"},
        }  # fmt: skip
        clock += chance.randrange(2_000)


def _first() -> Iterator[Event]:
    yield {"Event": "SparkListenerLogStart", "Spark Version": "3.5.3"}
    yield {
        "Event": "SparkListenerEnvironmentUpdate", "JVM Information": {}, "Spark Properties":
        PROPERTIES, "System Properties": {}, "Hadoop Properties": {}, "Metrics Properties": {},
        "Classpath Entries": {f"/jars/library-{number}.jar": "System" for number in range(300)},
    }  # fmt: skip
    yield {
        "Event": "SparkListenerApplicationStart", "App Name": "benchmark",
        "App ID": "application_1700000000000_0001", "Timestamp": START_MS, "User": "nobody",
        "App Attempt ID": "1",
    }  # fmt: skip
    for number in range(EXECUTORS):
        info = {"Host": f"host-{number % HOSTS}", "Total Cores": CORES, "Log Urls": {}}
        yield {
            "Event": "SparkListenerExecutorAdded", "Timestamp": START_MS + 900 * number,
            "Executor ID": str(number + 1), "Executor Info": info,
        }  # fmt: skip


def _query(number: int, clock: int) -> Event:
    """A line that only readers of SQL plans want."""
    plan = {"nodeName": "WholeStageCodegen", "simpleString": DETAILS, "children": [], "metrics": []}
    return {
        "Event": "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart",
        "executionId": number, "description": "count", "details": DETAILS,
        "physicalPlanDescription": DETAILS * 3, "sparkPlanInfo": plan, "time": clock,
    }  # fmt: skip


def _stage_info(number: int) -> Event:
    return {
        "Stage ID": number, "Stage Attempt ID": 0, "Stage Name": "count at Query.scala:42",
        "Number of Tasks": STAGE_TASKS, "RDD Info": [], "Parent IDs": [], "Details": DETAILS,
        "Accumulables": [], "Resource Profile Id": 0,
    }  # fmt: skip


def _tasks(
    stage: int, first: int, clock: int, accumulated: dict[str, int], chance: random.Random
) -> Iterator[tuple[Event, Event]]:
    """The start and end of each task, on slots that are taken in turn."""
    free = [clock] * (EXECUTORS * CORES)
    for index in range(STAGE_TASKS):
        slot = index % len(free)
        launch = free[slot] + chance.randrange(20)
        free[slot] = launch + chance.randrange(400, 4_000)
        info = {
            "Task ID": first + index, "Index": index, "Attempt": 0, "Partition ID": index,
            "Launch Time": launch, "Executor ID": str(slot % EXECUTORS + 1),
            "Host": f"host-{slot % HOSTS}", "Locality": "PROCESS_LOCAL", "Speculative": False,
            "Getting Result Time": 0, "Finish Time": 0, "Failed": False, "Killed": False,
            "Accumulables": [],
        }  # fmt: skip
        own = {"Stage ID": stage, "Stage Attempt ID": 0}
        started = {"Event": "SparkListenerTaskStart", **own, "Task Info": info}
        updates = _updates(free[slot] - launch, chance)
        for name, value in updates.items():
            accumulated[name] += value
        info = info | {"Finish Time": free[slot]}
        info["Accumulables"] = _accumulables(accumulated, updates)
        yield started, {
            "Event": "SparkListenerTaskEnd", **own, "Task Type": "ShuffleMapTask",
            "Task End Reason": {"Reason": "Success"}, "Task Info": info,
            "Task Executor Metrics": dict.fromkeys(MEMORY_METRICS, 0),
            "Task Metrics": _metrics(updates),
        }  # fmt: skip


def _updates(span_ms: int, chance: random.Random) -> dict[str, int]:
    """What a task of that length adds to each accumulable."""
    run = span_ms - 60
    rows = 1_000 * chance.randrange(1, 3)
    found = dict.fromkeys((*SQL_METRICS, *TASK_METRICS), rows)
    return found | {
        "duration": run, "executorRunTime": run, "executorDeserializeTime": 40, "spill size": 0,
        "executorDeserializeCpuTime": 30_000_000, "executorCpuTime": run * 700_000,
        "resultSize": 2_076, "jvmGCTime": run // 30, "resultSerializationTime": 1,
        "peakExecutionMemory": 2**26, "peak memory": 2**26, "data size": rows * 16,
        "shuffle.read.fetchWaitTime": run // 50, "fetch wait time": run // 50,
        "shuffle.read.remoteBytesRead": rows * 12, "shuffle.read.localBytesRead": rows * 2,
        "shuffle.write.bytesWritten": rows * 16, "shuffle.write.writeTime": run * 9_000,
        "input.bytesRead": rows * 40,
    }  # fmt: skip


def _accumulables(accumulated: dict[str, int], updates: dict[str, int]) -> list[Event]:
    found = []
    for number, name in enumerate((*SQL_METRICS, *TASK_METRICS)):
        sql = name in SQL_METRICS
        both = {"Update": updates.get(name), "Value": accumulated[name]}
        told = {
            key: str(value) if sql else value for key, value in both.items() if value is not None
        }
        more = {"Metadata": "sql"} if sql else {}
        full = name if sql else f"internal.metrics.{name}"
        common = {"Internal": True, "Count Failed Values": True}
        found.append({"ID": 100 + number, "Name": full, **told, **common, **more})
    return found


def _metrics(updates: dict[str, int]) -> Event:
    fetch = ("Remote Blocks Fetched", "Local Blocks Fetched", "Remote Bytes Read To Disk")
    return {
        "Executor Deserialize Time": updates["executorDeserializeTime"],
        "Executor Deserialize CPU Time": updates["executorDeserializeCpuTime"],
        "Executor Run Time": updates["executorRunTime"],
        "Executor CPU Time": updates["executorCpuTime"],
        "Peak Execution Memory": updates["peakExecutionMemory"],
        "Result Size": updates["resultSize"], "JVM GC Time": updates["jvmGCTime"],
        "Result Serialization Time": 1, "Memory Bytes Spilled": 0, "Disk Bytes Spilled": 0,
        "Shuffle Read Metrics": {
            "Fetch Wait Time": updates["shuffle.read.fetchWaitTime"],
            "Remote Bytes Read": updates["shuffle.read.remoteBytesRead"],
            "Local Bytes Read": updates["shuffle.read.localBytesRead"],
            "Total Records Read": updates["records read"], **dict.fromkeys(fetch, 0),
        },
        "Shuffle Write Metrics": {
            "Shuffle Bytes Written": updates["shuffle.write.bytesWritten"],
            "Shuffle Write Time": updates["shuffle.write.writeTime"],
            "Shuffle Records Written": updates["shuffle.write.recordsWritten"],
        },
        "Input Metrics": {"Bytes Read": updates["input.bytesRead"], "Records Read": 0},
        "Output Metrics": {"Bytes Written": 0, "Records Written": 0}, "Updated Blocks": [],
    }  # fmt: skip
