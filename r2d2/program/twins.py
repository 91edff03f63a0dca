"""Of two tables that rebuild each other at the same cost, keeps the one listed first.

Which of two equal tables a solver keeps is an accident of its version; here it is a rule.
"""

import math
from collections.abc import Iterable, Set

from r2d2.plan.program.problem import Problem
from r2d2.plan.program.reduce import Usables, cheapest


def first_twins(problem: Problem, usables: Usables, kept: Set[int]) -> frozenset[int]:
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
    problem: Problem, usables: Usables, touched: Set[int], kept: set[int], first: int, later: int
) -> bool:
    before_usd = _cost_usd(problem, usables, touched, kept)
    kept ^= {first, later}
    if _cost_usd(problem, usables, touched, kept) <= before_usd:
        return True
    kept ^= {first, later}
    return False


def _resting(usables: Usables) -> dict[int, set[int]]:
    resting: dict[int, set[int]] = {table: set() for table in usables}
    for table, options in usables.items():
        for option in options:
            for parent in option.parents:
                resting[parent].add(table)
    return resting


def _later_twins(usables: Usables, resting: dict[int, set[int]], table: int) -> set[int]:
    parents = {parent for option in usables[table] for parent in option.parents}
    return {twin for twin in parents & resting[table] if twin > table}


def _room(problem: Problem, usables: Usables, kept: Set[int]) -> float:
    if problem.max_deleted_bytes is None:
        return math.inf
    deleted = (problem.tables[table].size_bytes for table in usables if table not in kept)
    return problem.max_deleted_bytes - sum(deleted)


def _cost_usd(problem: Problem, usables: Usables, tables: Iterable[int], kept: Set[int]) -> float:
    costs = []
    for table in tables:
        if table in kept:
            costs.append(problem.tables[table].keep_usd_per_month)
        else:
            option = cheapest(usables[table], kept)
            costs.append(math.inf if option is None else option.usd_per_month)
    return math.fsum(costs)
