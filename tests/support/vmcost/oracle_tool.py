"""Reads NVIDIA's profiling tool on event logs: `ProfileMain --csv` and the files it writes."""

import csv
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAIN = "com.nvidia.spark.rapids.tool.profiling.ProfileMain"
JARS = "lib/python3*/site-packages/pyspark/jars"
TOOL = "lib/python3*/site-packages/spark_rapids_pytools/resources/generated_files/core/jars/*.jar"
SUMS = {
    "numTasks": "tasks",
    "duration_sum": "duration_ms",
    "executorRunTime_sum": "run_ms",
    "executorCPUTime_sum": "cpu_ms",
    "jvmGCTime_sum": "gc_ms",
    "executorDeserializeTime_sum": "deserialize_ms",
    "resultSerializationTime_sum": "result_ms",
    "memoryBytesSpilled_sum": "spilled_memory_bytes",
    "diskBytesSpilled_sum": "spilled_disk_bytes",
    "input_bytesRead_sum": "input_bytes",
    "output_bytesWritten_sum": "output_bytes",
    "sr_fetchWaitTime_sum": "fetch_wait_ms",
    "sr_totalBytesRead_sum": "shuffle_read_bytes",
    "sw_bytesWritten_sum": "shuffle_write_bytes",
    "sw_writeTime_sum": "shuffle_write_ms",
}
"""Columns of its stages, and what the same is called here."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the tool says of one application; stages by id, all attempts together."""

    duration_ms: int | None
    core_s: int
    executors: int
    jobs: Mapping[int, tuple[int, int | None]]
    failed_tasks: int
    stages: Mapping[int, Mapping[str, int]]


def profiled(
    environment: Path, logs: Sequence[Path], out: Path
) -> tuple[Mapping[str, Told], float]:
    """What it says by application id, and the seconds it took; logs that it rejects are missing."""
    (tool,) = environment.glob(TOOL)
    (jars,) = environment.glob(JARS)
    command = [
        "java", "-Xmx2g", "-cp", f"{tool}:{jars}/*", MAIN, "--csv", "--num-threads", "2",
        "-o", str(out), *map(str, logs),
    ]  # fmt: skip
    variables = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}
    began = time.monotonic()
    with out.with_suffix(".log").open("wb") as log:
        subprocess.run(command, stdout=log, stderr=log, env=variables, check=True)
    seconds = time.monotonic() - began
    folders = out.glob("*/*/application_information.csv")
    return {file.parent.name: _told(file.parent) for file in folders}, seconds


def _told(folder: Path) -> Told:
    (app,) = _rows(folder / "application_information.csv")
    jobs = {
        int(row["jobID"]): (int(row["startTime"]), _number(row["endTime"]))
        for row in _rows(folder / "job_information.csv")
    }
    stages: dict[int, dict[str, int]] = {}
    for row in _rows(folder / "stage_level_aggregated_task_metrics.csv"):
        own = stages.setdefault(int(row["stageId"]), dict.fromkeys(SUMS.values(), 0))
        for column, name in SUMS.items():
            own[name] += int(row[column])
    return Told(
        duration_ms=_number(app["duration"]),
        core_s=int(app["totalCoreSeconds"]),
        executors=sum(
            int(row["numExecutors"]) for row in _rows(folder / "executor_information.csv")
        ),
        jobs=jobs,
        failed_tasks=len(_rows(folder / "failed_tasks.csv")),
        stages=stages,
    )


def _rows(file: Path) -> list[dict[str, str]]:
    """The rows of a file; the tool writes none where there would be no rows."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text, escapechar="\\"))


def _number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdecimal() else None
