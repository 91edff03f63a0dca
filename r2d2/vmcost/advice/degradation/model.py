"""What is said of hosts and stages of repeated runs. `degradation` states how it is found."""

from dataclasses import dataclass
from enum import Enum

from r2d2.report.words import by_number, pluralize
from r2d2.vmcost.advice.degradation.cells import StageKey


class Health(str, Enum):
    """What is said of a host."""

    SLOW = "slow"
    AS_OTHERS = "as_others"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a host is named, and how much must be seen of it, as stated above."""

    ratio: float = 1.5
    deviations: float = 3.0
    share: float = 0.75
    tasks: int = 20
    stage_runs: int = 3
    others: int = 3
    task_ms: int = 50


@dataclass(frozen=True, slots=True)
class HostHealth:
    """A host and the evidence: how many of its tasks, in how many stage runs, could be compared.

    `ratio` is the median of its tasks' run times over those of other hosts, 2.0 for one that is
    twice as slow, None where nothing could be compared; `slower_tasks` took longer than the others'
    median, and in `slower_stage_runs` more than half of its tasks did.
    """

    host: str
    health: Health
    ratio: float | None
    tasks: int
    slower_tasks: int
    stage_runs: int
    slower_stage_runs: int
    runs: int

    @property
    def verdict(self) -> str:
        """One sentence for the reader."""
        if self.ratio is None:
            return f"{self.host}: no other host had the same work, so nothing is said (modelled)"
        tasks, stages, runs = (
            pluralize(str(number), noun)
            for number, noun in (
                (self.tasks, "task"),
                (self.stage_runs, "stage"),
                (self.runs, "run"),
            )
        )
        seen = f"{tasks} in {stages} of {runs}"
        if self.health is Health.TOO_FEW:
            are = by_number(self.tasks, "is", "are")
            return f"{self.host}: {seen} {are} too few to compare (modelled)"
        return (
            f"{self.host} is {self.health.value.replace('_', ' ')}: its tasks take"
            f" {self.ratio:.2f} times as long as on other hosts ({self.slower_tasks} of {seen}"
            f" {by_number(self.slower_tasks, 'is', 'are')} slower, in"
            f" {pluralize(str(self.slower_stage_runs), 'stage')} most of them) (modelled)"
        )


@dataclass(frozen=True, slots=True)
class StageHost:
    """P of a stage on a host."""

    stage: StageKey
    host: str
    tasks: int
    ideal_ms: float
    actual_ms: float
    performance: float


@dataclass(frozen=True, slots=True)
class StageRun:
    """P of a stage in a run, by the run's position."""

    stage: StageKey
    run: int
    ideal_ms: float
    actual_ms: float
    performance: float


@dataclass(frozen=True, slots=True)
class Degradation:
    """Hosts, slowest first, and P by stage.

    `unmatched` are the stages that some run lacks, or has with another number of tasks: they have
    no place in `stage_runs`.
    """

    hosts: tuple[HostHealth, ...]
    stage_hosts: tuple[StageHost, ...]
    stage_runs: tuple[StageRun, ...]
    unmatched: tuple[StageKey, ...]
    figure: str = "modelled"

    @property
    def slow(self) -> tuple[HostHealth, ...]:
        """The hosts that are named."""
        return tuple(host for host in self.hosts if host.health is Health.SLOW)
