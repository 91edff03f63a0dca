"""A model's answer: the solver's, or a greedy one where time ran out; the cap to the byte."""

import math
from collections.abc import Set
from dataclasses import replace
from time import monotonic

from r2d2.plan.program.milp import Answer, Model
from r2d2.plan.program.problem import Problem, Solver
from r2d2.plan.program.reduce import Usables
from r2d2.plan.program.solver import ask
from r2d2.program.greedy import greedy_kept


def answer(model: Model, solver: Solver, until: float) -> Answer:
    """The solver's answer; unless it is proved to be the best, the better of it and greed's."""
    left_s = until - monotonic()
    asked = ask(model, solver, None if left_s == math.inf else left_s) if left_s > 0 else None
    if asked is not None and model.slack_usd(asked) == 0:
        return asked
    greedy = greedy_kept(model.problem, model.usables, model.tables())
    if asked is None:
        return Answer(greedy, model.scaled_floor())
    return replace(asked, kept=min(asked.kept, greedy, key=model.scaled_cost))


def capped_answer(model: Model, solver: Solver, until: float) -> Answer:
    """An answer within the cap.

    A solver holds to the cap up to its tolerance only. Where the exact bytes are above it, the
    greatest of the deleted tables are a cover: they exceed the cap too, so one of them stays.
    """
    while True:
        found = answer(model, solver, until)
        if not over_cap(model.problem, model.usables, found.kept):
            return found
        model = replace(model, covers=(*model.covers, _cover(model, found.kept)))


def over_cap(problem: Problem, usables: Usables, kept: Set[int]) -> bool:
    """Whether these kept tables leave more bytes to delete than the problem allows."""
    deleted = (problem.tables[table].size_bytes for table in usables if table not in kept)
    return problem.max_deleted_bytes is not None and sum(deleted) > problem.max_deleted_bytes


def _cover(model: Model, kept: Set[int]) -> frozenset[int]:
    size_bytes = {table: model.problem.tables[table].size_bytes for table in model.tables()}
    cover: set[int] = set()
    for table in sorted(size_bytes.keys() - kept, key=lambda t: (-size_bytes[t], t)):
        cover.add(table)
        if sum(size_bytes[t] for t in cover) > (model.problem.max_deleted_bytes or 0):
            break
    return frozenset(cover)
