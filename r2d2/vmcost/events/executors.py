"""Executors from their additions and removals, whatever the order these were read in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from r2d2.vmcost.events.memory import memory_mib
from r2d2.vmcost.events.problems import Problem, Problems
from r2d2.vmcost.events.schema import ExecutorAdded, ExecutorRemoved, ResourceProfileAdded
from r2d2.vmcost.model import Executor

DRIVER = "driver"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for executors: resource profiles by number, and Spark's properties."""

    profiles: Mapping[int, ResourceProfileAdded]
    properties: Mapping[str, str]

    def task_cpus(self, profile: int) -> int:
        """The cores that a task takes."""
        known = self.profiles.get(profile)
        if known is not None and "cpus" in known.task and 0 < known.task["cpus"].amount < 2**31:
            return ceil(known.task["cpus"].amount)
        told = self.properties.get("spark.task.cpus", "")
        return int(told) if told.isdecimal() and 0 < int(told) < 2**31 else 1

    def memory_mib(self, executor: str, profile: int) -> int | None:
        """Heap, overhead and off-heap together, None where nothing says it."""
        return memory_mib(self.profiles.get(profile), self.properties, local=executor == DRIVER)


def executors(
    added: Sequence[ExecutorAdded],
    removed: Sequence[ExecutorRemoved],
    asked: Asked,
    problems: Problems,
) -> tuple[Executor, ...]:
    """The executors in order of their coming, then of their ids."""
    events: dict[str, list[ExecutorAdded | ExecutorRemoved]] = {}
    for come in added:
        events.setdefault(come.id, []).append(come)
    for gone in removed:
        events.setdefault(gone.id, []).append(gone)
    found = [_executor(*stay, asked) for own in events.values() for stay in _stays(own, problems)]
    return tuple(sorted(found, key=lambda each: (each.added_ms, len(each.id), each.id)))


def _stays(
    events: list[ExecutorAdded | ExecutorRemoved], problems: Problems
) -> list[tuple[ExecutorAdded, ExecutorRemoved | None]]:
    """Each stay of one executor, from an addition to the next removal; none has a negative time."""
    stays: list[tuple[ExecutorAdded, ExecutorRemoved | None]] = []
    unknown: list[ExecutorRemoved] = []
    here: ExecutorAdded | None = None
    for event in sorted(events, key=_moment):
        if isinstance(event, ExecutorRemoved):
            if here is None:
                unknown.append(event)
            else:
                stays.append((here, event))
                here = None
        elif here is None:
            here = event
        else:
            problems[Problem.EXECUTOR_ADDED_TWICE] += 1
    if here is not None and unknown and not stays:
        problems[Problem.EXECUTOR_REMOVED_EARLY] += 1
        gone = ExecutorRemoved(here.added_ms, here.id, unknown[0].reason)
        return [(here, gone)]
    problems[Problem.EXECUTOR_REMOVED_UNKNOWN] += len(unknown)
    if here is not None:
        problems[Problem.EXECUTOR_NOT_REMOVED] += here.id != DRIVER
        stays.append((here, None))
    return stays


def _moment(event: ExecutorAdded | ExecutorRemoved) -> tuple[int, bool]:
    if isinstance(event, ExecutorRemoved):
        return event.removed_ms, True
    return event.added_ms, False


def _executor(come: ExecutorAdded, gone: ExecutorRemoved | None, asked: Asked) -> Executor:
    profile = come.info.profile
    return Executor(
        id=come.id,
        host=come.info.host or "",
        cores=come.info.cores,
        added_ms=come.added_ms,
        removed_ms=None if gone is None else gone.removed_ms,
        removed_reason="" if gone is None else gone.reason or "",
        profile=profile,
        task_cpus=asked.task_cpus(profile),
        memory_mib=asked.memory_mib(come.id, profile),
    )
