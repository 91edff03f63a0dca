"""An application as work to schedule anew: jobs, stage attempts, durations, the driver's gaps.

What is taken from the log: how long each task attempt ran, which stages read which, which jobs
had ended before a job began, and the driver's gaps, all in milliseconds:

    gap         from the end of the last job before it (or the start) to a job's start
    delay       from the job's start, or the end of the last stage it waits for, to its submission
    lead        from then, with a slot free, to the stage's first launch
    turnaround  from a task's end to the next launch on its slot (the stage's median)
    cold        how much longer a slot's first task took (`replay.cold`), or does on average
    tail        from the last awaited task's end to the stage's, the last stage's to the job's,
                the last job's to the application's

What is not taken: when a task was launched or ended, on which executor, in which order.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task attempt. Its step waits for it if it is `awaited`: a slower copy may end later.

    `previous` is the position of the attempt before it, None for a first one; it may begin
    `offset_ms` after that one's launch. `output` tells that it succeeded. `cold_ms` is how much
    longer it took as the first task on its slot, None where it was not the first.
    """

    duration_ms: int
    awaited: bool = True
    output: bool = True
    previous: int | None = None
    offset_ms: int = 0
    cold_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """An attempt of a stage. `job` is the position of its job.

    `after` are the positions of the steps that it waits for, `reads` of those whose shuffle output
    its tasks fetch.
    """

    stage: int
    attempt: int
    job: int
    tasks: tuple[PlannedTask, ...]
    after: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    delay_ms: int = 0
    lead_ms: int = 0
    turnaround_ms: int = 0
    tail_ms: int = 0


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job: it starts `gap_ms` after the first `after` jobs of the plan have ended.

    `steps` are those that it waits for; without any it lasts `tail_ms`.
    """

    id: int
    after: int
    gap_ms: int
    steps: tuple[int, ...]
    tail_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The work of an application; jobs in the order in which they ended.

    `cold_ms` is how much longer a task takes that is the first on a slot and was not in the log.
    """

    jobs: tuple[PlannedJob, ...]
    steps: tuple[Step, ...]
    tail_ms: int
    measured_ms: int
    cold_ms: int = 0

    @property
    def work_ms(self) -> int:
        """Milliseconds of all task attempts together."""
        return sum(task.duration_ms for step in self.steps for task in step.tasks)
