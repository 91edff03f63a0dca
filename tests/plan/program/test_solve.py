"""What a solution holds: forced choices, ties, the cap to the byte, what was left in time."""

import subprocess
import sys
from dataclasses import replace
from random import Random

import pytest

from r2d2.plan.program import (
    Choice,
    Option,
    Problem,
    ProblemError,
    Solver,
    Status,
    StoredTable,
    solve,
    verify,
)
from tests.support.plan.graphs import GB, families, scattered, table, twins

# CBC is a process for each problem.
SOLVERS = [Solver.HIGHS, pytest.param(Solver.CBC, marks=pytest.mark.slow)]


def chosen(problem: Problem, solver: Solver = Solver.HIGHS) -> list[int | None]:
    """The option of each table."""
    return [choice.option for choice in solve(problem, solver).choices]


def test_a_lake_without_options_keeps_all_and_asks_no_solver() -> None:
    solution = solve(Problem((table("a", 1.0), table("b", 2.0)), ()))
    assert solution.choices == (Choice(0), Choice(1))
    assert (solution.cost_usd_per_month, solution.models, solution.gap) == (3.0, 0, 0.0)
    assert solve(Problem((), ())).choices == ()


def test_a_star_around_a_table_that_must_stay_is_forced() -> None:
    leaves = tuple(Option(leaf, (0,), 0.5, 1.0) for leaf in (1, 2, 3))
    solution = solve(Problem(tuple(table(name, 1.0) for name in "abcd"), leaves))
    assert [choice.option for choice in solution.choices] == [None, 0, 1, 2]
    assert (solution.models, solution.status) == (0, Status.OPTIMAL)


def test_a_table_is_not_deleted_where_that_saves_nothing() -> None:
    lake = (table("a", 1.0), table("b", 1.0))
    assert chosen(Problem(lake, (Option(1, (0,), 1.0, 1.0),))) == [None, None]


def test_a_parent_that_costs_more_than_its_children_save_is_deleted_itself() -> None:
    lake = (table("root", 9.0), table("middle", 5.0), table("leaf", 0.2))
    options = (
        Option(1, (0,), 1.0, 1.0),
        Option(2, (1,), 0.1, 1.0),
    )
    assert chosen(Problem(lake, options)) == [None, 0, None]


def test_a_union_needs_all_of_its_parts() -> None:
    lake = (table("year", 5.0), table("winter", 2.0), table("summer", 2.0))
    options = (
        Option(0, (1, 2), 1.0, 1.0),
        Option(1, (0,), 0.2, 1.0),
        Option(2, (0,), 0.2, 1.0),
    )
    assert chosen(Problem(lake, options)) == [0, None, None]
    dear = replace(options[0], usd_per_month=2.0)
    assert chosen(Problem(lake, (dear, *options[1:]))) == [None, 1, 2]


def test_the_limit_is_reached_and_not_passed() -> None:
    lake = (table("a", 1.0), table("b", 1.0, limit_s=60.0))
    assert chosen(Problem(lake, (Option(1, (0,), 0.1, 60.0),))) == [None, 0]
    assert chosen(Problem(lake, (Option(1, (0,), 0.1, 60.5),))) == [None, None]


@pytest.mark.parametrize("solver", SOLVERS)
def test_of_equal_tables_the_first_stays(solver: Solver) -> None:
    assert chosen(twins(1.0, 1.0, 1.0), solver) == [None, 2, 4]


@pytest.mark.parametrize("solver", SOLVERS)
def test_of_twins_the_cheaper_one_stays_wherever_it_is_listed(solver: Solver) -> None:
    assert chosen(twins(1.0, 0.9, 1.0), solver) == [0, None, 5]


def test_of_equally_cheap_options_the_first_is_taken() -> None:
    lake = tuple(table(name, 1.0) for name in "abc")
    assert chosen(Problem(lake, (Option(2, (1,), 0.5, 1.0), Option(2, (0,), 0.5, 1.0))))[2] == 0


