"""An application as work to schedule anew: jobs, stage attempts, task durations, gaps of the driver.

What is taken from the log: how long each task attempt ran, which stages read which, which jobs
had ended before a job began, and the driver's gaps, all in milliseconds:

    gap         from the end of the last job before it (or the start) to a job's start
    delay       from the job's start, or the end of the last stage it waits for, to its submission
    lead        from then, with a slot free, to the stage's first launch
    turnaround  from a task's end to the next launch on its slot (the stage's median)
    tail        from the last awaited task's end to the stage's, the last stage's to the job's,
                the last job's to the application's

What is not taken: when a task was launched or ended, on which executor, in which order.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """An attempt of a stage. `after` are the positions of the steps that it waits for.

    Of each task: its duration; whether the step waits for it (a slower copy may end after it);
    the position of its previous attempt, -1 for a first one, and the time from that one's launch
    until this one may begin. `reads` are the steps whose shuffle output its tasks fetch.
    """

    stage: int
    attempt: int
    job: int
    after: tuple[int, ...]
    reads: tuple[int, ...]
    delay_ms: int
    lead_ms: int
    turnaround_ms: int
    tail_ms: int
    durations_ms: tuple[int, ...]
    awaited: tuple[bool, ...]
    previous: tuple[int, ...]
    offset_ms: tuple[int, ...]


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
    """The work of an application; jobs in the order in which they ended."""

    jobs: tuple[PlannedJob, ...]
    steps: tuple[Step, ...]
    tail_ms: int
    measured_ms: int

    @property
    def work_ms(self) -> int:
        """Milliseconds of all task attempts together."""
        return sum(sum(step.durations_ms) for step in self.steps)
