"""The events of an application, and of each the fields that are read.

Names and nesting: `JsonProtocol` of Spark 2.3 to 4.2. Other fields are passed over undecoded.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""The range of a Scala Long."""
MOST_MS = 9_000_000_000_000
"""In the year 2255: no sum of times before it overflows in µs."""
Moment = Annotated[int, Meta(ge=-(2**63), le=MOST_MS)]
"""Milliseconds since the epoch."""
Small = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""The range of a Scala Int."""


class AnyEvent(Struct):
    """Any event."""

    event: str = field(name="Event")


class LogStart(Struct):
    """`SparkListenerLogStart`, and Databricks' own first line."""

    version: str = field(name="Spark Version")


class ApplicationStart(Struct):
    """`SparkListenerApplicationStart`."""

    started_ms: Annotated[int, Meta(ge=1, le=MOST_MS)] = field(name="Timestamp")
    name: str | None = field(name="App Name", default=None)
    id: str | None = field(name="App ID", default=None)
    attempt: str | None = field(name="App Attempt ID", default=None)
    user: str | None = field(name="User", default=None)


class ApplicationEnd(Struct):
    """`SparkListenerApplicationEnd`."""

    ended_ms: Moment = field(name="Timestamp")


class EnvironmentUpdate(Struct):
    """`SparkListenerEnvironmentUpdate`."""

    properties: dict[str, str | None] = field(name="Spark Properties")


class ResourceRequest(Struct):
    """The amount of a resource that a resource profile asks for; memory in MiB."""

    amount: float = field(name="Amount", default=0.0)


class ResourceProfileAdded(Struct):
    """`SparkListenerResourceProfileAdded`, since Spark 3.1."""

    id: Small = field(name="Resource Profile Id")
    executor: dict[str, ResourceRequest] = field(
        name="Executor Resource Requests", default_factory=dict
    )
    task: dict[str, ResourceRequest] = field(name="Task Resource Requests", default_factory=dict)


class ExecutorInfo(Struct):
    """An executor's host and size."""

    cores: Annotated[int, Meta(ge=0, le=2**31 - 1)] = field(name="Total Cores")
    host: str | None = field(name="Host", default=None)
    profile: Small = field(name="Resource Profile Id", default=0)


class ExecutorAdded(Struct):
    """`SparkListenerExecutorAdded`."""

    added_ms: Moment = field(name="Timestamp")
    id: str = field(name="Executor ID")
    info: ExecutorInfo = field(name="Executor Info")


class ExecutorRemoved(Struct):
    """`SparkListenerExecutorRemoved`."""

    removed_ms: Moment = field(name="Timestamp")
    id: str = field(name="Executor ID")
    reason: str | None = field(name="Removed Reason", default=None)


class StageInfo(Struct):
    """A stage's attempt, as far as it has come."""

    id: Small = field(name="Stage ID")
    attempt: Small = field(name="Stage Attempt ID", default=0)
    name: str | None = field(name="Stage Name", default=None)
    tasks: Small = field(name="Number of Tasks", default=0)
    parents: tuple[Small, ...] = field(name="Parent IDs", default=())
    submitted_ms: Moment | None = field(name="Submission Time", default=None)
    completed_ms: Moment | None = field(name="Completion Time", default=None)
    problem: str | None = field(name="Failure Reason", default=None)


class StageEvent(Struct):
    """`SparkListenerStageSubmitted` and `SparkListenerStageCompleted`."""

    stage: StageInfo = field(name="Stage Info")


class JobProperties(Struct):
    """The properties of a job that are read: its description and r2d2's labels."""

    description: str | None = field(name="spark.job.description", default=None)
    read: str | None = field(name="r2d2.read", default=None)
    read_bytes: str | None = field(name="r2d2.read_bytes", default=None)


class JobStart(Struct):
    """`SparkListenerJobStart`."""

    id: Small = field(name="Job ID")
    started_ms: Moment | None = field(name="Submission Time", default=None)
    stage_ids: tuple[Small, ...] = field(name="Stage IDs", default=())
    stages: list[StageInfo] = field(name="Stage Infos", default_factory=list)
    properties: JobProperties | None = field(name="Properties", default=None)


