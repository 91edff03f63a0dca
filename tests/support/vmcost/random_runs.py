"""Random runs of an application: executors that come and go, jobs, stages, tasks on their slots."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from r2d2.vmcost.model import TASK, Application, Executor, Job, Outcome, SparkStage

START_MS = 1_700_000_000_000
SHAPES = ((1, 1, 1024), (2, 1, 2048), (4, 1, 4096), (4, 2, 8192))
"""Cores, cores of a task, MiB: the resource profile of that number."""


@dataclass(slots=True)
class Run:
    """A run while it is made up; tasks are rows by field, each with its number."""

    ended_told: bool
    local: bool
    executors: list[Executor] = field(default_factory=list)
    stages: list[SparkStage] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    end_ms: int = START_MS
    id: str = ""

    def application(self) -> Application:
        """The run as the nouns have it."""
        names = TASK.names or ()
        rows = [tuple(task[name] for name in names) for task in self.tasks]
        tasks = np.array(rows, TASK)
        return Application(
            id=self.id,
            attempt=None,
            name=f"<b>run</b> of {self.id}",
            spark_version="3.5.3",
            started_ms=START_MS,
            ended_ms=self.end_ms,
            ended_told=self.ended_told,
            executors=tuple(self.executors),
            stages=tuple(sorted(self.stages, key=lambda stage: (stage.id, stage.attempt))),
            jobs=tuple(self.jobs),
            tasks=np.sort(tasks, order=["launch_ms", "stage", "stage_attempt", "index", "attempt"]),
            properties=self.properties(),
            files=(),
        )

    def properties(self) -> dict[str, str]:
        """Spark's properties."""
        return {"spark.master": "local[2]" if self.local else "spark://master:7077"}

    def core_ms(self) -> int:
        """Σ cores × (removed or end − added)."""
        return sum(
            each.cores
            * ((self.end_ms if each.removed_ms is None else each.removed_ms) - each.added_ms)
            for each in self.executors
        )

    def task_ms(self) -> int:
        """Σ (finish − launch)."""
        return sum(task["finish_ms"] - task["launch_ms"] for task in self.tasks)


