"""The run time of an application on another number of slots: its log, scheduled anew.

Task durations, the stage graph and the driver's gaps are taken from the log (`replay.workload`);
launches, waits, order and ends are simulated, event by event.

List scheduling as Spark does it: a free slot takes the first waiting task of the oldest job, then
of the lowest stage, then of the lowest index; of the executors with a free slot the one with most.
An executor that is lost takes its running tasks with it, and the output of those that had ended
where a step still reads it: both run again, the latter once a step asks for them.

Durations stay as they were measured. So their changes with the size are left out: tasks that share
disks, memory bandwidth or network with more or fewer others, data that is nearer or farther, memory
that no longer spills.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.replay.slots import Life, fixed_lives, measured_lives
from r2d2.vmcost.advice.replay.state import Clock, JobProgress, Links, Queue, Slots, links_of
from r2d2.vmcost.advice.replay.workload import Workload, workload_of
from r2d2.vmcost.model import Application


@dataclass(frozen=True, slots=True)
class Replay:
    """A modelled run. `slots` is None where executors came and went as in the log.

    `measured_s` is how long the application ran in the log, on the executors it had there.
    """

    slots: int | None
    predicted_s: float
    measured_s: float

    @property
    def relative_error(self) -> float:
        """Predicted over measured, less 1: meaningful where both are of the same size."""
        return self.predicted_s / self.measured_s - 1 if self.measured_s else 0.0


def replay(app: Application, slots: int | None = None) -> Replay:
    """The application's modelled seconds on `slots` slots, or on the executors of its log.

    Raises:
        UsageError: `slots` is below 1.
        StuckError: the log has tasks and its executors have no slot for them.
    """
    lives = measured_lives(app) if slots is None else fixed_lives(app, slots)
    workload = workload_of(app)
    return Replay(slots, replay_workload(workload, lives) / 1000, workload.measured_ms / 1000)


def replay_workload(workload: Workload, lives: Sequence[Life]) -> int:
    """Milliseconds from the application's start to its end, on executors that come and go.

    Raises:
        StuckError: there are tasks, and no slot to run them.
    """
    run = Simulation.of(workload)
    for executor, life in enumerate(lives):
        run.clock.at(life.from_ms, partial(run.slots.offer, executor, life.slots))
        if life.until_ms is not None:
            run.clock.at(life.until_ms, partial(run.slots.retire, executor))
    return run.to_the_end()


class StuckError(R2D2Error):
    """A workload has tasks left and no executor to do it, or does not end within reason."""


Task = tuple[int, int]
"""The position of a step and of a task in it."""


@dataclass(slots=True)
class Running:
    """The tasks under way, by the number of their launch, each with its executor."""

    repeated: list[Task] = field(default_factory=list)
    _launches: int = 0
    _on: dict[int, tuple[int, Task]] = field(default_factory=dict)
    _begun: set[Task] = field(default_factory=set)

    def launch(self, executor: int, task: Task) -> int:
        """A task starts; the number of its launch."""
        if task in self._begun:
            self.repeated.append(task)
        self._begun.add(task)
        self._launches += 1
        self._on[self._launches] = (executor, task)
        return self._launches

    @property
    def again(self) -> int:
        """The launches of tasks that had begun before."""
        return len(self.repeated)

    def end(self, launch: int) -> tuple[int, Task] | None:
        """The executor and the task of a launch that ends; None where it was lost before."""
        return self._on.pop(launch, None)

    def lose(self, executor: int) -> list[Task]:
        """The tasks that ran on an executor, and run no longer."""
        lost = [launch for launch, (on, _) in self._on.items() if on == executor]
        return [self._on.pop(launch)[1] for launch in lost]

    def tasks(self) -> set[Task]:
        """The tasks that run now."""
        return {task for _, task in self._on.values()}


@dataclass(slots=True)
class Outputs:
    """By step: the executor that holds each ended task's output, and the tasks whose was lost."""

    workload: Workload
    links: Links
    held: list[dict[int, int]]
    missing: list[set[int]]

    @staticmethod
    def none(workload: Workload, links: Links) -> "Outputs":
        """No output yet."""
        steps = workload.steps
        return Outputs(workload, links, [{} for _ in steps], [set() for _ in steps])

    def keep(self, step: int, task: int, executor: int) -> None:
        """Notes that a task has ended on an executor."""
        if self.links.readers[step]:
            self.held[step][task] = executor
            self.missing[step].discard(task)

    def lose(self, executor: int) -> list[Task]:
        """The tasks whose output was on the executor and is now missing."""
        lost = [
            (step, task)
            for step, tasks in enumerate(self.held)
            for task, holder in tasks.items()
            if holder == executor
        ]
        for step, task in lost:
            del self.held[step][task]
            self.missing[step].add(task)
        return lost

    def lacks(self, step: int) -> bool:
        """Whether some output that the step reads must be made again first."""
        return any(self.missing[parent] for parent in self.workload.steps[step].reads)

    def wanted(self, step: int) -> list[Task]:
        """The tasks that must run again so that the step can read, and those these need."""
        lost: list[Task] = []
        seen = {step}
        steps = [step]
        while steps:
            for parent in self.workload.steps[steps.pop()].reads:
                if self.missing[parent] and parent not in seen:
                    seen.add(parent)
                    steps.append(parent)
                    lost += [(parent, task) for task in self.missing[parent]]
        return sorted(lost)


