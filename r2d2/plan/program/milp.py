"""One model for a solver: stated for PuLP, given to HiGHS or CBC, and its answer computed again.

A model holds some components, scaled, with the cap if it binds. It is stated in the order of the
package's docstring. Of an answer only the kept tables are believed. Where time runs out a greedy
plan may be better; a cap is held to the byte.
"""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from r2d2.errors import MissingDependencyError
from r2d2.plan.program.problem import (
    InvalidAnswerError,
    OpenOption,
    OpenOptions,
    Problem,
    Solver,
    cheapest,
)

GREATEST = 1e6
"""Each component's greatest cost in a model: solvers take small costs for nothing.

HiGHS, as it is set here, tells costs apart down to 1e-9 and CBC down to 1e-5. On random graphs of
12 tables whose costs span 6 orders of magnitude, with the greatest at 1, CBC was wrong in 11 of 60,
by up to 4e-5 of the cost; over 17 orders HiGHS in 22 of 150, by up to 3e-8. With the greatest at
10⁶ neither was wrong by 1e-9.
"""
PROVED = 1e-9
"""The gap, as a part of the cost, up to which an answer counts as optimal."""
SLOPPY = 1e-6
"""The tolerance for numbers that should be whole, and for a bound above the recomputed cost."""


@dataclass(frozen=True, slots=True)
class SolverAnswer:
    """The tables of a model to keep, and a lower bound of its cost in the model's scale."""

    kept: frozenset[int]
    bound: float


@dataclass(frozen=True, slots=True)
class Model:
    """Components that one run of a solver decides, each with its costs in its own scale.

    `covers` are sets of tables that together exceed the cap by less than a solver can tell.
    """

    problem: Problem
    open_options: OpenOptions
    parts: tuple[tuple[int, ...], ...]
    capped: bool = False
    covers: tuple[frozenset[int], ...] = ()

    def tables(self) -> tuple[int, ...]:
        """The tables to decide, in order."""
        return tuple(sorted(table for part in self.parts for table in part))

    def scales_usd(self) -> Mapping[int, float]:
        """The USD that a cost of 1 in the model stands for, by table."""
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
                option = cheapest(self.open_options[table], kept)
                if option is None:
                    name = self.problem.tables[table].name
                    raise InvalidAnswerError(f"{name}: deleted with nothing to rebuild it from")
                options[table] = option
        return options

    def scaled_cost(self, kept: Set[int]) -> float:
        """The model's cost with these tables kept, in its scale."""
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
        """The least that the model can cost: every table by its cheapest option."""
        scales = self.scales_usd()
        return math.fsum(
            self.open_options[table][0].usd_per_month / scales[table] for table in self.tables()
        )

    def slack_usd(self, answer: SolverAnswer) -> float:
        """The USD that another answer could save at most; 0 where this one is proved optimal.

        No component could save more than all together, and none has a scale above the greatest.
        """
        cost = self.scaled_cost(answer.kept)
        slack = cost - answer.bound
        return 0.0 if slack <= PROVED * cost else slack * max(self.scales_usd().values())


def capped_answer(model: Model, solver: Solver, until: float) -> SolverAnswer:
    """An answer within the cap.

    A solver holds to the cap up to its tolerance only. Where the exact bytes are above it, the
    greatest of the deleted tables are a cover: they exceed the cap too, so one of them stays.
    """
    while True:
        best = answer(model, solver, until)
        if not over_cap(model.problem, model.open_options, best.kept):
            return best
        model = replace(model, covers=(*model.covers, _cover(model, best.kept)))


def over_cap(problem: Problem, open_options: OpenOptions, kept: Set[int]) -> bool:
    """Whether these kept tables leave more bytes to delete than the problem allows."""
    deleted = (problem.tables[table].size_bytes for table in open_options if table not in kept)
    return problem.max_deleted_bytes is not None and sum(deleted) > problem.max_deleted_bytes


