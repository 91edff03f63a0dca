"""The schedule of a set's rebuild: which worker brings back which tables, in which order.

    families f = 1…F     n_f tables each, back together after d_f seconds of one worker: parts of
                         one parent, which is read once for all of them, or a table alone
    workers  k = 1…W     at most; each begins `start_s` seconds after the start, but the first of
                         processes at once: it runs already. Each does one family after the other
    back_f               the seconds after which f is back
    late    = Σ n_f over the families with back_f > deadline
    paid_s  = the seconds that are paid for: of processes on one machine max back_f; of rented
              machines, which go as they are done, Σ_k of the seconds until k is done
    told_s  = Σ n_f · back_f
    minimise (late, paid_s, told_s), in this order

So where all can be in time the cost decides, and of the cheapest the one that is soonest; where not
all can, as many tables as possible are. Two workers and a deadline are a PARTITION already, which
is NP-hard. Up to `EXACT` families all ways to share them out are looked at. Beyond, the best of
four rules, for each number of workers: the longest family first, or the one first that takes the
least time for each of its tables, to whoever is free first, or to the first that still has it in
time. The first of them alone takes at most 4/3 - 1/(3W) of the least time (Graham, 1969).

What one worker has is put in the best order: of those that are in time, and of the rest after them,
the family first that takes the least time for each of its tables (Smith, 1956).

A family takes the longest making of rows among its tables, which share the reading, and the writing
of each, by the plans' promises. This machine runs already, so its start-up counts for nothing; a
machine that is rented starts, and rebuilds at the rates that were measured on it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from math import inf
from typing import NamedTuple, TypeAlias

from r2d2.lake.deletions import Deletion
from r2d2.plan.costs import Rebuild, making_p95_s, writing_p95_s
from r2d2.recipes.grammar import Project, Select
from r2d2.recipes.json import from_data
from r2d2.settings.plan import Rates
from r2d2.settings.profile import Profile, ProfiledCluster
from r2d2.storage.output import json_text

Share: TypeAlias = tuple[int, ...]
Shares: TypeAlias = tuple[Share, ...]
"""The numbers of families, by worker."""

EXACT = 6
"""So many families are shared out in every way: 203 of them."""
PROCESS_START_S = 2.0
"""Until a process that is started here reads its first row."""
MOST_CLUSTERS = 50
"""So many of one kind are offered at most."""


class FamilyWork(NamedTuple):
    """So many tables that come back together, and the seconds that this takes one worker."""

    tables: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Workers:
    """At most so many: processes of this machine, or machines that are rented one by one."""

    most: int
    start_s: float = 0.0
    rented: bool = False

    def begins_s(self, worker: int) -> float:
        """The seconds after which the worker of this number begins."""
        return self.start_s if worker or self.rented else 0.0

    def paid_s(self, ends_s: Iterable[float]) -> float:
        """The seconds that are paid for, of workers that are done after so many."""
        return sum(ends_s) if self.rented else max(ends_s, default=0.0)


class Score(NamedTuple):
    """The tables that are late, the seconds that are paid, and when tables are back, summed up."""

    late: int
    paid_s: float
    told_s: float


class SetSchedule(NamedTuple):
    """The numbers of each worker's families in their order, and what that comes to."""

    orders: Shares
    score: Score

    def backs_s(self, work: Sequence[FamilyWork], workers: Workers) -> dict[int, float]:
        """The seconds after which each family is back, by its number."""
        found = {}
        for worker, order in enumerate(self.orders):
            after_s = workers.begins_s(worker)
            for number in order:
                after_s += work[number].seconds
                found[number] = after_s
        return found


def schedule(work: Sequence[FamilyWork], workers: Workers, deadline_s: float = inf) -> SetSchedule:
    """The best schedule of up to `EXACT` families, a good one of more.

    >>> schedule([FamilyWork(1, 3.0), FamilyWork(2, 2.0), FamilyWork(1, 2.0)], Workers(2)).orders
    ((1, 2), (0,))
    """

    @cache
    def in_order(share: Share, begins_s: float) -> _Ordered:
        return _in_order(work, share, begins_s, deadline_s)

    def scheduled(shares: Shares) -> SetSchedule:
        ordered = [in_order(share, workers.begins_s(k)) for k, share in enumerate(shares)]
        late, told_s = sum(each.late for each in ordered), sum(each.told_s for each in ordered)
        paid_s = workers.paid_s(each.end_s for each in ordered)
        return SetSchedule(tuple(each.order for each in ordered), Score(late, paid_s, told_s))

    few = len(work) <= EXACT
    ways = _all_ways(len(work), workers) if few else _good_ways(work, workers, deadline_s)
    return min(map(scheduled, ways), key=lambda each: (each.score, each.orders))


