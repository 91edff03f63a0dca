"""The program's input and output in numbers: tables, options, the choice for each table.

A table is kept, rebuilt by an option, or a view by one. To the program both are options: they need
their parents, they cost so much a month and take so many seconds.

Open options are those that a best plan may need; the others are dropped without a solver. Each
step of that is sound with a cap too:
- An option of a table that must stay, over its limit, or struck out is forbidden.
- One that costs no less than keeping its table gains nothing: keeping takes no parent away from
  others and deletes no byte. One that saves less than a deletion must is forbidden.
- A table left without options stays, and as a parent it asks nothing of the solver any more.
- An option is no better than a cheaper one of the same table that needs no other parents.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from math import isfinite

from r2d2.errors import R2D2Error


class ProblemError(R2D2Error):
    """The problem's numbers make no sense: a negative cost, a parent that does not exist."""


class InvalidAnswerError(R2D2Error):
    """A solver's answer breaks the program it was given, or its own claims."""


class Solver(str, Enum):
    """The solver of what is not forced."""

    HIGHS = "highs"
    CBC = "cbc"


class Status(str, Enum):
    """Whether no plan costs less than this one by more than a part in 10⁹, or time ran out."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"


@dataclass(frozen=True, slots=True)
class StoredTable:
    """The cost of keeping a table, and what stands against deleting it.

    `size_bytes` is what a deletion frees. `limit_s` is how long its readers may wait for it,
    None for as long as it takes. `must_keep` is the reason why it stays, None where it may go.
    Of two that can be rebuilt from each other at the same cost, the one of lower `rank` stays.
    """

    name: str
    keep_usd_per_month: float
    size_bytes: int
    limit_s: float | None = None
    must_keep: str | None = None
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """A way to rebuild `child` from all of `parents`, which are indices of tables.

    The program's term for a `TableRecipe`: e and its rebuild_usd_e, seconds_e in the statement.
    `struck` is the reason why it may not be used, e.g. that its recipe was run and differs.
    `view_of` is None, or the number of the option that runs the same recipe: then nothing is
    rebuilt, and the child's readers read its parents through a view.
    """

    child: int
    parents: tuple[int, ...]
    usd_per_month: float
    seconds: float
    struck: str | None = None
    view_of: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Tables, options, how many bytes one plan may delete (None: all), and what it must save.

    Raises:
        ProblemError: a number is negative or not finite, or an option's tables are no tables.
    """

    tables: tuple[StoredTable, ...]
    options: tuple[Option, ...]
    max_deleted_bytes: int | None = None
    min_saving_usd_per_month: float = 0.0
    min_plan_saving_usd_per_month: float = 0.0

    def __post_init__(self) -> None:
        for table in self.tables:
            limit_s = 0.0 if table.limit_s is None else table.limit_s
            if not _sound(table.keep_usd_per_month, table.size_bytes, limit_s):
                raise ProblemError(f"{table}: costs, bytes and limits are finite and at least 0")
        known = range(len(self.tables))
        for option in self.options:
            if not _sound(option.usd_per_month, option.seconds):
                raise ProblemError(f"{option}: costs and seconds are finite and at least 0")
            if option.child not in known or any(p not in known for p in option.parents):
                raise ProblemError(f"{option}: its tables are numbered from 0 to {len(known) - 1}")
            if not option.parents or option.child in option.parents:
                raise ProblemError(f"{option}: it needs parents other than its child")
        if self.max_deleted_bytes is not None and self.max_deleted_bytes < 0:
            raise ProblemError(f"max_deleted_bytes {self.max_deleted_bytes}: give at least 0")
        if not _sound(self.min_saving_usd_per_month, self.min_plan_saving_usd_per_month):
            raise ProblemError("the least savings are finite and at least 0")


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision on a table: rebuilt, or a view, by the option of that index, or None: kept."""

    table: int
    option: int | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """One choice for each table, in the tables' order, and what is proved of their cost.

    No plan costs less than `bound_usd_per_month`; `gap` is the part of the cost above it.
    `models` of the solver were needed for `open_tables`; the other tables were forced.
    """

    choices: tuple[Choice, ...]
    cost_usd_per_month: float
    bound_usd_per_month: float
    gap: float
    status: Status
    solver: Solver
    version: str
    open_tables: int
    models: int


def _sound(*numbers: float) -> bool:
    return all(isfinite(number) and number >= 0 for number in numbers)


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
        if gains(problem, option):
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


def gains(problem: Problem, option: Option) -> bool:
    """Whether the option may be used and saves what a deletion must, or anything at all."""
    table = problem.tables[option.child]
    return (
        option.struck is None
        and table.must_keep is None
        and (table.limit_s is None or option.seconds <= table.limit_s)
        and option.usd_per_month < table.keep_usd_per_month
        and table.keep_usd_per_month - option.usd_per_month >= problem.min_saving_usd_per_month
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