def test_a_struck_option_gives_way_to_the_next_best() -> None:
    lake = (table("a", 1.0), table("b", 1.0))
    options = (Option(1, (0,), 0.1, 1.0, struck="differs"), Option(1, (0,), 0.2, 1.0))
    assert chosen(Problem(lake, options)) == [None, 1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_cap_holds_to_the_byte_where_a_solver_cannot_tell(solver: Solver) -> None:
    huge = 10**15
    lake = (
        StoredTable("root", 9.0, huge, must_keep="the root"),
        StoredTable("huge", 5.0, huge),
        StoredTable("tiny", 1.0, 1),
    )
    options = (Option(1, (0,), 0.1, 1.0), Option(2, (0,), 0.1, 1.0))
    assert chosen(Problem(lake, options, huge + 1), solver) == [None, 0, 1]
    assert chosen(Problem(lake, options, huge), solver) == [None, 0, None]
    assert chosen(Problem(lake, options, huge - 1), solver) == [None, None, 1]


def test_the_cap_holds_when_twins_change_places() -> None:
    lake = (StoredTable("a", 1.0, 30), StoredTable("b", 1.0, 20))
    options = (Option(0, (1,), 0.1, 1.0), Option(1, (0,), 0.1, 1.0))
    assert chosen(Problem(lake, options)) == [None, 1]
    assert chosen(Problem(lake, options, 25)) == [None, 1]
    assert chosen(Problem((lake[1], lake[0]), options, 25)) == [0, None]


def test_without_time_the_plan_is_sound_and_its_bound_holds() -> None:
    problem = scattered(Random(5), 200, 1500)
    hasty, best = solve(problem, time_limit_s=0), solve(problem)
    assert verify(problem, hasty.choices, hasty.cost_usd_per_month) == ()
    assert hasty.status is Status.FEASIBLE
    assert hasty.bound_usd_per_month <= best.cost_usd_per_month <= hasty.cost_usd_per_month
    saved = [
        sum(t.keep_usd_per_month for t in problem.tables) - s.cost_usd_per_month
        for s in (hasty, best)
    ]
    assert saved[0] > 0.5 * saved[1]


def test_without_time_the_cap_holds() -> None:
    problem = replace(scattered(Random(5), 200, 1500), max_deleted_bytes=100 * GB)
    hasty = solve(problem, time_limit_s=0)
    assert verify(problem, hasty.choices, hasty.cost_usd_per_month) == ()
    assert hasty.bound_usd_per_month <= solve(problem).cost_usd_per_month


def test_the_same_problem_gives_the_same_solution() -> None:
    problem = families(Random(2), 300, 2000)
    assert repr(solve(problem)) == repr(solve(problem))


@pytest.mark.slow
def test_many_small_components_share_a_few_models() -> None:
    apart = [twins(1.0, 0.9, 1.1) for _ in range(700)]
    problem = Problem(
        tuple(table for lake in apart for table in lake.tables),
        tuple(
            replace(option, child=option.child + 3 * at, parents=(option.parents[0] + 3 * at,))
            for at, lake in enumerate(apart)
            for option in lake.options
        ),
    )
    solution = solve(problem)
    assert (solution.open_tables, solution.models) == (2100, 7)
    assert solution.cost_usd_per_month == pytest.approx(700 * 1.1)


@pytest.mark.slow
def test_the_solution_names_the_solver_and_its_version() -> None:
    assert solve(twins(1.0, 1.0)).version.startswith("HiGHS 1.")
    assert solve(twins(1.0, 1.0), Solver.CBC).version.startswith("CBC of PuLP 3.")


@pytest.mark.parametrize(
    ("tables", "options", "hint"),
    [
        ((table("a", -1.0),), (), "at least 0"),
        ((table("a", float("nan")),), (), "finite"),
        ((table("a", 1.0, limit_s=float("inf")),), (), "finite"),
        ((table("a", 1.0),), (Option(0, (1,), 0.1, 1.0),), "numbered from 0 to 0"),
        ((table("a", 1.0),), (Option(0, (0,), 0.1, 1.0),), "other than its child"),
        ((table("a", 1.0),), (Option(0, (), 0.1, 1.0),), "other than its child"),
        ((table("a", 1.0),), (Option(0, (0,), -0.1, 1.0),), "at least 0"),
    ],
)
def test_a_problem_that_makes_no_sense_is_refused(
    tables: tuple[StoredTable, ...], options: tuple[Option, ...], hint: str
) -> None:
    with pytest.raises(ProblemError, match=hint):
        Problem(tables, options)


@pytest.mark.slow
def test_the_program_is_imported_without_its_solvers() -> None:
    code = (
        "import sys, r2d2.plan.program; sys.exit('pulp' in sys.modules or 'highspy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
