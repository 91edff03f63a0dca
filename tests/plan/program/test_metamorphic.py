"""What must hold between two problems, whatever their costs.

500 random lakes each with

    R2D2_RANDOM_GRAPHS=500 python -m pytest -q tests/plan/program/test_metamorphic.py
"""

import os
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.plan.program import Choice, Option, Problem, StoredTable, solve
from tests.support.plan.graphs import random_problem

some = settings(
    max_examples=int(os.environ.get("R2D2_RANDOM_GRAPHS", "100")),
    derandomize=True,
)
chances = st.randoms(use_true_random=True)


def cost_usd(problem: Problem) -> float:
    return solve(problem).cost_usd_per_month


def with_table(problem: Problem, number: int, table: StoredTable) -> Problem:
    tables = (*problem.tables[:number], table, *problem.tables[number + 1 :])
    return replace(problem, tables=tables)


@pytest.mark.slow
@some
@given(chance=chances, capped=st.booleans(), limit_s=st.sampled_from([0.0, 1.0, 30.0, 60.0]))
def test_tightening_a_limit_never_lowers_the_cost(
    chance: Random, capped: bool, limit_s: float
) -> None:
    problem = random_problem(chance, capped=capped)
    number = chance.randrange(len(problem.tables))
    table = problem.tables[number]
    tighter = limit_s if table.limit_s is None else min(limit_s, table.limit_s)
    tightened = with_table(problem, number, replace(table, limit_s=tighter))
    assert cost_usd(tightened) >= cost_usd(problem) * (1 - 1e-9)


@pytest.mark.slow
@some
@given(chance=chances, capped=st.booleans())
def test_protecting_a_table_never_lowers_the_cost(chance: Random, capped: bool) -> None:
    problem = random_problem(chance, capped=capped)
    number = chance.randrange(len(problem.tables))
    protected = replace(problem.tables[number], must_keep="protected")
    assert cost_usd(with_table(problem, number, protected)) >= cost_usd(problem) * (1 - 1e-9)


@pytest.mark.slow
@some
@given(chance=chances)
def test_striking_an_option_never_lowers_the_cost(chance: Random) -> None:
    problem = random_problem(chance)
    if problem.options:
        first, *others = problem.options
        struck = replace(problem, options=(replace(first, struck="differs"), *others))
        assert cost_usd(struck) >= cost_usd(problem) * (1 - 1e-9)


@some
@given(chance=chances, low=st.integers(1, 30), rise=st.integers(1, 30), capped=st.booleans())
def test_raising_the_storage_price_never_stores_more_bytes(
    chance: Random, low: int, rise: int, capped: bool
) -> None:
    """A theorem: the cost of a plan is price · stored(plan) + rest(plan).

    `stored` counts the bytes of kept tables and of the chosen options' residuals; `rest` is all
    that does not depend on the price, maintenance included. Let plan p be optimal at price a and
    q at b > a: a·stored(p) + rest(p) ≤ a·stored(q) + rest(q) and b·stored(q) + rest(q) ≤
    b·stored(p) + rest(p). Summed up, (b - a)·(stored(q) - stored(p)) ≤ 0. A cap changes nothing, as
    it allows the same plans at both prices. Costs are whole, so that no rounding is in the way.
    """
    shape = random_problem(chance, capped=capped)
    extra = [chance.randrange(50) for _ in shape.tables]
    residuals = [chance.choice([0, 0, chance.randrange(30)]) for _ in shape.options]
    rest = [chance.randrange(1000) for _ in shape.options]
    stored = []
    for price in (low, low + rise):
        problem = priced(shape, price, extra, residuals, rest)
        stored.append(stored_gb(problem, solve(problem).choices, residuals))
    assert stored[1] <= stored[0]


def priced(
    shape: Problem, price: int, extra: list[int], residuals: list[int], rest: list[int]
) -> Problem:
    tables = tuple(
        replace(table, keep_usd_per_month=float(price * gb(table) + more))
        for table, more in zip(shape.tables, extra, strict=True)
    )
    options: tuple[Option, ...] = tuple(
        replace(option, usd_per_month=float(price * residual + more))
        for option, residual, more in zip(shape.options, residuals, rest, strict=True)
    )
    return replace(shape, tables=tables, options=options)


def stored_gb(problem: Problem, choices: tuple[Choice, ...], residuals: list[int]) -> int:
    return sum(
        gb(problem.tables[choice.table]) if choice.option is None else residuals[choice.option]
        for choice in choices
    )


def gb(table: StoredTable) -> int:
    return table.size_bytes // 10**9