class _Ordered(NamedTuple):
    """One worker's families in order: tables that are late, their times summed up, its end."""

    late: int
    told_s: float
    end_s: float
    order: Share


def _in_order(
    work: Sequence[FamilyWork], share: Share, begins_s: float, deadline_s: float
) -> _Ordered:
    """The families so that as many tables as can be are in time, and then as early as can be."""
    soonest = sorted(share, key=lambda f: (work[f].seconds / work[f].tables, f))
    room_s = deadline_s - begins_s
    return min(
        _ordered(work, (*each, *(f for f in soonest if f not in each)), begins_s, deadline_s)
        for each in _first_ones(work, soonest, room_s)
    )


def _first_ones(
    work: Sequence[FamilyWork], soonest: Sequence[int], room_s: float
) -> Iterator[Share]:
    """The families that may be in time: each choice of a few; of many the soonest with room."""
    if len(soonest) <= EXACT:
        for count in range(len(soonest) + 1):
            yield from combinations(soonest, count)
        return
    first = list[int]()
    for number in soonest:
        if work[number].seconds <= room_s:
            room_s -= work[number].seconds
            first.append(number)
    yield tuple(first)


def _ordered(
    work: Sequence[FamilyWork], order: Share, begins_s: float, deadline_s: float
) -> _Ordered:
    late, told_s, after_s = 0, 0.0, begins_s
    for number in order:
        after_s += work[number].seconds
        told_s += work[number].tables * after_s
        late += work[number].tables if after_s > deadline_s else 0
    return _Ordered(late, told_s, after_s, order)


def _all_ways(families: int, workers: Workers) -> Iterator[Shares]:
    """Every way to share families out; workers that begin at one time are not told apart."""
    for shares in _partitions(families, workers.most):
        yield shares
        if not workers.rented:
            for k in range(1, len(shares)):
                yield (shares[k], *shares[:k], *shares[k + 1 :])


def _partitions(families: int, most: int) -> Iterator[Shares]:
    """Every way to put the families into at most so many shares.

    >>> list(_partitions(2, 2))
    [((0, 1),), ((0,), (1,))]
    """
    if not families:
        yield ()
        return
    last = families - 1
    for shares in _partitions(last, most):
        for k, share in enumerate(shares):
            yield (*shares[:k], (*share, last), *shares[k + 1 :])
        if len(shares) < most:
            yield (*shares, (last,))


def _good_ways(work: Sequence[FamilyWork], workers: Workers, deadline_s: float) -> Iterator[Shares]:
    """What the rules give for each number of workers, or up to that at which all is in time."""
    longest = sorted(range(len(work)), key=lambda f: (-work[f].seconds, f))
    soonest = sorted(range(len(work)), key=lambda f: (work[f].seconds / work[f].tables, f))
    for count in range(1, min(workers.most, len(work)) + 1):
        ends_s = [workers.begins_s(k) for k in range(count)]
        yield _shared_out(work, longest, ends_s)
        yield _shared_out(work, soonest, ends_s)
        yield _shared_out(work, soonest, ends_s, deadline_s)
        shares = _shared_out(work, longest, ends_s, deadline_s)
        yield shares
        sums_s = (sum(work[f].seconds for f in share) for share in shares)
        if workers.rented and max(sums_s) + workers.start_s <= deadline_s:
            return


def _shared_out(
    work: Sequence[FamilyWork], order: Sequence[int], begins_s: Sequence[float], room: float = 0.0
) -> Shares:
    """Each family in its order to the first worker that has it within the room, else the freest."""
    shares = [list[int]() for _ in begins_s]
    ends_s = list(begins_s)
    for number in order:
        fits = (k for k, end_s in enumerate(ends_s) if end_s + work[number].seconds <= room)
        freest = min(range(len(ends_s)), key=ends_s.__getitem__)
        k = next(fits, freest)
        ends_s[k] += work[number].seconds
        shares[k].append(number)
    return tuple(map(tuple, shares))


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


def families(deletions: Sequence[Deletion]) -> list[list[Deletion]]:
    """The deletions in groups: those that are parts of one parent at one snapshot are together.

    No table is in a group twice.
    """
    found: dict[tuple[str, ...], list[Deletion]] = {}
    for deletion in deletions:
        entry, record = deletion.record["entry"], deletion.record
        key: tuple[str, ...] = (deletion.id,)
        if isinstance(from_data(entry["recipe"]), Project | Select):
            (parent,) = entry["parents"]
            told = record["parents"][parent]
            key = (parent, told["snapshot"], told["files_sha256"], json_text(record["find"]))
        if any(other.table == deletion.table for other in found.get(key, ())):
            key = (deletion.id,)
        found.setdefault(key, []).append(deletion)
    return list(found.values())


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
