"""Applications made by hand, for tests of advice."""

from collections.abc import Sequence

import numpy as np

from r2d2.vmcost.model import TASK, Application, Executor, Job, Outcome, SparkStage, Tasks

START_MS = 1_000_000


def task_rows(rows: Sequence[tuple[int, int, int, int]]) -> Tasks:
    """Tasks of (stage, executor, launch, finish), in ms since the application's start."""
    tasks = np.zeros(len(rows), TASK)
    for number, (stage, executor, launch_ms, finish_ms) in enumerate(sorted(rows, key=_launch)):
        row = tasks[number]
        row["stage"], row["index"], row["executor"] = stage, number, executor
        row["launch_ms"], row["finish_ms"] = START_MS + launch_ms, START_MS + finish_ms
        row["run_ms"] = finish_ms - launch_ms
        row["cpu_ns"] = (finish_ms - launch_ms) * 500_000
        row["outcome"] = Outcome.SUCCEEDED
    return tasks


def application(
    rows: Sequence[tuple[int, int, int, int]],
    ended_ms: int,
    hosts: Sequence[str] = ("host-1",),
    cores: int = 4,
    parents: dict[int, tuple[int, ...]] | None = None,
    jobs: Sequence[Job] | None = None,
) -> Application:
    """An application with an executor to each host, standing for the whole run."""
    ids = sorted({row[0] for row in rows})
    stages = tuple(
        SparkStage(
            stage,
            0,
            f"stage {stage} at Job.scala:{stage}",
            sum(row[0] == stage for row in rows),
            START_MS + min(row[2] for row in rows if row[0] == stage),
            START_MS + max(row[3] for row in rows if row[0] == stage),
            (parents or {}).get(stage, ()),
        )
        for stage in ids
    )
    return Application(
        id="app-1",
        attempt=None,
        name="by hand",
        spark_version="4.0.1",
        started_ms=START_MS,
        ended_ms=START_MS + ended_ms,
        ended_told=True,
        executors=tuple(
            Executor(str(number), host, cores, START_MS) for number, host in enumerate(hosts)
        ),
        stages=stages,
        jobs=tuple(jobs if jobs is not None else [Job(0, tuple(ids), START_MS)]),
        tasks=task_rows(rows),
        properties={},
        files=(),
    )


def _launch(row: tuple[int, int, int, int]) -> tuple[int, int]:
    return row[2], row[0]
