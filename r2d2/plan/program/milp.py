"""One model for the solver: some components, scaled, with the cap if it binds.

The model as PuLP knows it, in the order in which the package's docstring states it.
"""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from pulp import LpAffineExpression, LpMinimize, LpProblem

from r2d2.plan.program.problem import InvalidAnswerError, Problem
from r2d2.plan.program.reduce import OpenOption, OpenOptions, cheapest

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
class SolverAnswer:
    """The tables of a model to keep, and what it costs at least in the model's own scale."""

    kept: frozenset[int]
    bound: float


@dataclass(frozen=True, slots=True)
class Model:
    """Components that one run of a solver decides, each with its costs in a scale of its own.

    `covers` are sets of tables that together exceed the cap by less than a solver can tell.
    """

    problem: Problem
    usables: OpenOptions
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

    def chosen(self, kept: Set[int]) -> dict[int, OpenOption]:
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

    def slack_usd(self, answer: SolverAnswer) -> float:
        """How much less than the answer another one could cost, 0 where it is proved optimal.

        No component could save more than all together, and none has a scale above the greatest.
        """
        cost = self.scaled_cost(answer.kept)
        slack = cost - answer.bound
        return 0.0 if slack <= PROVED * cost else slack * max(self.scales_usd().values())


Variables = dict[int, Any]


def formulated(model: Model) -> tuple[Any, Variables]:
    """PuLP's program, and its variable for keeping each table.

    Only keeping is in whole numbers: where that is decided, a table's best share of options is
    its one cheapest, so that rebuilding is whole by itself. HiGHS takes half the time so.
    """
    program = LpProblem("r2d2", LpMinimize)
    keep = {t: program.add_variable(f"keep{t}", 0, 1, "Integer") for t in model.tables()}
    rebuild = {
        option.number: program.add_variable(f"rebuild{option.number}", 0, 1)
        for table in keep
        for option in model.usables[table]
    }
    program += _cost(model, keep, rebuild)
    for table in keep:
        for constraint in _choice(model, table, keep, rebuild):
            program += constraint
    for constraint in _cap(model, keep):
        program += constraint
    return program, keep


def _cost(model: Model, keep: Variables, rebuild: Variables) -> Any:
    scales = model.scales_usd()
    keeping = [
        (keep[table], model.problem.tables[table].keep_usd_per_month / scale)
        for table, scale in scales.items()
    ]
    rebuilding = [
        (rebuild[option.number], option.usd_per_month / scale)
        for table, scale in scales.items()
        for option in model.usables[table]
    ]
    return LpAffineExpression(keeping + rebuilding)


def _choice(model: Model, table: int, keep: Variables, rebuild: Variables) -> list[Any]:
    # A table's options on one parent share a constraint: it is tighter than one for each.
    one = [(keep[table], 1)]
    resting: dict[int, list[tuple[Any, int]]] = {}
    for option in model.usables[table]:
        one.append((rebuild[option.number], 1))
        for parent in sorted(option.parents):
            resting.setdefault(parent, [(keep[parent], -1)]).append((rebuild[option.number], 1))
    return [
        LpAffineExpression(one) == 1,
        *(LpAffineExpression(terms) <= 0 for terms in resting.values()),
    ]


def _cap(model: Model, keep: Variables) -> list[Any]:
    # In bytes kept, scaled by the greatest table: Σ keep · size ≥ all - cap.
    cap = model.problem.max_deleted_bytes
    if not model.capped or cap is None:
        return []
    sizes = {table: model.problem.tables[table].size_bytes for table in keep}
    least, scale = sum(sizes.values()) - cap, max(sizes.values())
    stay = LpAffineExpression([(keep[table], size / scale) for table, size in sizes.items()])
    covers = [LpAffineExpression([(keep[t], 1) for t in sorted(cover)]) for cover in model.covers]
    return [stay >= least / scale, *(cover >= 1 for cover in covers)]
