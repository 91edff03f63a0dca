"""The events of tasks, most of a log: see `shapes`."""

from msgspec import Struct, field

from r2d2.vmcost.events.schema import Moment, Small, Whole


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


class Reason(Struct):
    """How a task ended."""

    reason: str = field(name="Reason", default="")


class ShuffleRead(Struct):
    """What a task fetched."""

    wait_ms: Whole = field(name="Fetch Wait Time", default=0)
    remote_bytes: Whole = field(name="Remote Bytes Read", default=0)
    local_bytes: Whole = field(name="Local Bytes Read", default=0)


class ShuffleWrite(Struct):
    """What a task left for others to fetch."""

    bytes: Whole = field(name="Shuffle Bytes Written", default=0)
    ns: Whole = field(name="Shuffle Write Time", default=0)


class Read(Struct):
    """What a task read."""

    bytes: Whole = field(name="Bytes Read", default=0)


class Written(Struct):
    """What a task wrote."""

    bytes: Whole = field(name="Bytes Written", default=0)


class Metrics(Struct):
    """A task's metrics; Spark before 3.0 has no peak of memory here."""

    run_ms: Whole = field(name="Executor Run Time", default=0)
    cpu_ns: Whole = field(name="Executor CPU Time", default=0)
    gc_ms: Whole = field(name="JVM GC Time", default=0)
    deserialize_ms: Whole = field(name="Executor Deserialize Time", default=0)
    result_ms: Whole = field(name="Result Serialization Time", default=0)
    spilled_memory_bytes: Whole = field(name="Memory Bytes Spilled", default=0)
    spilled_disk_bytes: Whole = field(name="Disk Bytes Spilled", default=0)
    peak_memory_bytes: Whole = field(name="Peak Execution Memory", default=0)
    shuffle_read: ShuffleRead | None = field(name="Shuffle Read Metrics", default=None)
    shuffle_write: ShuffleWrite | None = field(name="Shuffle Write Metrics", default=None)
    input: Read | None = field(name="Input Metrics", default=None)
    output: Written | None = field(name="Output Metrics", default=None)


class TaskEnd(Struct):
    """`SparkListenerTaskEnd`."""

    stage: Small = field(name="Stage ID")
    task: TaskInfo = field(name="Task Info")
    stage_attempt: Small = field(name="Stage Attempt ID", default=0)
    reason: Reason | None = field(name="Task End Reason", default=None)
    metrics: Metrics | None = field(name="Task Metrics", default=None)