def _cover(model: Model, kept: Set[int]) -> frozenset[int]:
    size_bytes = {table: model.problem.tables[table].size_bytes for table in model.tables()}
    cover: set[int] = set()
    for table in sorted(size_bytes.keys() - kept, key=lambda t: (-size_bytes[t], t)):
        cover.add(table)
        if sum(size_bytes[t] for t in cover) > (model.problem.max_deleted_bytes or 0):
            break
    return frozenset(cover)


def answer(model: Model, solver: Solver, until: float) -> SolverAnswer:
    """The solver's answer; unless proved to be the best, the better of it and a greedy one."""
    left_s = until - monotonic()
    solved = ask(model, solver, None if left_s == math.inf else left_s) if left_s > 0 else None
    if solved is not None and model.slack_usd(solved) == 0:
        return solved
    greedy = greedy_kept(model)
    if solved is None:
        return SolverAnswer(greedy, model.scaled_floor())
    return replace(solved, kept=min(solved.kept, greedy, key=model.scaled_cost))


def greedy_kept(model: Model) -> frozenset[int]:
    """The tables of the model to keep where the greatest savings are taken first.

    A table goes where one of its options rests on kept parents, no deleted table rests on it,
    and the cap still has room.
    """
    tables, room = model.problem.tables, model.problem.max_deleted_bytes

    def saving_usd(table: int) -> float:
        return tables[table].keep_usd_per_month - model.open_options[table][0].usd_per_month

    gone: set[int] = set()
    held: set[int] = set()
    for table in sorted(model.tables(), key=lambda t: (-saving_usd(t), t)):
        option = next((o for o in model.open_options[table] if gone.isdisjoint(o.parents)), None)
        size_bytes = tables[table].size_bytes
        if option is None or table in held or (room is not None and size_bytes > room):
            continue
        gone.add(table)
        held |= option.parents
        room = None if room is None else room - size_bytes
    return frozenset(model.tables()) - gone


def ask(model: Model, solver: Solver, time_limit_s: float | None) -> SolverAnswer | None:
    """The tables of the model to keep, or None where no answer was found in time.

    Raises:
        InvalidAnswerError: the answer breaks the model, or claims what does not hold.
        MissingDependencyError: the solver is not there.
    """
    import pulp

    program, keep = formulated(model)
    try:
        program.solve(_command(solver, time_limit_s))
    except pulp.PulpSolverError as error:
        raise InvalidAnswerError(f"{solver.value} failed: {error}") from error
    if program.sol_status == pulp.LpSolutionNoSolutionFound:
        return None
    if program.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        claim = pulp.LpSolution[program.sol_status]
        raise InvalidAnswerError(f"{solver.value} claims {claim!r}, though all may be kept")
    kept = frozenset(table for table, value in keep.items() if _whole(value.value(), solver))
    return _verified(model, kept, _claimed_bound(model, program, solver), solver)


def _whole(value: float | None, solver: Solver) -> bool:
    if value is None or abs(value - round(value)) > SLOPPY:
        raise InvalidAnswerError(f"{solver.value} gives {value} where only 0 and 1 may be")
    return round(value) == 1


def _claimed_bound(model: Model, program: Any, solver: Solver) -> float:
    # PuLP does not tell CBC's bound: it is known only where CBC claims to be done.
    from pulp import LpSolutionOptimal

    if solver is Solver.HIGHS:
        return float(program.solverModel.getInfo().mip_dual_bound)
    done = program.sol_status == LpSolutionOptimal
    return float(program.objective.value()) if done else model.scaled_floor()


def _verified(model: Model, kept: frozenset[int], bound: float, solver: Solver) -> SolverAnswer:
    cost = model.scaled_cost(kept)
    if bound > cost + SLOPPY * max(1.0, cost):
        raise InvalidAnswerError(f"{solver.value} claims a bound of {bound} above the cost {cost}")
    return SolverAnswer(kept, max(bound, model.scaled_floor()))


