"""The way from a problem to its solution: reduce, split into components, solve, break ties.

Of two tables that rebuild each other at the same cost, the preferred one stays, else the one listed
first: which of them a solver keeps is an accident of its version.
"""

import math
from collections.abc import Iterable, Sequence, Set
from time import monotonic

import numpy as np

from r2d2.graph import connected_components
from r2d2.plan.program.milp import (
    PROVED,
    Model,
    SolverAnswer,
    answer,
    capped_answer,
    over_cap,
    solver_version,
)
from r2d2.plan.program.problem import (
    Choice,
    OpenOptions,
    Problem,
    Solution,
    Solver,
    Status,
    cheapest,
    gains,
    reduce_options,
)

BATCH_TABLES = 300
"""A model of HiGHS takes 3 ms to start; 2,000 components of 2–3 tables take 7 s one by one and
0.6 s by 300."""


def solve(
    problem: Problem, solver: Solver = Solver.HIGHS, time_limit_s: float | None = None
) -> Solution:
    """The cheapest choice for every table, or the best found when the time is about up.

    A cap couples all tables. They are solved without it first, each component for itself; only
    where that deletes too much, all at once. A plan that saves too little is none.

    Raises:
        InvalidAnswerError: the solver's answer is wrong.
        MissingDependencyError: the solver is not there.
    """
    until = math.inf if time_limit_s is None else monotonic() + time_limit_s
    open_options = reduce_options(problem)
    parts = [part for part in components(open_options) if len(part) > 1]
    models = [Model(problem, open_options, batch) for batch in batches(parts)]
    answers = [answer(model, solver, until) for model in models]
    bound_usd = _bound_usd(problem, open_options, models, answers)
    if over_cap(problem, open_options, _kept(answers)):
        models = [Model(problem, open_options, (tuple(open_options),), capped=True)]
        answers = [capped_answer(models[0], solver, until)]
        bound_usd = max(bound_usd, _bound_usd(problem, open_options, models, answers))
    choices = _choices(
        problem, open_options, preferred_twins(problem, open_options, _kept(answers))
    )
    cost_usd = _cost_usd(problem, choices)
    keep_all_usd = math.fsum(table.keep_usd_per_month for table in problem.tables)
    if keep_all_usd - cost_usd < problem.min_plan_saving_usd_per_month:
        choices = tuple(Choice(table) for table in range(len(problem.tables)))
        cost_usd = keep_all_usd
        if keep_all_usd - bound_usd < problem.min_plan_saving_usd_per_month:
            bound_usd = keep_all_usd
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


def _choices(problem: Problem, open_options: OpenOptions, kept: Set[int]) -> tuple[Choice, ...]:
    choices = []
    for table in range(len(problem.tables)):
        option = None if table in kept else cheapest(open_options.get(table, ()), kept)
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
    problem: Problem,
    open_options: OpenOptions,
    models: Sequence[Model],
    answers: Sequence[SolverAnswer],
) -> float:
    cost_usd = _cost_usd(problem, _choices(problem, open_options, _kept(answers)))
    slacks = (model.slack_usd(answer) for model, answer in zip(models, answers, strict=True))
    return cost_usd - math.fsum(slacks)


def components(open_options: OpenOptions) -> list[tuple[int, ...]]:
    """The tables of each connected component, both in order."""
    tables = sorted(open_options)
    places = {table: place for place, table in enumerate(tables)}
    ends = [
        (places[table], places[parent])
        for table, options in open_options.items()
        for option in options
        for parent in option.parents
    ]
    children, parents = np.array(ends, np.int64).reshape(-1, 2).T
    members: dict[int, list[int]] = {}
    labels = connected_components(len(tables), children, parents)
    for table, label in zip(tables, labels.tolist(), strict=True):
        members.setdefault(label, []).append(table)
    return [tuple(component) for component in members.values()]


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


def preferred_twins(problem: Problem, open_options: OpenOptions, kept: Set[int]) -> frozenset[int]:
    """The kept tables after every exchange for a preferred twin that costs nothing.

    Twins are two tables each of which can be rebuilt from the other alone. The one of lower rank
    is preferred, of the same rank the one listed first.
    """
    twins, resting = _twins(problem), _resting(open_options)
    current, room = set(kept), _room(problem, open_options, kept)
    order = {table: (problem.tables[table].rank, table) for table in twins}
    changed = True
    while changed:
        changed = False
        for better in sorted(twins.keys() - current, key=order.__getitem__):
            worse = [twin for twin in twins[better] & current if order[twin] > order[better]]
            for twin in sorted(worse, key=order.__getitem__):
                freed = problem.tables[twin].size_bytes - problem.tables[better].size_bytes
                touched = {better, twin} | resting[better] | resting[twin]
                if freed <= room and _exchanged(
                    problem, open_options, touched, current, better, twin
                ):
                    room, changed = room - freed, True
                    break
    return frozenset(current)


def _twins(problem: Problem) -> dict[int, set[int]]:
    """The twins of each table that has any."""
    ways = {
        (option.child, option.parents[0])
        for option in problem.options
        if len(option.parents) == 1 and gains(problem, option)
    }
    twins: dict[int, set[int]] = {}
    for child, parent in ways:
        if (parent, child) in ways:
            twins.setdefault(child, set()).add(parent)
    return twins


def _exchanged(
    problem: Problem,
    open_options: OpenOptions,
    touched: Set[int],
    kept: set[int],
    better: int,
    twin: int,
) -> bool:
    """Whether the exchange costs nothing; then it is made. The sign of the sum is exact."""
    before = _costs_usd(problem, open_options, touched, kept)
    kept ^= {better, twin}
    after = _costs_usd(problem, open_options, touched, kept)
    if math.inf not in after and math.fsum((*after, *(-usd for usd in before))) <= 0:
        return True
    kept ^= {better, twin}
    return False


def _resting(open_options: OpenOptions) -> dict[int, set[int]]:
    resting: dict[int, set[int]] = {table: set() for table in open_options}
    for table, options in open_options.items():
        for option in options:
            for parent in option.parents:
                resting[parent].add(table)
    return resting


def _room(problem: Problem, open_options: OpenOptions, kept: Set[int]) -> float:
    if problem.max_deleted_bytes is None:
        return math.inf
    deleted = (problem.tables[table].size_bytes for table in open_options if table not in kept)
    return problem.max_deleted_bytes - sum(deleted)


def _costs_usd(
    problem: Problem, open_options: OpenOptions, tables: Iterable[int], kept: Set[int]
) -> list[float]:
    costs = []
    for table in tables:
        if table in kept:
            costs.append(problem.tables[table].keep_usd_per_month)
        else:
            option = cheapest(open_options[table], kept)
            costs.append(math.inf if option is None else option.usd_per_month)
    return costs
