"""The whole way from a problem to its solution, on one screen.

Parts of the problem that share no table, each of which is solved for itself.

Of two tables that rebuild each other at the same cost, keeps the one listed first.

Which of two equal tables a solver keeps is an accident of its version; here it is a rule.
"""

import math
from collections.abc import Iterable, Sequence, Set
from time import monotonic

from r2d2.plan.program.milp import PROVED, Model, SolverAnswer
from r2d2.plan.program.problem import Choice, Problem, Solution, Solver, Status
from r2d2.plan.program.reduce import OpenOptions, cheapest, open_options
from r2d2.plan.program.milp import answer, capped_answer, over_cap, solver_version


def solve(
    problem: Problem, solver: Solver = Solver.HIGHS, time_limit_s: float | None = None
) -> Solution:
    """The cheapest choice for every table, or the best found when the time is about up.

    A cap couples all tables. They are solved without it first, each component for itself; only
    where that deletes too much, all at once.

    Raises:
        InvalidAnswerError: the solver's answer is wrong.
        MissingDependencyError: the solver is not there.
    """
    until = math.inf if time_limit_s is None else monotonic() + time_limit_s
    usables = open_options(problem)
    parts = [part for part in components(usables) if len(part) > 1]
    models = [Model(problem, usables, batch) for batch in batches(parts)]
    answers = [answer(model, solver, until) for model in models]
    bound_usd = _bound_usd(problem, usables, models, answers)
    if over_cap(problem, usables, _kept(answers)):
        models = [Model(problem, usables, (tuple(usables),), capped=True)]
        answers = [capped_answer(models[0], solver, until)]
        bound_usd = max(bound_usd, _bound_usd(problem, usables, models, answers))
    choices = _choices(problem, usables, first_twins(problem, usables, _kept(answers)))
    cost_usd = _cost_usd(problem, choices)
    gap = max(0.0, cost_usd - bound_usd) / cost_usd if cost_usd else 0.0
    return Solution(
        choices,
        cost_usd,
        min(bound_usd, cost_usd),
        gap,
        Status.OPTIMAL if gap <= PROVED else Status.FEASIBLE,
        solver,
        solver_version(solver),
        sum(len(model.tables()) for model in models),
        len(models),
    )


def _kept(answers: Iterable[SolverAnswer]) -> frozenset[int]:
    return frozenset(table for answer in answers for table in answer.kept)


def _choices(problem: Problem, usables: OpenOptions, kept: Set[int]) -> tuple[Choice, ...]:
    choices = []
    for table in range(len(problem.tables)):
        option = None if table in kept else cheapest(usables.get(table, ()), kept)
        choices.append(Choice(table, option.number if option else None))
    return tuple(choices)


def _cost_usd(problem: Problem, choices: Sequence[Choice]) -> float:
    return math.fsum(
        problem.tables[choice.table].keep_usd_per_month
        if choice.option is None
        else problem.options[choice.option].usd_per_month
        for choice in choices
    )


def _bound_usd(
    problem: Problem, usables: OpenOptions, models: Sequence[Model], answers: Sequence[SolverAnswer]
) -> float:
    cost_usd = _cost_usd(problem, _choices(problem, usables, _kept(answers)))
    slacks = (model.slack_usd(found) for model, found in zip(models, answers, strict=True))
    return cost_usd - math.fsum(slacks)


BATCH_TABLES = 300
"""A model of HiGHS takes 3 ms to start; 2,000 components of 2–3 tables take 7 s one by one and
0.6 s by 300."""


def components(usables: OpenOptions) -> list[tuple[int, ...]]:
    """The tables of each connected component, both in order."""
    root = {table: table for table in usables}

    def find(table: int) -> int:
        while root[table] != table:
            root[table] = table = root[root[table]]
        return table

    for table, options in usables.items():
        for option in options:
            for parent in option.parents:
                one, other = sorted((find(table), find(parent)))
                root[other] = one
    members: dict[int, list[int]] = {}
    for table in sorted(usables):
        members.setdefault(find(table), []).append(table)
    return [tuple(tables) for tables in members.values()]


def batches(parts: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], ...]]:
    """The components in order, as many together as one model takes."""
    groups: list[list[tuple[int, ...]]] = []
    room = 0
    for part in parts:
        if len(part) > room:
            groups.append([])
            room = BATCH_TABLES
        groups[-1].append(part)
        room -= len(part)
    return [tuple(group) for group in groups]


def first_twins(problem: Problem, usables: OpenOptions, kept: Set[int]) -> frozenset[int]:
    """The kept tables after every exchange with an earlier twin that costs nothing."""
    resting = _resting(usables)
    current, room = set(kept), _room(problem, usables, kept)
    changed = True
    while changed:
        changed = False
        for first in sorted(usables.keys() - current):
            for later in sorted(_later_twins(usables, resting, first) & current):
                freed = problem.tables[later].size_bytes - problem.tables[first].size_bytes
                touched = {first, later} | resting[first] | resting[later]
                if freed <= room and _exchanged(problem, usables, touched, current, first, later):
                    room, changed = room - freed, True
                    break
    return frozenset(current)


def _exchanged(
    problem: Problem,
    usables: OpenOptions,
    touched: Set[int],
    kept: set[int],
    first: int,
    later: int,
) -> bool:
    before_usd = _cost_of_kept_usd(problem, usables, touched, kept)
    kept ^= {first, later}
    if _cost_of_kept_usd(problem, usables, touched, kept) <= before_usd:
        return True
    kept ^= {first, later}
    return False


def _resting(usables: OpenOptions) -> dict[int, set[int]]:
    resting: dict[int, set[int]] = {table: set() for table in usables}
    for table, options in usables.items():
        for option in options:
            for parent in option.parents:
                resting[parent].add(table)
    return resting


def _later_twins(usables: OpenOptions, resting: dict[int, set[int]], table: int) -> set[int]:
    parents = {parent for option in usables[table] for parent in option.parents}
    return {twin for twin in parents & resting[table] if twin > table}


def _room(problem: Problem, usables: OpenOptions, kept: Set[int]) -> float:
    if problem.max_deleted_bytes is None:
        return math.inf
    deleted = (problem.tables[table].size_bytes for table in usables if table not in kept)
    return problem.max_deleted_bytes - sum(deleted)


def _cost_of_kept_usd(
    problem: Problem, usables: OpenOptions, tables: Iterable[int], kept: Set[int]
) -> float:
    costs = []
    for table in tables:
        if table in kept:
            costs.append(problem.tables[table].keep_usd_per_month)
        else:
            option = cheapest(usables[table], kept)
            costs.append(math.inf if option is None else option.usd_per_month)
    return math.fsum(costs)