@dataclass(slots=True)
class Simulation:
    """A simulation under way; times are milliseconds since the application's start.

    By step: `left` are the awaited tasks that have not ended, `waits` the steps before it and its
    job's start. A step's lead is under way or over once it is `_leading`, over once it is `_led`;
    it is `_active` from its submission to its end. `_repeated` are retries and copies that came.
    """

    workload: Workload
    links: Links
    jobs: JobProgress
    outputs: Outputs
    queue: Queue
    left: list[int]
    waits: list[int]
    clock: Clock = field(default_factory=Clock)
    slots: Slots = field(default_factory=Slots)
    ended_ms: int | None = None
    running: Running = field(default_factory=Running)
    _repeated: set[Task] = field(default_factory=set)
    _leading: set[int] = field(default_factory=set)
    _led: set[int] = field(default_factory=set)
    _active: set[int] = field(default_factory=set)
    _ended: set[int] = field(default_factory=set)

    @staticmethod
    def of(workload: Workload, links: Links | None = None) -> "Simulation":
        """The workload before its first moment; `links` are its own, where they are at hand."""
        links = links or links_of(workload)
        return Simulation(
            workload,
            links,
            JobProgress.of(workload, links),
            Outputs.none(workload, links),
            Queue(links.ranks),
            [sum(task.awaited for task in step.tasks) for step in workload.steps],
            [len(step.after) + 1 for step in workload.steps],
        )

    def to_the_end(self, limit_ms: int | None = None) -> int:
        """The moment at which the application ends.

        Raises:
            StuckError: tasks wait and no executor is to come, or the limit has passed.
        """
        self._start_jobs(ended=not self.workload.jobs)
        while self.ended_ms is None and self.clock.moment():
            if limit_ms is not None and self.clock.now_ms > limit_ms:
                break
            self._dispatch()
        if self.ended_ms is None:
            raise StuckError(
                f"the application does not end: after {self.clock.now_ms / 1000:g} s its tasks"
                " still wait for slots; give more slots, or fewer interruptions"
            )
        return self.ended_ms

    def lose(self, executor: int) -> None:
        """An executor is gone, with its tasks and its output."""
        self.slots.lose(executor)
        again = self.running.lose(executor)
        for step, task in self.outputs.lose(executor):
            if step not in self._ended:
                self.left[step] += self.workload.steps[step].tasks[task].awaited
                again.append((step, task))
        for step, task in sorted(again):
            if step not in self._ended:
                self.queue.put(step, task)
        for step in sorted(self._active):
            self._remake(step)

    def _remake(self, step: int) -> None:
        """Queues the output that the step reads and that was lost, unless that is under way."""
        wanted = self.outputs.wanted(step)
        under_way = self.running.tasks() if wanted else set()
        for other, task in wanted:
            if (other, task) not in under_way:
                self.queue.put(other, task)

    def _start_jobs(self, ended: bool) -> None:
        for job in self.jobs.startable():
            self.clock.after(self.workload.jobs[job].gap_ms, partial(self._start, job))
        if ended:
            self.clock.after(self.workload.tail_ms, self._finish)

    def _finish(self) -> None:
        self.ended_ms = self.clock.now_ms

    def _start(self, job: int) -> None:
        for step in self.links.starting[job]:
            self._came(step)
        if not self.workload.jobs[job].steps:
            self.clock.after(self.workload.jobs[job].tail_ms, lambda: self._end_job(job))

    def _end_job(self, job: int) -> None:
        self._start_jobs(ended=self.jobs.end(job))

    def _came(self, step: int) -> None:
        """One more of what the step waits for is there."""
        self.waits[step] -= 1
        if not self.waits[step]:
            self.clock.after(self.workload.steps[step].delay_ms, lambda: self._submit(step))

    def _submit(self, step: int) -> None:
        self._active.add(step)
        self._remake(step)
        for position, task in enumerate(self.workload.steps[step].tasks):
            if task.previous is None:
                self.queue.put(step, position)
        self._check_end(step)

    def _check_end(self, step: int) -> None:
        if not self.left[step] and step in self._active:
            self.clock.after(self.workload.steps[step].tail_ms, lambda: self._end_step(step))

    def _end_step(self, step: int) -> None:
        if self.left[step] or step not in self._active:
            return
        self._active.remove(step)
        self._ended.add(step)
        self.queue.drop(step)
        for follower in self.links.followers[step]:
            self._came(follower)
        job = self.jobs.step_ended(step)
        if job is not None:
            self.clock.after(self.workload.jobs[job].tail_ms, lambda: self._end_job(job))

    def _dispatch(self) -> None:
        """Gives free slots to waiting tasks; a step's lead begins once a slot is free for it."""
        for step in self.queue.waiting():
            if not self.slots.any_free():
                return
            if self.outputs.lacks(step):
                continue
            if step not in self._leading:
                self._leading.add(step)
                self.clock.after(self.workload.steps[step].lead_ms, partial(self._led.add, step))
            if step in self._led or not self.workload.steps[step].lead_ms:
                self._launch_all(step)

    def _launch_all(self, step: int) -> None:
        while self.queue.has(step):
            taken = self.slots.take(self.workload.steps[step].task_slots)
            if taken is None:
                return
            self._launch(step, self.queue.take(step), *taken)

    def _launch(self, step: int, task: int, executor: int, slots: int) -> None:
        launch = self.running.launch(executor, (step, task))
        tasks = self.workload.steps[step].tasks
        duration_ms = tasks[task].duration_ms
        if self.slots.warm_up(executor, slots):
            own_ms = tasks[task].cold_ms
            duration_ms += self.workload.cold_ms if own_ms is None else own_ms
        self.clock.after(duration_ms, lambda: self._end_task(launch, slots))
        repeat = task + 1
        if repeat < len(tasks) and tasks[repeat].previous == task:
            self.clock.after(tasks[repeat].offset_ms, lambda: self._repeat(step, repeat))

    def _repeat(self, step: int, task: int) -> None:
        """A task's next attempt waits, once, unless its step has ended without it."""
        if step in self._active and (step, task) not in self._repeated:
            self._repeated.add((step, task))
            self.queue.put(step, task)

    def _end_task(self, launch: int, slots: int) -> None:
        ended = self.running.end(launch)
        if ended is None:
            return
        executor, (step, task) = ended
        workload_step = self.workload.steps[step]
        self.clock.after(
            workload_step.turnaround_ms,
            lambda: self.slots.give_back(executor, slots),
        )
        if workload_step.tasks[task].output:
            self.outputs.keep(step, task, executor)
        if workload_step.tasks[task].awaited and step in self._active:
            self.left[step] -= 1
            self._check_end(step)
