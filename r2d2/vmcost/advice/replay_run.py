"""A plan scheduled on slots: which task runs when, simulated event by event.

List scheduling as Spark does it: a free slot takes the first waiting task of the oldest job, then
of the lowest stage, then of the lowest index; of the executors with a free slot the one with most.
An executor that is lost takes its running tasks with it, and the output of those that had ended
where a stage still reads it: both run again, the latter once a stage asks for them.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.replay_plan import Plan

Action = Callable[[], None]


class StuckError(R2D2Error):
    """A plan cannot end on the slots it was given."""


@dataclass(slots=True)
class _Progress:
    """How far a step is: `left` are the awaited tasks that have not ended."""

    rank: tuple[int, int, int]
    left: int
    waits: int
    queue: deque[int] = field(default_factory=deque)
    submitted: bool = False
    ended: bool = False
    readers: list[int] = field(default_factory=list)
    held: dict[int, int] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)


class Run:
    """A simulation under way; `now_ms` is since the application's start."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now_ms = 0
        self.ended_ms: int | None = None
        self.rerun_tasks = 0
        self._events: list[tuple[int, int, Action]] = []
        self._number = 0
        self._free: dict[int, int] = {}
        self._running: dict[int, tuple[int, int, int]] = {}
        self._open: list[tuple[tuple[int, int, int], int]] = []
        self._jobs_ended = [False] * len(plan.jobs)
        self._prefix = 0
        self._steps_left = [len(job.steps) for job in plan.jobs]
        by_after = sorted(range(len(plan.jobs)), key=lambda job: (plan.jobs[job].after, job))
        self._jobs_waiting = deque(by_after)
        self._job_started = [False] * len(plan.jobs)
        self._followers: list[list[int]] = [[] for _ in plan.steps]
        self._steps = [
            _Progress(
                (plan.jobs[step.job].id, step.stage, step.attempt),
                sum(step.awaited),
                len(step.after) + 1,
            )
            for step in plan.steps
        ]
        self._of_job: list[list[int]] = [[] for _ in plan.jobs]
        for position, step in enumerate(plan.steps):
            self._of_job[step.job].append(position)
            for other in step.after:
                self._followers[other].append(position)
            for other in step.reads:
                self._steps[other].readers.append(position)
        self._job_of = {own: j for j, job in enumerate(plan.jobs) for own in job.steps}

    def at(self, time_ms: int, action: Action) -> None:
        self._number += 1
        heappush(self._events, (time_ms, self._number, action))

    def offer_at(self, time_ms: int, executor: int, slots: int) -> None:
        self.at(time_ms, lambda: self.offer(executor, slots))

    def retire_at(self, time_ms: int, executor: int) -> None:
        self.at(time_ms, lambda: self.retire(executor))

    def to_the_end(self) -> int:
        self._start_jobs()
        while self._events and self.ended_ms is None:
            self.now_ms = self._events[0][0]
            while self._events and self._events[0][0] == self.now_ms:
                heappop(self._events)[2]()
            self._dispatch()
        if self.ended_ms is None:
            raise StuckError("stuck")
        return self.ended_ms

    # executors
    def offer(self, executor: int, slots: int) -> None:
        self._free[executor] = slots

    def retire(self, executor: int) -> None:
        if len(self._free) > 1:
            del self._free[executor]

    def lose(self, executor: int) -> None:
        self._free.pop(executor, None)
        for token in [t for t, (e, _, _) in self._running.items() if e == executor]:
            _, step, task = self._running.pop(token)
            progress = self._steps[step]
            if not progress.ended or task in progress.missing:
                self._queue(step, task)
                self.rerun_tasks += 1
        for step, progress in enumerate(self._steps):
            if not progress.held or all(self._steps[r].ended for r in progress.readers):
                continue
            gone = [task for task, e in progress.held.items() if e == executor]
            for task in gone:
                del progress.held[task]
            self.rerun_tasks += len(gone)
            if progress.ended:
                progress.missing.update(gone)
            else:
                progress.left += len(gone)
                for task in gone:
                    self._queue(step, task)
        for step, progress in enumerate(self._steps):
            if progress.submitted and not progress.ended:
                self._demand(step)

    def _demand(self, step: int) -> None:
        for parent in self.plan.steps[step].reads:
            progress = self._steps[parent]
            wanted = (
                progress.missing
                - set(progress.queue)
                - {t for _, s, t in self._running.values() if s == parent}
            )
            if wanted:
                for task in sorted(wanted):
                    self._queue(parent, task)
                self._demand(parent)

    def _blocked(self, step: int) -> bool:
        return any(self._steps[p].missing for p in self.plan.steps[step].reads)

    # jobs
    def _start_jobs(self) -> None:
        while self._jobs_waiting and self.plan.jobs[self._jobs_waiting[0]].after <= self._prefix:
            job = self._jobs_waiting.popleft()
            self.at(self.now_ms + self.plan.jobs[job].gap_ms, lambda job=job: self._start(job))
        if self._prefix == len(self.plan.jobs):
            self.at(self.now_ms + self.plan.tail_ms, self._finish)

    def _finish(self) -> None:
        self.ended_ms = self.now_ms

    def _start(self, job: int) -> None:
        for step in self._of_job[job]:
            self._arrived(step)
        if not self._steps_left[job]:
            self.at(self.now_ms + self.plan.jobs[job].tail_ms, lambda: self._end_job(job))

    def _end_job(self, job: int) -> None:
        self._jobs_ended[job] = True
        while self._prefix < len(self._jobs_ended) and self._jobs_ended[self._prefix]:
            self._prefix += 1
        self._start_jobs()

    # steps
    def _arrived(self, step: int) -> None:
        self._steps[step].waits -= 1
        if not self._steps[step].waits:
            self.at(self.now_ms + self.plan.steps[step].delay_ms, lambda: self._submit(step))

    def _submit(self, step: int) -> None:
        self._steps[step].submitted = True
        self._demand(step)
        self.at(self.now_ms + self.plan.steps[step].lead_ms, lambda: self._ready(step))

    def _ready(self, step: int) -> None:
        own = self.plan.steps[step]
        for task, previous in enumerate(own.previous):
            if previous < 0:
                self._queue(step, task)
        if not self._steps[step].left:
            self.at(self.now_ms + own.tail_ms, lambda: self._end_step(step))

    def _queue(self, step: int, task: int) -> None:
        progress = self._steps[step]
        if not progress.queue:
            insort(self._open, (progress.rank, step))
        progress.queue.append(task)

    def _end_step(self, step: int) -> None:
        progress = self._steps[step]
        if progress.ended or progress.left:
            return
        progress.ended = True
        if progress.queue:
            progress.queue.clear()
            self._open.remove((progress.rank, step))
        for follower in self._followers[step]:
            self._arrived(follower)
        job = self._job_of.get(step)
        if job is not None:
            self._steps_left[job] -= 1
            if not self._steps_left[job]:
                self.at(self.now_ms + self.plan.jobs[job].tail_ms, lambda: self._end_job(job))

    # tasks
    def _dispatch(self) -> None:
        position = 0
        while position < len(self._open):
            step = self._open[position][1]
            if self._blocked(step):
                position += 1
                continue
            progress = self._steps[step]
            while progress.queue:
                executor = max(self._free, key=lambda e: (self._free[e], -e), default=None)
                if executor is None or self._free[executor] <= 0:
                    return
                self._launch(step, progress.queue.popleft(), executor)
            self._open.pop(position)

    def _launch(self, step: int, task: int, executor: int) -> None:
        own = self.plan.steps[step]
        self._free[executor] -= 1
        self._number += 1
        token = self._number
        self._running[token] = (executor, step, task)
        self.at(self.now_ms + own.durations_ms[task], lambda: self._end_task(token))
        following = task + 1
        if following < len(own.previous) and own.previous[following] == task:
            progress = self._steps[step]
            if following not in progress.released:
                progress.released.add(following)
                self.at(
                    self.now_ms + own.offset_ms[following], lambda: self._release(step, following)
                )

    def _release(self, step: int, task: int) -> None:
        if not self._steps[step].ended:
            self._queue(step, task)

    def _end_task(self, token: int) -> None:
        held = self._running.pop(token, None)
        if held is None:
            return
        executor, step, task = held
        own, progress = self.plan.steps[step], self._steps[step]
        if own.turnaround_ms:
            self.at(self.now_ms + own.turnaround_ms, lambda: self._give_back(executor))
        else:
            self._give_back(executor)
        if progress.readers:
            progress.held[task] = executor
        progress.missing.discard(task)
        if own.awaited[task] and not progress.ended:
            progress.left -= 1
            if not progress.left:
                self.at(self.now_ms + own.tail_ms, lambda: self._end_step(step))

    def _give_back(self, executor: int) -> None:
        if executor in self._free:
            self._free[executor] += 1
