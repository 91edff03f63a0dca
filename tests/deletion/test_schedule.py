"""The schedule of a set's rebuild: the enumerated best of few families, held rules for many."""

import os
from collections.abc import Iterator, Sequence
from itertools import permutations
from math import inf
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.deletion.schedule import EXACT, FamilyWork, Score, Workers, schedule

SCHEDULES = int(os.environ.get("R2D2_SCHEDULES", "25"))
ONE = st.builds(FamilyWork, st.integers(1, 5), st.integers(1, 30).map(float))
FEW = st.lists(ONE, min_size=1, max_size=EXACT)
MANY = st.lists(ONE, min_size=EXACT + 1, max_size=40)
DEADLINES = st.one_of(st.just(inf), st.integers(1, 100).map(float))
WORKERS = st.builds(Workers, st.integers(1, 3), st.sampled_from([0.0, 3.0, 20.0]), st.booleans())


def every_way(families: int, workers: int) -> Iterator[Sequence[Sequence[int]]]:
    """Every order of the families, cut into every number of parts: the long way round."""
    for order in permutations(range(families)):
        for parts in cuts(families, workers):
            ends = [sum(parts[: k + 1]) for k in range(len(parts))]
            yield [order[end - part : end] for part, end in zip(parts, ends, strict=True)]


def cuts(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in cuts(total - first, parts - 1):
            yield (first, *rest)


def scored(
    work: Sequence[FamilyWork], orders: Sequence[Sequence[int]], workers: Workers, deadline_s: float
) -> Score:
    """What the orders come to, counted table by table."""
    backs, ends = list[float](), list[float]()
    for worker, order in enumerate(orders):
        clock_s = workers.start_s if workers.rented or worker > 0 else 0.0
        for number in order:
            clock_s += work[number].seconds
            backs += [clock_s] * work[number].tables
        if order:
            ends.append(clock_s)
    late = sum(back > deadline_s for back in backs)
    return Score(late, sum(ends) if workers.rented else max(ends), sum(backs))


@pytest.mark.slow
@settings(max_examples=SCHEDULES)
@given(FEW, WORKERS, DEADLINES)
def test_few_families_have_the_best_of_all_schedules(
    work: list[FamilyWork], workers: Workers, deadline_s: float
) -> None:
    best = min(
        scored(work, orders, workers, deadline_s)
        for orders in every_way(len(work), min(workers.most, len(work)))
    )
    found = schedule(work, workers, deadline_s)
    assert found.score == best
    assert scored(work, found.orders, workers, deadline_s) == best


@given(MANY, WORKERS, DEADLINES)
def test_many_families_are_all_scheduled_once_and_scored_as_they_are(
    work: list[FamilyWork], workers: Workers, deadline_s: float
) -> None:
    found = schedule(work, workers, deadline_s)
    assert sorted(f for order in found.orders for f in order) == list(range(len(work)))
    assert len(found.orders) <= workers.most
    assert found.score == scored(work, found.orders, workers, deadline_s)


@given(MANY, st.integers(1, 4))
def test_many_families_are_done_no_later_than_any_list_lets_them(
    work: list[FamilyWork], most: int
) -> None:
    seconds = [each.seconds for each in work]
    graham_s = sum(seconds) / most + (1 - 1 / most) * max(seconds)
    assert schedule(work, Workers(most)).score.paid_s <= graham_s + 1e-9


def test_one_machine_does_what_two_would_not_do_sooner() -> None:
    work = [FamilyWork(1, 0.4), FamilyWork(3, 0.5)]
    assert schedule(work, Workers(2, start_s=1.0)).orders == ((1, 0),)


class Rented(NamedTuple):
    """A deadline, and the machines that are rented for it."""

    deadline_s: float
    machines: int


@pytest.mark.parametrize(
    "case", [Rented(inf, 1), Rented(70.0, 1), Rented(45.0, 2), Rented(25.0, 3)]
)
def test_as_few_machines_are_rented_as_are_in_time(case: Rented) -> None:
    work = [FamilyWork(1, 20.0), FamilyWork(1, 20.0), FamilyWork(1, 20.0)]
    found = schedule(work, Workers(10, 5.0, rented=True), case.deadline_s)
    assert (len(found.orders), found.score.late) == (case.machines, 0)
    assert found.score.paid_s == 60.0 + 5.0 * case.machines
