"""The whole way from a problem to its solution, on one screen."""

import math
from collections.abc import Iterable, Sequence, Set
from time import monotonic

from r2d2.plan.program.milp import PROVED, Answer, Model
from r2d2.plan.program.problem import Choice, Problem, Solution, Solver, Status
from r2d2.plan.program.reduce import Usables, cheapest, usable_options
from r2d2.plan.program.solver import solver_version
from r2d2.program.answer import answer, capped_answer, over_cap
from r2d2.program.components import batches, components
from r2d2.program.twins import first_twins


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
    usables = usable_options(problem)
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


def _kept(answers: Iterable[Answer]) -> frozenset[int]:
    return frozenset(table for answer in answers for table in answer.kept)


def _choices(problem: Problem, usables: Usables, kept: Set[int]) -> tuple[Choice, ...]:
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
    problem: Problem, usables: Usables, models: Sequence[Model], answers: Sequence[Answer]
) -> float:
    cost_usd = _cost_usd(problem, _choices(problem, usables, _kept(answers)))
    slacks = (model.slack_usd(found) for model, found in zip(models, answers, strict=True))
    return cost_usd - math.fsum(slacks)
