"""Every answer costs what brute force says is the least, and breaks no rule.

100 graphs by default; 1,000 with

    R2D2_RANDOM_GRAPHS=1000 python -m pytest -q tests/plan/program/test_optimum.py
"""

import os
from collections.abc import Callable
from math import isclose
from random import Random

import pytest

from r2d2.plan.program import Problem, Solution, Solver, Status, solve, verify
from tests.support.plan.graphs import chain, families, random_problem, scattered, with_cap
from tests.support.plan.program_oracle import chain_usd, enumerated_usd

GRAPHS = int(os.environ.get("R2D2_RANDOM_GRAPHS", "100"))

# CBC is a process for each problem.
SOLVERS = [Solver.HIGHS, pytest.param(Solver.CBC, marks=pytest.mark.slow)]


def sound(problem: Problem, solver: Solver = Solver.HIGHS) -> Solution:
    """The problem's solution, found to break no rule and proved to be optimal."""
    solution = solve(problem, solver)
    assert verify(problem, solution.choices, solution.cost_usd_per_month) == ()
    assert solution.status is Status.OPTIMAL
    return solution


def same(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("capped", [False, True])
@pytest.mark.parametrize("seed", range(GRAPHS))
def test_a_small_graph_costs_what_enumeration_finds(seed: int, capped: bool) -> None:
    problem = random_problem(Random(seed), capped=capped)
    assert same(sound(problem).cost_usd_per_month, enumerated_usd(problem))


@pytest.mark.slow
@pytest.mark.parametrize("capped", [False, True])
@pytest.mark.parametrize("seed", range(GRAPHS // 10))
def test_cbc_finds_the_same_cost(seed: int, capped: bool) -> None:
    problem = random_problem(Random(seed), capped=capped)
    assert same(sound(problem, Solver.CBC).cost_usd_per_month, enumerated_usd(problem))


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_a_chain_costs_what_the_chain_program_finds(seed: int) -> None:
    chance = Random(seed)
    keep, rebuild, problem = chain(chance, chance.randint(1, 40))
    assert same(sound(problem).cost_usd_per_month, chain_usd(keep, rebuild))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(20))
def test_costs_of_very_different_sizes_are_told_apart(seed: int, solver: Solver) -> None:
    problem = scattered(Random(seed), 12, 50, spread=8)
    assert same(sound(problem, solver).cost_usd_per_month, enumerated_usd(problem))


@pytest.mark.slow
@pytest.mark.parametrize("make", [families, scattered])
def test_highs_and_cbc_agree_on_hundreds_of_tables(
    make: Callable[[Random, int, int], Problem],
) -> None:
    problem = make(Random(7), 300, 2000)
    one, other = sound(problem), sound(problem, Solver.CBC)
    assert same(one.cost_usd_per_month, other.cost_usd_per_month)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_a_cap_holds_and_never_makes_a_plan_cheaper(share: float) -> None:
    problem = families(Random(3), 150, 900)
    assert sound(with_cap(problem, share)).cost_usd_per_month >= sound(problem).cost_usd_per_month
