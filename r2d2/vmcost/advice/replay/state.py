"""The state of a simulated run: its clock, its free slots, the tasks that wait, the jobs to come.

`Links` are the workload's dependencies by position, looked up once for many runs.
"""

from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from r2d2.vmcost.advice.replay.workload import Workload

Action = Callable[[], None]


@dataclass(slots=True)
class Clock:
    """Actions by their moment; those of one moment in the order in which they were scheduled."""

    now_ms: int = 0
    _scheduled: int = 0
    _events: list[tuple[int, int, Action]] = field(default_factory=list)

    def at(self, time_ms: int, action: Action) -> None:
        """Schedules an action at a moment, which is not before now."""
        self._scheduled += 1
        heappush(self._events, (time_ms, self._scheduled, action))

    def after(self, wait_ms: int, action: Action) -> None:
        """Schedules an action after so many milliseconds."""
        self.at(self.now_ms + wait_ms, action)

    def moment(self) -> bool:
        """Runs all actions of the next moment; False where there are none."""
        if not self._events:
            return False
        self.now_ms = self._events[0][0]
        while self._events and self._events[0][0] == self.now_ms:
            heappop(self._events)[2]()
        return True


@dataclass(slots=True)
class Slots:
    """The free slots of each executor, and its slots that have not yet run a task."""

    _free: dict[int, int] = field(default_factory=dict)
    _cold: dict[int, int] = field(default_factory=dict)
    _all: dict[int, int] = field(default_factory=dict)

    def offer(self, executor: int, slots: int) -> None:
        """An executor comes."""
        self._free[executor] = self._cold[executor] = self._all[executor] = slots

    def retire(self, executor: int) -> None:
        """An executor takes no more tasks, unless no other is left to take them."""
        if len(self._free) > 1:
            self._free.pop(executor, None)

    def lose(self, executor: int) -> None:
        """An executor is gone."""
        self._free.pop(executor, None)

    def any_free(self) -> bool:
        """Whether a task could start now."""
        return any(free > 0 for free in self._free.values())

    def take(self, slots: int) -> tuple[int, int] | None:
        """Slots of the executor that has most free ones, of equal ones the first; else None.

        With them comes their number: where no executor has so many, the task takes all of one.
        """
        slots = min(slots, max((self._all[each] for each in self._free), default=1))
        most, chosen = slots - 1, None
        for executor, free in self._free.items():
            if free > most:
                most, chosen = free, executor
        if chosen is not None:
            self._free[chosen] -= slots
        return None if chosen is None else (chosen, slots)

    def warm_up(self, executor: int, slots: int) -> bool:
        """Whether a task that starts on the executor is among its first; counts it as started."""
        cold = self._cold[executor] > 0
        self._cold[executor] -= cold * slots
        return cold

    def give_back(self, executor: int, slots: int) -> None:
        """Slots are free again, where their executor is still there."""
        if executor in self._free:
            self._free[executor] += slots


Rank = tuple[int, int, int, int]


@dataclass(slots=True)
class Queue:
    """The tasks that wait, step by step in the order of their ranks."""

    ranks: tuple[Rank, ...]
    _tasks: dict[int, OrderedDict[int, None]] = field(default_factory=dict)
    _steps: list[Rank] = field(default_factory=list)

    def put(self, step: int, task: int) -> None:
        """A task waits behind those of its step; one that waits already keeps its place."""
        if step not in self._tasks:
            self._tasks[step] = OrderedDict()
            insort(self._steps, self.ranks[step])
        self._tasks[step].setdefault(task)

    def waiting(self) -> tuple[int, ...]:
        """The steps with waiting tasks, in order."""
        return tuple(rank[-1] for rank in self._steps)

    def has(self, step: int) -> bool:
        """Whether a task of the step waits."""
        return step in self._tasks

    def take(self, step: int) -> int:
        """The first waiting task of a step that has one."""
        tasks = self._tasks[step]
        task, _ = tasks.popitem(last=False)
        if not tasks:
            self.drop(step)
        return task

    def drop(self, step: int) -> None:
        """The tasks of a step wait no longer."""
        if self._tasks.pop(step, None) is not None:
            self._steps.remove(self.ranks[step])


@dataclass(frozen=True, slots=True)
class Links:
    """Of each step: its rank in the queue, who waits for it and who reads its output.

    Of each job: the steps that wait for its start. `waiting` are the jobs in the order in which
    their predecessors end; `job_awaiting` is the job that ends with a step, None for none.
    """

    ranks: tuple[Rank, ...]
    followers: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    starting: tuple[tuple[int, ...], ...]
    waiting: tuple[int, ...]
    job_awaiting: tuple[int | None, ...]


@dataclass(slots=True)
class JobProgress:
    """The jobs that have ended, and those that start once others have."""

    workload: Workload
    links: Links
    steps_left: list[int]
    waiting: deque[int]
    ended: list[bool]
    before: int = 0

    @staticmethod
    def of(workload: Workload, links: Links) -> "JobProgress":
        """All jobs still to come."""
        left = [len(job.steps) for job in workload.jobs]
        return JobProgress(
            workload, links, left, deque(links.waiting), [False] * len(workload.jobs)
        )

    def startable(self) -> Iterator[int]:
        """The jobs whose predecessors have all ended, each once."""
        while self.waiting and self.workload.jobs[self.waiting[0]].after <= self.before:
            yield self.waiting.popleft()

    def step_ended(self, step: int) -> int | None:
        """The job that ends with this step, None where there is none."""
        job = self.links.job_awaiting[step]
        if job is None:
            return None
        self.steps_left[job] -= 1
        return None if self.steps_left[job] else job

    def end(self, job: int) -> bool:
        """Notes the end of a job; True where it was the last of all."""
        self.ended[job] = True
        while self.before < len(self.ended) and self.ended[self.before]:
            self.before += 1
        return self.before == len(self.ended)


def links_of(workload: Workload) -> Links:
    """The workload's links, all by position."""
    followers: list[list[int]] = [[] for _ in workload.steps]
    readers: list[list[int]] = [[] for _ in workload.steps]
    starting: list[list[int]] = [[] for _ in workload.jobs]
    job_awaiting: list[int | None] = [None] * len(workload.steps)
    for position, step in enumerate(workload.steps):
        starting[step.job].append(position)
        for other in step.after:
            followers[other].append(position)
        for other in step.reads:
            readers[other].append(position)
    for position, job in enumerate(workload.jobs):
        for step_of_job in job.steps:
            job_awaiting[step_of_job] = position
    return Links(
        tuple(
            (workload.jobs[step.job].id, step.stage, step.attempt, position)
            for position, step in enumerate(workload.steps)
        ),
        tuple(map(tuple, followers)),
        tuple(map(tuple, readers)),
        tuple(map(tuple, starting)),
        tuple(sorted(range(len(workload.jobs)), key=lambda job: (workload.jobs[job].after, job))),
        tuple(job_awaiting),
    )
