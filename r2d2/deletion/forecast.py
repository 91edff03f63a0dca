"""The forecast of a set's rebuild: when its tables are back here, and machines that are in time.

A family takes the longest making of rows among its tables, which share the reading, and the writing
of each, by the plans' promises. This machine runs already, so its start-up counts for nothing; a
machine that is rented starts, and rebuilds at the rates that were measured on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from r2d2.deletion.parents import families
from r2d2.deletion.schedule import FamilyWork, SetSchedule, Workers, schedule
from r2d2.lake.deletions import Deletion
from r2d2.plan.costs import Rebuild, making_p95_s, writing_p95_s
from r2d2.settings.plan import Rates
from r2d2.settings.profile import Profile, ProfiledCluster

PROCESS_START_S = 2.0
"""Until a process that is started here reads its first row."""
MOST_CLUSTERS = 50
"""So many of one kind are offered at most."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a table will be back, by the plans' promises, and whether that is in time."""

    table: str
    after_s: float
    in_time: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """Machines that bring the set back at the least cost in time, or most of it where none can.

    So many `clusters` of `vm_count` machines each, every one given back as it is done; `late`
    tables are not in time, and all is back after `after_s`, each cluster's start-up included.
    """

    vm_type: str
    vm_count: int
    clusters: int
    after_s: float
    usd: float
    late: int


@dataclass(frozen=True, slots=True)
class SetBack:
    """A set that was rebuilt: tables that came back, by so many processes, in so many seconds."""

    tables: int
    lost: int
    processes: int
    seconds: float
    promised_s: float


@dataclass(frozen=True, slots=True)
class ScheduledSet:
    """The tables to rebuild: their families, and which process does which, in which order."""

    families: Sequence[Sequence[Deletion]]
    schedule: SetSchedule
    forecasts: Sequence[Forecast]

    @property
    def after_s(self) -> float:
        """The seconds after which all are back."""
        return max((each.after_s for each in self.forecasts), default=0.0)

    def back(self, tables: int, lost: int, seconds: float) -> SetBack:
        """The set as it was rebuilt, beside its promise."""
        return SetBack(tables, lost, len(self.schedule.orders), seconds, self.after_s)


def scheduled(
    deletions: Sequence[Deletion], processes: int = 1, deadline_s: float = inf
) -> ScheduledSet:
    """The tables with the best schedule for so many processes of this machine at most."""
    found = families(deletions)
    work = [FamilyWork(len(family), family_s(family)) for family in found]
    workers = Workers(processes, PROCESS_START_S)
    best = schedule(work, workers, deadline_s)
    backs_s = best.backs_s(work, workers)
    forecasts = [
        Forecast(deletion.table, backs_s[number], backs_s[number] <= deadline_s)
        for number in sorted(backs_s, key=lambda number: (backs_s[number], number))
        for deletion in found[number]
    ]
    return ScheduledSet(found, best, forecasts)


def family_s(family: Sequence[Deletion]) -> float:
    """The seconds in which the tables come back together on a machine that runs."""
    parts = [_parts_s(deletion) for deletion in family]
    return max(making for making, _ in parts) + sum(writing for _, writing in parts)


def _parts_s(deletion: Deletion) -> tuple[float, float]:
    """The seconds of making the rows, and of writing them.

    Records of an older r2d2 tell no rates: then the whole promise is of making.
    """
    entry, rates = deletion.record["entry"], _rates(deletion)
    if rates is None:
        return float(entry["rebuild_p95_s"]), 0.0
    work_s = max(0.0, entry["rebuild_p95_s"] - rates.start_up_p95_s)
    writing_s = min(work_s, writing_p95_s(entry["size_bytes"], rates))
    return work_s - writing_s, writing_s


def _rates(deletion: Deletion) -> Rates | None:
    """The rates of the plan by which the table was deleted, where its record tells them."""
    told = deletion.record.get("rates")
    return None if told is None else Rates(**told)


def offer(
    found: Sequence[Sequence[Deletion]], profile: Profile, deadline_s: float = inf
) -> Offer | None:
    """The cheapest machines of the profile that are in time; None where it knows of no cluster."""
    offers = map(partial(_offer, found, profile, deadline_s), profile.clusters)
    return min(offers, key=lambda each: (each.late, each.usd, each.after_s), default=None)


def _offer(
    found: Sequence[Sequence[Deletion]],
    profile: Profile,
    deadline_s: float,
    cluster: ProfiledCluster,
) -> Offer:
    work = [FamilyWork(len(each), _family_on(each, profile, cluster)) for each in found]
    workers = Workers(min(len(work), MOST_CLUSTERS), cluster.start_up_p95_s, rented=True)
    best = schedule(work, workers, deadline_s)
    usd = best.score.paid_s * cluster.vm_count * cluster.vm_usd_per_hour / 3600
    after_s = max(best.backs_s(work, workers).values(), default=0.0)
    late, kind = best.score.late, (cluster.vm_type, cluster.vm_count)
    return Offer(*kind, len(best.orders), after_s, usd, late)


def _family_on(family: Sequence[Deletion], profile: Profile, cluster: ProfiledCluster) -> float:
    """The seconds that a family takes such a cluster, by the bytes that are read and written."""
    making_s, writing_s = list[float](), list[float]()
    for deletion in family:
        entry = deletion.record["entry"]
        rates = profile.rates_on(cluster, _rates(deletion) or Rates())
        read = Rebuild(entry["evidence"]["read_bytes"], entry["size_bytes"])
        making_s.append(making_p95_s(read, rates))
        writing_s.append(writing_p95_s(entry["size_bytes"], rates))
    return max(making_s) + sum(writing_s)
