"""Which tasks of a simulation run where, and how many were launched again."""

from dataclasses import dataclass, field

from r2d2.vmcost.advice.replay.outputs import Task


@dataclass(slots=True)
class Running:
    """The tasks under way, by the number of their launch, each with its executor."""

    again: int = 0
    _launches: int = 0
    _on: dict[int, tuple[int, Task]] = field(default_factory=dict)
    _begun: set[Task] = field(default_factory=set)

    def launch(self, executor: int, task: Task) -> int:
        """A task starts; the number of its launch."""
        self.again += task in self._begun
        self._begun.add(task)
        self._launches += 1
        self._on[self._launches] = (executor, task)
        return self._launches

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
