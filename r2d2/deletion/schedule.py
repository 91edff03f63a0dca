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
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import inf
from typing import NamedTuple, TypeAlias

Share: TypeAlias = tuple[int, ...]
Shares: TypeAlias = tuple[Share, ...]
"""The numbers of families, by worker."""

EXACT = 6
"""So many families are shared out in every way: 203 of them."""


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
