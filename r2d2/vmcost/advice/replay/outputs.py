"""Where the shuffle output of ended tasks lies, and which of it was lost."""

from dataclasses import dataclass

from r2d2.vmcost.advice.replay.links import Links
from r2d2.vmcost.advice.replay.plan import Plan

Task = tuple[int, int]
"""The position of a step and of a task in it."""


@dataclass(slots=True)
class Outputs:
    """By step: the executor that holds each ended task's output, and the tasks whose was lost."""

    plan: Plan
    links: Links
    held: list[dict[int, int]]
    missing: list[set[int]]

    @staticmethod
    def none(plan: Plan, links: Links) -> "Outputs":
        """No output yet."""
        return Outputs(plan, links, [{} for _ in plan.steps], [set() for _ in plan.steps])

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
        return any(self.missing[parent] for parent in self.plan.steps[step].reads)

    def wanted(self, step: int) -> list[Task]:
        """What must run again so that the step can read, and what that needs in turn."""
        found: list[Task] = []
        seen = {step}
        asked = [step]
        while asked:
            for parent in self.plan.steps[asked.pop()].reads:
                if self.missing[parent] and parent not in seen:
                    seen.add(parent)
                    asked.append(parent)
                    found += [(parent, task) for task in self.missing[parent]]
        return sorted(found)
