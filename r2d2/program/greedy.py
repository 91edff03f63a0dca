"""A plan in one pass, for where a solver finds none in time."""

from collections.abc import Sequence

from r2d2.plan.program.problem import Problem
from r2d2.plan.program.reduce import Usable, Usables


def greedy_kept(problem: Problem, usables: Usables, tables: Sequence[int]) -> frozenset[int]:
    """The tables to keep of those given: the greatest savings are taken first.

    A table goes where one of its options rests on kept parents, no deleted table rests on it,
    and the cap still has room.
    """
    room = problem.max_deleted_bytes
    gone: set[int] = set()
    held: set[int] = set()
    for table in sorted(tables, key=lambda t: (-_saving_usd(problem, usables[t][0], t), t)):
        option = next((o for o in usables[table] if gone.isdisjoint(o.parents)), None)
        size_bytes = problem.tables[table].size_bytes
        if option is None or table in held or (room is not None and size_bytes > room):
            continue
        gone.add(table)
        held |= option.parents
        room = None if room is None else room - size_bytes
    return frozenset(tables) - gone


def _saving_usd(problem: Problem, option: Usable, table: int) -> float:
    return problem.tables[table].keep_usd_per_month - option.usd_per_month