class JobResult(Struct):
    """The end of a job."""

    result: str | None = field(name="Result", default=None)


class JobEnd(Struct):
    """`SparkListenerJobEnd`."""

    id: Small = field(name="Job ID")
    ended_ms: Moment | None = field(name="Completion Time", default=None)
    result: JobResult | None = field(name="Job Result", default=None)


class StartedTask(Struct):
    """A task that starts."""

    id: Whole = field(name="Task ID")
    launch_ms: Moment = field(name="Launch Time")


class TaskStart(Struct):
    """`SparkListenerTaskStart`."""

    task: StartedTask = field(name="Task Info")


class TaskInfo(Struct):
    """A task that ended."""

    id: Whole = field(name="Task ID")
    index: Small = field(name="Index")
    launch_ms: Moment = field(name="Launch Time")
    finish_ms: Moment = field(name="Finish Time")
    executor: str = field(name="Executor ID")
    attempt: Small = field(name="Attempt", default=0)
    speculative: bool = field(name="Speculative", default=False)
    failed: bool = field(name="Failed", default=False)
    killed: bool = field(name="Killed", default=False)


class TaskEndReason(Struct):
    """The end of a task."""

    reason: str = field(name="Reason", default="")


class ShuffleReadMetrics(Struct):
    """The shuffle blocks that a task fetched."""

    wait_ms: Whole = field(name="Fetch Wait Time", default=0)
    remote_bytes: Whole = field(name="Remote Bytes Read", default=0)
    local_bytes: Whole = field(name="Local Bytes Read", default=0)


class ShuffleWriteMetrics(Struct):
    """The shuffle blocks that a task wrote."""

    bytes: Whole = field(name="Shuffle Bytes Written", default=0)
    ns: Whole = field(name="Shuffle Write Time", default=0)


class InputMetrics(Struct):
    """The input that a task read."""

    bytes: Whole = field(name="Bytes Read", default=0)


class OutputMetrics(Struct):
    """The output that a task wrote."""

    bytes: Whole = field(name="Bytes Written", default=0)


class TaskMetrics(Struct):
    """A task's metrics; Spark before 3.0 has no peak of memory here."""

    run_ms: Whole = field(name="Executor Run Time", default=0)
    cpu_ns: Whole = field(name="Executor CPU Time", default=0)
    gc_ms: Whole = field(name="JVM GC Time", default=0)
    deserialize_ms: Whole = field(name="Executor Deserialize Time", default=0)
    result_ms: Whole = field(name="Result Serialization Time", default=0)
    spilled_memory_bytes: Whole = field(name="Memory Bytes Spilled", default=0)
    spilled_disk_bytes: Whole = field(name="Disk Bytes Spilled", default=0)
    peak_memory_bytes: Whole = field(name="Peak Execution Memory", default=0)
    shuffle_read: ShuffleReadMetrics | None = field(name="Shuffle Read Metrics", default=None)
    shuffle_write: ShuffleWriteMetrics | None = field(name="Shuffle Write Metrics", default=None)
    input: InputMetrics | None = field(name="Input Metrics", default=None)
    output: OutputMetrics | None = field(name="Output Metrics", default=None)


class ExecutorMetrics(Struct):
    """The most memory that an executor's JVM had while a task ran, since Spark 3.0; 0 if unseen."""

    heap_bytes: Whole = field(name="JVMHeapMemory", default=0)
    off_heap_bytes: Whole = field(name="JVMOffHeapMemory", default=0)


class TaskEnd(Struct):
    """`SparkListenerTaskEnd`."""

    stage: Small = field(name="Stage ID")
    task: TaskInfo = field(name="Task Info")
    stage_attempt: Small = field(name="Stage Attempt ID", default=0)
    reason: TaskEndReason | None = field(name="Task End Reason", default=None)
    metrics: TaskMetrics | None = field(name="Task Metrics", default=None)
    executor: ExecutorMetrics | None = field(name="Task Executor Metrics", default=None)
