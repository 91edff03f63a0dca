"""The open options: those that a best plan may need. The others are dropped without a solver.

Each step is sound with a cap too:
- An option of a table that must stay, over its limit, or struck out is forbidden.
- One that costs no less than keeping its table gains nothing: keeping takes no parent away from
  others and deletes no byte.
- A table left without options stays, and as a parent it asks nothing of the solver any more.
- An option is no better than a cheaper one of the same table that needs no other parents.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from r2d2.plan.program.problem import Option, Problem


@dataclass(frozen=True, slots=True)
class OpenOption:
    """An option by its number, its cost, and those of its parents that might be deleted.

    A term of the program, as `Option` is: numbers only, x_e and its constraints x_e ≤ keep_p.
    """

    number: int
    usd_per_month: float
    parents: frozenset[int]


OpenOptions = Mapping[int, tuple[OpenOption, ...]]
"""The options of each table that may be deleted at all, cheapest first, then by number."""


def reduce_options(problem: Problem) -> OpenOptions:
    """The options that a best plan may need, by table."""
    allowed: dict[int, list[int]] = {}
    for number, option in enumerate(problem.options):
        if _gains(problem, option):
            allowed.setdefault(option.child, []).append(number)
    return {
        table: _undominated(
            OpenOption(
                number,
                problem.options[number].usd_per_month,
                frozenset(p for p in problem.options[number].parents if p in allowed),
            )
            for number in numbers
        )
        for table, numbers in sorted(allowed.items())
    }


def cheapest(options: Sequence[OpenOption], kept: Set[int]) -> OpenOption | None:
    """The first of the table's options whose parents are all kept."""
    return next((option for option in options if option.parents <= kept), None)


def _gains(problem: Problem, option: Option) -> bool:
    table = problem.tables[option.child]
    return (
        option.struck is None
        and table.must_keep is None
        and (table.limit_s is None or option.seconds <= table.limit_s)
        and option.usd_per_month < table.keep_usd_per_month
    )


def _undominated(options: Iterable[OpenOption]) -> tuple[OpenOption, ...]:
    left: list[OpenOption] = []
    single: set[int] = set()
    several: list[frozenset[int]] = []
    for option in sorted(options, key=lambda option: (option.usd_per_month, option.number)):
        if not single.isdisjoint(option.parents) or any(s <= option.parents for s in several):
            continue
        left.append(option)
        if not option.parents:
            break
        if len(option.parents) == 1:
            single |= option.parents
        else:
            several.append(option.parents)
    return tuple(left)