def _command(solver: Solver, time_limit_s: float | None) -> Any:
    import pulp

    if solver is Solver.HIGHS:
        command = pulp.HiGHS(
            msg=False,
            timeLimit=time_limit_s,
            gapRel=0,
            gapAbs=0,
            parallel="off",
            mip_feasibility_tolerance=PROVED,
            primal_feasibility_tolerance=PROVED,
            dual_feasibility_tolerance=PROVED,
        )
    else:
        # The class PULP_CBC_CMD runs the same file, and warns that PuLP 4 has it no more. CBC's
        # presolve took minutes where the rest took 4 s, and looks at no clock.
        command = pulp.COIN_CMD(
            path=pulp.PULP_CBC_CMD.pulp_cbc_path,
            msg=False,
            timeLimit=time_limit_s,
            gapRel=0,
            gapAbs=PROVED,
            presolve=False,
        )
    if not command.available():
        raise MissingDependencyError(f"{solver.value} does not run here: take another solver")
    return command


def solver_version(solver: Solver) -> str:
    """The solver with its version, without starting it."""
    from importlib.metadata import version

    pulp = f"PuLP {version('pulp')}"
    return f"CBC of {pulp}" if solver is Solver.CBC else f"HiGHS {version('highspy')}, {pulp}"


Variables = dict[int, Any]


def formulated(model: Model) -> tuple[Any, Variables]:
    """PuLP's program, and its variable for keeping each table.

    Only keeping is in whole numbers: where that is decided, a table's best share of options is
    its one cheapest, so that rebuilding is whole by itself. HiGHS takes half the time so.
    """
    from pulp import LpMinimize, LpProblem

    program = LpProblem("r2d2", LpMinimize)
    keep = {t: program.add_variable(f"keep{t}", 0, 1, "Integer") for t in model.tables()}
    rebuild = {
        option.number: program.add_variable(f"rebuild{option.number}", 0, 1)
        for table in keep
        for option in model.open_options[table]
    }
    program += _cost(model, keep, rebuild)
    for table in keep:
        for constraint in _choice(model, table, keep, rebuild):
            program += constraint
    for constraint in _cap(model, keep):
        program += constraint
    return program, keep


def _cost(model: Model, keep: Variables, rebuild: Variables) -> Any:
    from pulp import LpAffineExpression

    scales = model.scales_usd()
    keeping = [
        (keep[table], model.problem.tables[table].keep_usd_per_month / scale)
        for table, scale in scales.items()
    ]
    rebuilding = [
        (rebuild[option.number], option.usd_per_month / scale)
        for table, scale in scales.items()
        for option in model.open_options[table]
    ]
    return LpAffineExpression(keeping + rebuilding)


def _choice(model: Model, table: int, keep: Variables, rebuild: Variables) -> list[Any]:
    from pulp import LpAffineExpression

    # A table's options on one parent share a constraint: it is tighter than one for each.
    all_choices = [(keep[table], 1)]
    resting: dict[int, list[tuple[Any, int]]] = {}
    for option in model.open_options[table]:
        all_choices.append((rebuild[option.number], 1))
        for parent in sorted(option.parents):
            resting.setdefault(parent, [(keep[parent], -1)]).append((rebuild[option.number], 1))
    return [
        LpAffineExpression(all_choices) == 1,
        *(LpAffineExpression(terms) <= 0 for terms in resting.values()),
    ]


def _cap(model: Model, keep: Variables) -> list[Any]:
    from pulp import LpAffineExpression

    # In bytes kept, scaled by the greatest table: Σ keep · size ≥ all - cap.
    cap = model.problem.max_deleted_bytes
    if not model.capped or cap is None:
        return []
    sizes = {table: model.problem.tables[table].size_bytes for table in keep}
    least, scale = sum(sizes.values()) - cap, max(sizes.values())
    stay = LpAffineExpression([(keep[table], size / scale) for table, size in sizes.items()])
    covers = [LpAffineExpression([(keep[t], 1) for t in sorted(cover)]) for cover in model.covers]
    return [stay >= least / scale, *(cover >= 1 for cover in covers)]
