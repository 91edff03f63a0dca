"""The events of an application that this package reads, and of each the fields that it needs.

Names and nesting: `JsonProtocol` of Spark 2.3 to 4.2. Other fields are passed over undecoded.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What a Scala Long holds."""
MOST_MS = 9_000_000_000_000
"""In the year 2255: no sum of times before it overflows in µs."""
Moment = Annotated[int, Meta(ge=-(2**63), le=MOST_MS)]
"""Milliseconds since the epoch."""
Small = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""What a Scala Int holds."""


class Kind(Struct):
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


class ApplicationEnd(Struct):
    """`SparkListenerApplicationEnd`."""

    ended_ms: Moment = field(name="Timestamp")


class EnvironmentUpdate(Struct):
    """`SparkListenerEnvironmentUpdate`."""

    properties: dict[str, str | None] = field(name="Spark Properties")


class Amount(Struct):
    """What a resource profile asks of a resource; memory in MiB."""

    amount: float = field(name="Amount", default=0.0)


class ResourceProfileAdded(Struct):
    """`SparkListenerResourceProfileAdded`, since Spark 3.1."""

    id: Small = field(name="Resource Profile Id")
    executor: dict[str, Amount] = field(name="Executor Resource Requests", default_factory=dict)
    task: dict[str, Amount] = field(name="Task Resource Requests", default_factory=dict)


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
    """What a job's user said of it."""

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
    """How a job ended."""

    result: str | None = field(name="Result", default=None)


class JobEnd(Struct):
    """`SparkListenerJobEnd`."""

    id: Small = field(name="Job ID")
    ended_ms: Moment | None = field(name="Completion Time", default=None)
    result: JobResult | None = field(name="Job Result", default=None)
