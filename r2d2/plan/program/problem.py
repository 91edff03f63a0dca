"""The program's input and output in numbers: tables, options, the choice for each table."""

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
    """

    name: str
    keep_usd_per_month: float
    size_bytes: int
    limit_s: float | None = None
    must_keep: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A way to rebuild `child` from all of `parents`, which are indices of tables.

    The program's term for a `TableRecipe`: e and its rebuild_usd_e, seconds_e in the statement.
    `struck` is the reason why it may not be used, e.g. that its recipe was run and differs.
    """

    child: int
    parents: tuple[int, ...]
    usd_per_month: float
    seconds: float
    struck: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Tables, options, and how many bytes one plan may delete (None: all).

    Raises:
        ProblemError: a number is negative or not finite, or an option's tables are no tables.
    """

    tables: tuple[StoredTable, ...]
    options: tuple[Option, ...]
    max_deleted_bytes: int | None = None

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


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision on a table: rebuilt by the option of that index, or None: kept."""

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