def random_run(chance: random.Random) -> Run:
    """A run, as chance has it."""
    run = Run(ended_told=chance.random() > 1 / 6, local=chance.random() < 1 / 6)
    run.id = f"app-{chance.randrange(10**8):08}"
    run.executors = _executors(run.local, chance)
    slots = [[each.added_ms] * (each.cores // each.task_cpus) for each in run.executors]
    clock = START_MS + chance.randrange(500)
    for number in range(chance.randrange(6)):
        clock = _job(run, number, clock + chance.choice((0, 7, 900, 30_000)), slots, chance)
    last = max(clock, *(each.removed_ms or 0 for each in run.executors), START_MS)
    run.end_ms = _end(run, last, chance)
    return run


def _end(run: Run, last: int, chance: random.Random) -> int:
    """The end event's moment; without one the last that anything names."""
    added = max((each.added_ms for each in run.executors), default=START_MS)
    last = max(last, added)
    if run.ended_told:
        return last + chance.choice((0, 1, 250, 20_000))
    told = [job.ended_ms for job in run.jobs] + [each.removed_ms for each in run.executors]
    return max([START_MS, added, *(each for each in told if each is not None)])


def _executors(local: bool, chance: random.Random) -> list[Executor]:
    """Executors in the order in which they came."""
    if local:
        return [Executor("driver", "localhost", 2, START_MS + chance.randrange(900))]
    found = []
    for number in range(chance.randrange(9)):
        profile = chance.choice((0, 0, 0, 1, 2, 3))
        cores, task_cpus, memory = SHAPES[profile]
        added = START_MS + chance.choice((0, 1, 800, 5_000, 40_000)) + chance.randrange(700)
        removed = added + chance.randrange(60_000) if chance.random() < 0.4 else None
        found.append(
            Executor(
                id=str(number),
                host=f"host-{chance.randrange(4)}",
                cores=cores,
                added_ms=added,
                removed_ms=removed,
                removed_reason="" if removed is None else "Executor killed by driver.",
                profile=profile,
                task_cpus=task_cpus,
                memory_mib=memory,
            )
        )
    return sorted(found, key=lambda each: (each.added_ms, each.id))


def _job(run: Run, number: int, started: int, slots: list[list[int]], chance: random.Random) -> int:
    """Adds a job with its stages and tasks; when it ended."""
    own: list[int] = []
    clock = started
    for _ in range(chance.randrange(1, 4)):
        stage = SparkStage(
            id=len(run.stages),
            attempt=0,
            name=f"collect at <console>:{number}",
            tasks=chance.randrange(1, 7),
            submitted_ms=clock,
            parents=tuple(sorted(chance.sample(own, min(len(own), chance.randrange(3))))),
        )
        clock, problem = _stage(run, stage, slots, chance)
        run.stages.append(replace(stage, completed_ms=clock, problem=problem))
        own.append(stage.id)
        if problem:
            break
        clock += chance.choice((0, 0, 12, 3_000))
    name = run.stages[own[-1]].name
    succeeded = not run.stages[own[-1]].problem
    run.jobs.append(Job(number, tuple(own), started, clock, succeeded, name))
    return clock


def _stage(
    run: Run, stage: SparkStage, slots: list[list[int]], chance: random.Random
) -> tuple[int, str]:
    """Adds the stage's tasks; when it completed, and why it failed if it did."""
    submitted = stage.submitted_ms or START_MS
    completed = submitted
    for index in range(stage.tasks):
        for attempt in range(4):
            task = _task(run, stage, index, attempt, submitted, slots, chance)
            if task is None:
                return completed, "no executor was left"
            run.tasks.append(task)
            completed = max(completed, task["finish_ms"])
            if task["outcome"] == Outcome.SUCCEEDED:
                break
        else:
            return completed, "a task failed 4 times"
    return completed, ""


def _task(
    run: Run,
    stage: SparkStage,
    index: int,
    attempt: int,
    submitted: int,
    slots: list[list[int]],
    chance: random.Random,
) -> dict[str, Any] | None:
    """One task on the slot that is free first, on any executor that is still there then."""
    free = [
        (max(slot, submitted), executor, number)
        for executor, own in enumerate(slots)
        for number, slot in enumerate(own)
        if max(slot, submitted) < (run.executors[executor].removed_ms or 2**62)
    ]
    if not free:
        return None
    launch, executor, number = min(free)
    wanted = launch + chance.choice((1, 20, 400, 9_000)) + chance.randrange(300)
    removed = run.executors[executor].removed_ms
    lost = removed is not None and wanted > removed
    finish = removed if lost and removed is not None else wanted
    slots[executor][number] = finish
    draw = chance.random()
    outcome = Outcome.FAILED if lost or draw < 0.05 else Outcome.SUCCEEDED
    speculative = draw > 0.95
    if not lost and 0.05 <= draw < 0.1:
        outcome = Outcome.KILLED
    task = {
        "stage": stage.id,
        "stage_attempt": stage.attempt,
        "index": index,
        "attempt": attempt,
        "executor": executor,
        "launch_ms": launch,
        "finish_ms": finish,
        "outcome": int(outcome),
        "speculative": speculative,
        "number": len(run.tasks),
        "lost": lost,
    }
    return task | _metrics(0 if lost else finish - launch, chance)


def _metrics(span_ms: int, chance: random.Random) -> dict[str, int]:
    """Metrics of a task of that length; all 0 where it is 0."""
    deserialize = chance.randint(0, span_ms // 4)
    result = chance.randint(0, span_ms // 10)
    run = span_ms - deserialize - result
    gc = chance.randint(0, run // 3)
    wait = chance.randint(0, run // 3)
    cpu = chance.randint(0, (run - wait) * 1_000_000)
    scale = 1_000_000 if span_ms else 0
    return {
        "run_ms": run,
        "cpu_ns": cpu,
        "gc_ms": gc,
        "deserialize_ms": deserialize,
        "result_ms": result,
        "fetch_wait_ms": wait,
        "shuffle_write_ns": chance.randint(0, run * 100_000),
        **{
            name: chance.choice((0, chance.randint(0, scale)))
            for name in (
                "spilled_memory_bytes",
                "spilled_disk_bytes",
                "peak_memory_bytes",
                "input_bytes",
                "output_bytes",
                "shuffle_read_bytes",
                "shuffle_write_bytes",
            )
        },
    }
