"""One model for the solver: some components, scaled, with the cap if it binds."""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass

from r2d2.plan.program.problem import InvalidAnswerError, Problem
from r2d2.plan.program.reduce import Usable, Usables, cheapest

GREATEST = 1e6
"""What each component's greatest cost becomes in a model: solvers take small costs for nothing.

HiGHS, as it is set here, tells costs apart down to 1e-9 and CBC down to 1e-5. On random graphs of
12 tables whose costs span 6 orders of magnitude, with the greatest at 1, CBC was wrong in 11 of 60,
by up to 4e-5 of the cost; over 17 orders HiGHS in 22 of 150, by up to 3e-8. With the greatest at
10⁶ neither was wrong by 1e-9.
"""


PROVED = 1e-9
"""The gap, as a part of the cost, up to which an answer counts as optimal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The tables of a model to keep, and what it costs at least in the model's own scale."""

    kept: frozenset[int]
    bound: float


@dataclass(frozen=True, slots=True)
class Model:
    """Components that one run of a solver decides, each with its costs in a scale of its own.

    `covers` are sets of tables that together exceed the cap by less than a solver can tell.
    """

    problem: Problem
    usables: Usables
    parts: tuple[tuple[int, ...], ...]
    capped: bool = False
    covers: tuple[frozenset[int], ...] = ()

    def tables(self) -> tuple[int, ...]:
        """The tables to decide, in order."""
        return tuple(sorted(table for part in self.parts for table in part))

    def scales_usd(self) -> Mapping[int, float]:
        """What a cost of 1 in the model is, for each table."""
        scales: dict[int, float] = {}
        for part in self.parts:
            greatest = max(self.problem.tables[table].keep_usd_per_month for table in part)
            scales |= dict.fromkeys(part, greatest / GREATEST)
        return scales

    def chosen(self, kept: Set[int]) -> dict[int, Usable]:
        """The cheapest option of each deleted table, given the kept ones.

        Raises:
            InvalidAnswerError: a table is neither kept nor has an option on kept parents.
        """
        options = {}
        for table in self.tables():
            if table not in kept:
                option = cheapest(self.usables[table], kept)
                if option is None:
                    name = self.problem.tables[table].name
                    raise InvalidAnswerError(f"{name}: deleted with nothing to rebuild it from")
                options[table] = option
        return options

    def scaled_cost(self, kept: Set[int]) -> float:
        """What the model costs with these tables kept, in its own scale."""
        chosen, scales = self.chosen(kept), self.scales_usd()
        return math.fsum(
            (
                chosen[table].usd_per_month
                if table in chosen
                else self.problem.tables[table].keep_usd_per_month
            )
            / scales[table]
            for table in self.tables()
        )

    def scaled_floor(self) -> float:
        """What the model costs at least: every table by its cheapest option."""
        scales = self.scales_usd()
        return math.fsum(
            self.usables[table][0].usd_per_month / scales[table] for table in self.tables()
        )

    def slack_usd(self, answer: Answer) -> float:
        """How much less than the answer another one could cost, 0 where it is proved optimal.

        No component could save more than all together, and none has a scale above the greatest.
        """
        cost = self.scaled_cost(answer.kept)
        slack = cost - answer.bound
        return 0.0 if slack <= PROVED * cost else slack * max(self.scales_usd().values())
